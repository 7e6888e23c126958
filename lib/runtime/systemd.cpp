#include "runtime/systemd.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "core/programs.hpp"
#include "covey/error.hpp"
#include "plan/resources.hpp"
#include "runtime/failure.hpp"
#include "runtime/own_binary.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr const char* kProgram = "covey-systemd";
constexpr const char* kSystemdRuns = "/run/systemd/system";  // sd_booted(3)
constexpr std::size_t kLongestAnswer = 64U << 10U;

/// Root on the host has the host's systemd; everybody else that of his login, root of a user
/// namespace (rootless engines) included.
cgroup::Manager manager_for_caller() {
    if (::geteuid() != 0) return cgroup::Manager::user;
    return sys::in_initial_user_namespace() ? cgroup::Manager::system : cgroup::Manager::user;
}

UniqueFd open_driver() {
    try {
        return core::open_program(kProgram, program_folder());
    } catch (const Error& error) {
        throw Error::restored(
            error.code(), "--systemd-cgroup needs the program covey-systemd: " + error.detail(),
            "install it (it is built where libsystemd's development files are), name its folder in "
            "COVEY_LIBEXEC, or leave --systemd-cgroup away",
            error.causes(), error.errno_value());
    }
}

void require_systemd(const cgroup::Host& host, cgroup::Manager manager) {
    const auto running = sys::stat_at(sys::kCwd, kSystemdRuns);
    if (!running || !S_ISDIR(running.value().st_mode))
        throw Error(Code::unsupported_by_host,
                    fmt::format("--systemd-cgroup: systemd does not run here: missing: {} (ENOENT)",
                                kSystemdRuns))
            .with_fix(
                "leave --systemd-cgroup away (in the engine's configuration: the cgroupfs "
                "driver)");
    if (manager == cgroup::Manager::user && host.layout != cgroup::Layout::v2)
        throw Error(Code::unsupported_by_host,
                    fmt::format("--systemd-cgroup without root needs cgroup v2 alone, and this "
                                "host is {}: v1 hierarchies are delegated to nobody",
                                cgroup::layout_name(host.layout)))
            .with_fix(
                "boot with systemd.unified_cgroup_hierarchy=1, or leave --systemd-cgroup "
                "away");
}

/// What the message bus is found by, and nothing else of the caller's.
std::vector<std::string> driver_environment() {
    std::vector<std::string> env;
    for (const char* name :
         {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"})
        if (const char* value = std::getenv(name); value != nullptr)
            env.push_back(fmt::format("{}={}", name, value));
    return env;
}

std::vector<std::string> arguments(const char* verb, bool user, const std::string& unit) {
    std::vector<std::string> args{kProgram};
    if (user) args.emplace_back("--user");
    args.emplace_back(verb);
    args.push_back(unit);
    return args;
}

void add_properties(std::vector<std::string>& args,
                    const std::vector<cgroup::UnitProperty>& properties) {
    for (const auto& [name, signature, value] : properties) {
        args.push_back(name);
        args.push_back(signature);
        args.push_back(value);
    }
}

/// The answer's second line.
std::string ask_systemd(FdRef program, std::vector<std::string> args) {
    auto answer = sys::make_pipe().or_throw("pipe", kProgram);
    auto child = sys::spawn({program, std::move(args), driver_environment(), {answer.write}})
                     .or_throw("execute", kProgram);
    answer.write.reset();
    const auto text =
        sys::read_all(answer.read, kLongestAnswer).or_throw("read answer of", kProgram);
    const auto status = sys::wait_process(child.pidfd).or_throw("wait for", kProgram);
    auto lines = split(text, '\n');
    lines.resize(4);
    if (lines[0] == "ok") return std::string{lines[1]};
    if (lines[0] == "error")
        throw Error::restored(code_from_name(lines[1]), std::string{lines[2]},
                              std::string{lines[3]}, {}, 0);
    throw Error(Code::internal,
                fmt::format("{} ended without an answer (status {})", kProgram, status.code))
        .with_fix("run it by hand to see why: covey-systemd stop x.scope 3>&1");
}

}  // namespace

ScopeRequest::ScopeRequest(const spec::Spec& spec, const std::string& id, const cgroup::Host& host)
    : scope_(cgroup::parse_scope(spec.linux.cgroups_path, id, manager_for_caller())),
      properties_(cgroup::scope_properties(scope_, id, host.layout)) {
    auto add = [this](std::vector<cgroup::UnitProperty> more) {
        for (auto& property : more)
            properties_.push_back(std::move(property));
    };
    add(cgroup::annotated_properties(spec.annotations));
    require_systemd(host, scope_.manager);
    // The launcher compiles them too, and says what is wrong with them. As for an update, because
    // "no limit" asks for something here: systemd has limits of its own (DefaultTasksMax=).
    std::vector<cgroup::DeviceRule> rules;
    if (const auto& resources = spec.linux.resources) {
        add(cgroup::limit_properties(plan::limits_of(*resources, plan::LimitsFor::update).limits,
                                     host));
        for (const auto& rule : resources->devices)
            rules.push_back({rule.allow, rule.type, rule.major, rule.minor, rule.access});
    }
    add(cgroup::device_properties(rules, host));
    program_ = open_driver();
}

void ScopeRequest::start(pid_t process, core::ContainerRecord& record) const {
    const bool user = scope_.manager == cgroup::Manager::user;
    auto args = arguments("start", user, scope_.name);
    args.push_back(std::to_string(process));
    add_properties(args, properties_);
    auto group = ask_systemd(program_, std::move(args));
    if (!group.starts_with('/') || !group.ends_with(scope_.name))
        throw Error(Code::internal,
                    fmt::format("systemd: unit {} has the control group '{}'", scope_.name, group))
            .with_fix("the scope ended at once: see journalctl -b _PID=1");
    record.systemd_unit = scope_.name;
    record.systemd_user = user;
    record.cgroup = cgroup::Placement{std::move(group)};
}

void set_scope_properties(const core::ContainerRecord& record, const cgroup::Host& host,
                          const cgroup::Group& group, const cgroup::Limits& limits) {
    if (record.systemd_unit.empty()) return;
    const auto properties = cgroup::limit_properties(limits, host, &group);
    if (properties.empty()) return;
    Rollback stillness;
    // systemd writes v1's device rules anew too, beginning with none: nobody should open /dev/null
    // at that moment.
    if (host.layout == cgroup::Layout::v1 && !group.is_frozen()) {
        stillness.add([&group] { group.thaw(); });
        group.freeze();
    }
    auto args = arguments("set", record.systemd_user, record.systemd_unit);
    add_properties(args, properties);
    (void)ask_systemd(open_driver(), std::move(args));
}

void stop_scope(const core::ContainerRecord& record) noexcept {
    if (record.systemd_unit.empty()) return;
    try {
        (void)ask_systemd(open_driver(),
                          arguments("stop", record.systemd_user, record.systemd_unit));
    } catch (const std::exception& error) {
        report_warning(error.what());
    }
}

bool has_systemd_driver() {
    try {
        return core::open_program(kProgram, program_folder()).valid();
    } catch (const Error&) {
        return false;
    }
}

}  // namespace covey::runtime
