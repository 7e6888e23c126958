#include "runtime/hand_shake.hpp"

#include "covey/error.hpp"
#include "launch/hooks.hpp"
#include "runtime/state_codec.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <utility>
#include <variant>

namespace covey::runtime {

void HandShake::take(launch::Ready message) {
    is_ready_ = true;
    if (message.terminal) born_.terminal = std::move(message.terminal);
}

void HandShake::take(launch::NeighboursDue /*message*/) {
    std::optional<cgroup::Host> own;
    if (cgroups_ == nullptr) own = cgroup::detect();
    stillness_.emplace(own ? *own : *cgroups_, nested_in_, record_.cgroup.path);
    launch::send_go(socket_);
}

void HandShake::take(launch::Dropped /*message*/) {
    let_go();
    // They have ended, but would show in the pod until somebody waits for them.
    for (const auto& helper : std::exchange(helpers_, {}))
        (void)sys::wait_process(helper);
}

void HandShake::run_due_hooks() {
    const pid_t told = hooks_due_.value_or(0) != 0 ? *hooks_due_ : born_.pid;
    if (!hooks_due_ || told == 0) return;
    hooks_due_.reset();
    hooks_ran_ = true;
    const auto state = encode_hook_state(record_, "creating", told);
    launch::run_hooks(hooks_.prestart, "prestart", state);
    launch::run_hooks(hooks_.create_runtime, "createRuntime", state);
    launch::send_go(socket_);
}

void HandShake::await_ready(FdRef socket) {
    socket_ = socket;
    const auto state = [this](pid_t pid, const std::string& metadata) {
        return encode_process_state(record_, "creating", pid, pid, metadata);
    };
    // The launcher tells init's birth, init that it is ready: either may be the first to be heard.
    while (!is_ready_ || born_.pid == 0) {
        auto message = launch::receive_message(socket);
        if (!message)
            throw Error(Code::internal, "the launcher ended without a word")
                .with_fix("it was killed (out of memory?) or crashed: look into the kernel's log");
        std::visit([this](auto& one) { take(std::move(one)); }, *message);
        seccomp_.deliver(born_.pid, state);  // init may wait for the agent before it is ready
        run_due_hooks();
    }
}

void HandShake::kill() noexcept {
    constexpr int kLimit = 1000;  // milliseconds
    if (spawner_.pidfd) helpers_.push_back(std::move(spawner_.pidfd));
    if (born_.pidfd) helpers_.push_back(std::move(born_.pidfd));
    for (const auto& process : helpers_)
        (void)sys::pidfd_send_signal(process, SIGKILL);
    for (const auto& process : helpers_)
        (void)sys::wait_ended(process, kLimit);
}

}  // namespace covey::runtime
