#include "systemd/manager.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace covey::systemd {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kObject = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr const char* kScope = "org.freedesktop.systemd1.Scope";
constexpr std::uint64_t kJobLimit = 30'000'000, kForgetLimit = 2'000'000;  // microseconds
constexpr int kAttempts = 3;

std::uint64_t now_us() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec) / 1000;
}

/// sd-bus returns a negative errno.
void check(int result, std::string_view operation) {
    if (result < 0) throw Error::from_errno(-result, operation, "systemd");
}

void append_pairs(sd_bus_message* message, std::string_view lines, const std::string& operation) {
    check(sd_bus_message_open_container(message, 'a', "(ss)"), operation);
    if (!lines.empty())
        for (const auto line : split(lines, '\n')) {
            const auto blank = line.find(' ');
            if (blank == std::string_view::npos)
                throw Error::from_errno(EINVAL, operation, "systemd");
            const std::string one{line.substr(0, blank)}, other{line.substr(blank + 1)};
            check(sd_bus_message_append(message, "(ss)", one.c_str(), other.c_str()), operation);
        }
    check(sd_bus_message_close_container(message), operation);
}

void append(sd_bus_message* message, const Property& property) {
    const auto& [name, signature, value] = property;
    const auto operation = "write property " + name + " for";
    const auto* const key = name.c_str();
    if (signature == "b")
        return check(sd_bus_message_append(message, "(sv)", key, "b", value == "true" ? 1 : 0),
                     operation);
    if (signature == "s")
        return check(sd_bus_message_append(message, "(sv)", key, "s", value.c_str()), operation);
    if (signature == "t" || signature == "i") {
        const auto number = parse_u64(value);
        if (!number) throw Error::from_errno(EINVAL, operation, "systemd");
        return check(signature == "t" ? sd_bus_message_append(message, "(sv)", key, "t", *number)
                                      : sd_bus_message_append(message, "(sv)", key, "i",
                                                              static_cast<int>(*number)),
                     operation);
    }
    check(sd_bus_message_open_container(message, 'r', "sv"), operation);
    check(sd_bus_message_append(message, "s", key), operation);
    check(sd_bus_message_open_container(message, 'v', signature.c_str()), operation);
    if (signature == "ay") {
        const auto bytes = bytes_of(value);
        check(sd_bus_message_append_array(message, 'y', bytes.data(), bytes.size()), operation);
    } else if (signature == "as") {
        check(sd_bus_message_open_container(message, 'a', "s"), operation);
        if (!value.empty())
            for (const auto line : split(value, '\n'))
                check(sd_bus_message_append(message, "s", std::string{line}.c_str()), operation);
        check(sd_bus_message_close_container(message), operation);
    } else if (signature == "a(ss)") {
        append_pairs(message, value, operation);
    } else {
        throw Error::from_errno(EINVAL, operation, "systemd");
    }
    check(sd_bus_message_close_container(message), operation);
    check(sd_bus_message_close_container(message), operation);
}

void append_all(sd_bus_message* message, const std::vector<Property>& properties) {
    for (const auto& property : properties)
        append(message, property);
}

}  // namespace

/// What systemd answered in place of a result.
struct Manager::Failure {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    Failure() = default;
    Failure(const Failure&) = delete;
    Failure& operator=(const Failure&) = delete;
    ~Failure() { sd_bus_error_free(&error); }

