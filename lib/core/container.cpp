#include "covey/container.hpp"

#include "core/sandbox_state.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>

namespace covey {
namespace {

// Events say when something ends; should one be lost, this look at the shim's status finds it.
constexpr std::chrono::seconds kStatusEvery{2};
constexpr std::chrono::hours kForever{24 * 365};

ExitStatus status_of(const core::ExitRecord& record) {
    return {record.exit_code, record.signal, record.oom_killed, record.exited_at};
}

core::ContainerFacts find_container(core::ShimClient& client, const std::string& id,
                                    const std::string& sandbox) {
    for (auto& item : client.status(kCallLimit))
        if (auto* facts = std::get_if<core::ContainerFacts>(&item.item);
            facts != nullptr && facts->config.id == id)
            return std::move(*facts);
    throw Error(Code::not_found, "no container '" + id + "' in sandbox '" + sandbox + "'");
}

bool holds_exec(core::ShimClient& client, const core::ExecFacts& exec) {
    for (const auto& item : client.status(kCallLimit))
        if (const auto* facts = std::get_if<core::ExecFacts>(&item.item);
            facts != nullptr && facts->container == exec.container && facts->exec == exec.exec)
            return true;
    return false;
}

/// The exec's record, or nothing when neither an event nor the status knows of it any more.
std::optional<core::ExitRecord> wait_exec(core::ShimClient& client, const core::ExecFacts& exec) {
    bool held = true;
    while (true) {
        const auto event = client.next_event(core::Clock::now() + kStatusEvery);
        if (event) {
            const auto* exited = std::get_if<core::ExecExited>(&*event);
            if (exited != nullptr && exited->container == exec.container &&
                exited->exec == exec.exec)
                return exited->exit;
            continue;
        }
        if (!held) return {};
        held = holds_exec(client, exec);
    }
}

}  // namespace

core::ContainerFacts Container::State::facts() const {
    auto client = sandbox->connect();
    return find_container(client, id, sandbox->id);
}

Container::Container(std::unique_ptr<State> state) : state_(std::move(state)) {
}
Container::Container(Container&&) noexcept = default;
Container& Container::operator=(Container&&) noexcept = default;
Container::~Container() = default;

const std::string& Container::id() const noexcept {
    return state_->id;
}

std::string Container::state() const {
    return std::string{core::state_name(state_->facts().state)};
}

pid_t Container::pid() const {
    return state_->facts().pid;
}

pid_t Container::pod_pid() const {
    return state_->facts().pod_pid;
}

void Container::start() {
    (void)state_->sandbox->connect().call(core::StartContainer{state_->id}, kCallLimit);
}

void Container::kill(int signal, bool all) {
    (void)state_->sandbox->connect().call(core::KillContainer{state_->id, signal, all}, kCallLimit);
}

void Container::pause() {
    (void)state_->sandbox->connect().call(core::PauseContainer{state_->id}, kCallLimit);
}

void Container::resume() {
    (void)state_->sandbox->connect().call(core::ResumeContainer{state_->id}, kCallLimit);
}

std::optional<ExitStatus> Container::wait(std::chrono::milliseconds limit) {
    const auto until = core::Clock::now() + std::min<std::chrono::milliseconds>(limit, kForever);
    // Connected before the first look: an end between the look and the waiting is an event here.
    auto client = state_->sandbox->connect();
    while (true) {
        const auto facts = find_container(client, state_->id, state_->sandbox->id);
        if (facts.exit) return status_of(*facts.exit);
        const auto look_again = core::Clock::now() + kStatusEvery;
        while (const auto event = client.next_event(std::min(until, look_again))) {
            const auto* exited = std::get_if<core::ContainerExited>(&*event);
            if (exited != nullptr && exited->id == state_->id) return status_of(exited->exit);
        }
        if (core::Clock::now() >= until) return {};
    }
}

ExitStatus Container::exec(const ExecOptions& options) {
    const auto config = core::exec_config(state_->id, options);
    UniqueFd null;
    if (options.stdin_fd < 0 || options.stdout_fd < 0 || options.stderr_fd < 0)
        null = sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null");
    const auto stream = [&](int fd) { return fd < 0 ? null.ref() : FdRef{fd}; };
    const std::array streams{stream(options.stdin_fd), stream(options.stdout_fd),
                             stream(options.stderr_fd)};
    auto client = state_->sandbox->connect();
    const auto reply = client.call(core::Exec{config}, kCallLimit, streams);
    const auto exit = wait_exec(client, std::get<core::ExecFacts>(reply));
    if (!exit)
        throw Error(Code::internal, "exec in container '" + state_->id +
                                        "' ended, but its exit status was not reported");
    return status_of(*exit);
}

void Container::remove(bool force) {
    try {
        (void)state_->sandbox->connect().call(core::DeleteContainer{state_->id, force}, kCallLimit);
    } catch (const Error& error) {
        if (!force || error.code() != Code::not_found) throw;
    }
}

}  // namespace covey