    [[nodiscard]] bool is(const char* name) const {
        return sd_bus_error_has_name(&error, name) != 0;
    }
    [[nodiscard]] bool is_unknown_unit() const {
        return is("org.freedesktop.systemd1.NoSuchUnit") ||
               is("org.freedesktop.DBus.Error.UnknownObject");
    }
    [[noreturn]] void raise(std::string_view operation, std::string_view unit) const {
        const std::string_view name = error.name == nullptr ? "" : error.name;
        auto failure = Error(Code::unavailable,
                             fmt::format("systemd: {} {}: {} ({})", operation, unit,
                                         error.message == nullptr ? "" : error.message, name));
        if (is(SD_BUS_ERROR_ACCESS_DENIED) || is(SD_BUS_ERROR_AUTH_FAILED) ||
            is(SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
            throw std::move(failure)
                .with_code(Code::permission_denied)
                .with_fix("run as root, or under a user manager of systemd (rootless)");
        if (is(SD_BUS_ERROR_INVALID_ARGS) || is(SD_BUS_ERROR_PROPERTY_READ_ONLY))
            throw std::move(failure)
                .with_code(Code::invalid_argument)
                .with_fix("systemd does not take this value, or is too old for the property");
        if (is("org.freedesktop.systemd1.UnitExists"))
            throw std::move(failure).with_code(Code::already_exists);
        throw std::move(failure).with_fix("see journalctl -b _PID=1");
    }
};

Manager::Bus Manager::open(bool user) {
    sd_bus* raw = nullptr;
    int result = user ? sd_bus_open_user(&raw) : sd_bus_open_system(&raw);
    Bus bus{raw};
    if (result >= 0) return bus;
    // No message bus: systemd listens by itself as well, for root or for the login's user.
    std::string folder = "/run";
    if (user) {
        const char* given = std::getenv("XDG_RUNTIME_DIR");
        folder = given == nullptr ? "" : given;
    }
    check(sd_bus_new(&raw), "open a connection to");
    bus.reset(raw);
    const auto address = "unix:path=" + folder + "/systemd/private";
    if (sd_bus_set_address(raw, address.c_str()) >= 0 && sd_bus_start(raw) >= 0) return bus;
    throw Error(Code::unavailable,
                fmt::format("cannot reach systemd: {}, and nobody listens at {}",
                            errno_text(-result), address.substr(address.find('=') + 1)))
        .with_fix(user ? "log in with a user manager (XDG_RUNTIME_DIR or DBUS_SESSION_BUS_ADDRESS "
                         "must be set), or leave --systemd-cgroup away"
                       : "start dbus.socket, or leave --systemd-cgroup away");
}

int Manager::on_job_removed(sd_bus_message* message, void* self, sd_bus_error* /*error*/) {
    unsigned number = 0;
    const char *job = nullptr, *unit = nullptr, *result = nullptr;
    if (sd_bus_message_read(message, "uoss", &number, &job, &unit, &result) >= 0)
        static_cast<Manager*>(self)->results_[job] = result;
    return 0;
}

int Manager::on_unit_removed(sd_bus_message* message, void* self, sd_bus_error* /*error*/) {
    const char *unit = nullptr, *object = nullptr;
    if (sd_bus_message_read(message, "so", &unit, &object) >= 0)
        static_cast<Manager*>(self)->removed_[unit] = true;
    return 0;
}

Manager::Slot Manager::listen(const char* signal, sd_bus_message_handler_t handler) {
    sd_bus_slot* slot = nullptr;
    check(
        sd_bus_match_signal(bus_.get(), &slot, kService, kObject, kManager, signal, handler, this),
        "listen to");
    return Slot{slot};
}

Manager::Manager(bool user) : bus_(open(user)) {
    // Before anything is asked for: no job may end unheard.
    job_slot_ = listen("JobRemoved", on_job_removed);
    unit_slot_ = listen("UnitRemoved", on_unit_removed);
    Failure failure;
    if (!call(method("Subscribe"), failure)) failure.raise("subscribe to", "jobs");
}

Manager::Message Manager::method(const char* member) {
    sd_bus_message* message = nullptr;
    check(sd_bus_message_new_method_call(bus_.get(), &message, kService, kObject, kManager, member),
          "call");
    return Message{message};
}

Manager::Message Manager::call(const Message& message, Failure& failure) {
    sd_bus_message* reply = nullptr;
    const int result = sd_bus_call(bus_.get(), message.get(), kJobLimit, &failure.error, &reply);
    if (result < 0 && sd_bus_error_is_set(&failure.error) == 0) check(result, "call");
    return Message{reply};
}

template <typename Condition>
bool Manager::wait_until(Condition condition, std::uint64_t limit_us) {
    const auto end = now_us() + limit_us;
    while (!condition()) {
        const int result = sd_bus_process(bus_.get(), nullptr);
        check(result, "hear from");
        if (result > 0) continue;
        const auto now = now_us();
        if (now >= end) return false;
        check(sd_bus_wait(bus_.get(), end - now), "wait for");
    }
    return true;
}

void Manager::await_job(const Message& reply, const char* operation, const std::string& unit) {
    const char* path = nullptr;
    check(sd_bus_message_read(reply.get(), "o", &path), "read the answer of");
    const std::string job = path;
    if (!wait_until([&] { return results_.contains(job); }, kJobLimit)) {
        cancel(job, unit);
        throw Error(Code::timeout, fmt::format("systemd: {} {}: not done within {} s", operation,
                                               unit, kJobLimit / 1'000'000))
            .with_fix("the job was taken back; see what it waited for in journalctl -b _PID=1");
    }
    const auto& result = results_.at(job);
    if (result == "done" || result == "skipped") return;
    forget(unit);
    throw Error(Code::unavailable, fmt::format("systemd: {} {}: the job ended with result '{}'",
                                               operation, unit, result))
        .with_fix(fmt::format("see systemctl status {0} and journalctl -b -u {0}", unit));
}

/// Nothing of it may happen later, when nobody waits for it any more.
void Manager::cancel(const std::string& job, const std::string& unit) {
    const auto number = parse_u32(std::string_view{job}.substr(job.rfind('/') + 1));
    const auto message = method("CancelJob");
    check(sd_bus_message_append(message.get(), "u", number.value_or(0)), "call");
    Failure none;  // it has ended meanwhile
    (void)call(message, none);
    (void)wait_until([&] { return results_.contains(job); }, kForgetLimit);
    forget(unit);
}

/// What there is of an ended unit, and then its name is free.
void Manager::forget(const std::string& unit) {
    forget_failure(unit);
    removed_.erase(unit);
    if (knows(unit)) (void)wait_until([&] { return removed_.contains(unit); }, kForgetLimit);
}

void Manager::forget_failure(const std::string& unit) {
    const auto message = method("ResetFailedUnit");
    check(sd_bus_message_append(message.get(), "s", unit.c_str()), "call");
    Failure none;  // not failed, or not there: as it should be
    (void)call(message, none);
}

bool Manager::knows(const std::string& unit) {
    const auto message = method("GetUnit");
    check(sd_bus_message_append(message.get(), "s", unit.c_str()), "call");
    Failure failure;
    return call(message, failure) != nullptr;
}

std::string Manager::text_property(const std::string& unit, const char* interface,
                                   const char* name) {
    char* path = nullptr;
    check(sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path),
          "name a unit of");
    const std::unique_ptr<char, decltype(&std::free)> object{path, std::free};
    Failure failure;
    char* text = nullptr;
    if (sd_bus_get_property_string(bus_.get(), kService, path, interface, name, &failure.error,
                                   &text) < 0)
        failure.raise(fmt::format("read {} of", name), unit);
    const std::unique_ptr<char, decltype(&std::free)> held{text, std::free};
    return text;
}

Manager::Message Manager::start_message(const std::string& unit, pid_t pid,
                                        const std::vector<Property>& properties) {
    auto message = method("StartTransientUnit");
    auto* const raw = message.get();
    check(sd_bus_message_append(raw, "ss", unit.c_str(), "fail"), "call");
    check(sd_bus_message_open_container(raw, 'a', "(sv)"), "call");
    append_all(raw, properties);
    check(sd_bus_message_append(raw, "(sv)", "PIDs", "au", 1, static_cast<unsigned>(pid)), "call");
    check(sd_bus_message_close_container(raw), "call");
    check(sd_bus_message_append(raw, "a(sa(sv))", 0), "call");
    return message;
}

std::string Manager::start(const std::string& unit, pid_t pid,
                           const std::vector<Property>& properties) {
    for (int attempt = 1;; ++attempt) {
        Failure failure;
        if (const auto reply = call(start_message(unit, pid, properties), failure)) {
            await_job(reply, "start unit", unit);
            return text_property(unit, kScope, "ControlGroup");
        }
        if (!failure.is("org.freedesktop.systemd1.UnitExists") || attempt == kAttempts)
            failure.raise("start unit", unit);
        const auto state = knows(unit) ? text_property(unit, kUnit, "ActiveState") : "inactive";
        if (state != "inactive" && state != "failed")
            throw Error(Code::already_exists,
                        fmt::format("systemd: unit {} is there already and is {}", unit, state))
                .with_fix("end what runs in it, or give the container a cgroupsPath of its own");
        forget(unit);
    }
}

std::string Manager::set(const std::string& unit, const std::vector<Property>& properties) {
    const auto message = method("SetUnitProperties");
    check(sd_bus_message_append(message.get(), "sb", unit.c_str(), 1), "call");
    check(sd_bus_message_open_container(message.get(), 'a', "(sv)"), "call");
    append_all(message.get(), properties);
    check(sd_bus_message_close_container(message.get()), "call");
    Failure failure;
    if (!call(message, failure)) failure.raise("set properties of unit", unit);
    // systemd writes the files before it hears the next question.
    return text_property(unit, kScope, "ControlGroup");
}

void Manager::stop(const std::string& unit) {
    const auto message = method("StopUnit");
    check(sd_bus_message_append(message.get(), "ss", unit.c_str(), "replace"), "call");
    Failure failure;
    if (const auto reply = call(message, failure))
        await_job(reply, "stop unit", unit);
    else if (!failure.is_unknown_unit())
        failure.raise("stop unit", unit);
    forget(unit);
}

}  // namespace covey::systemd
