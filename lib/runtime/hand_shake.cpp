#include "runtime/hand_shake.hpp"

#include "covey/error.hpp"
#include "launch/hooks.hpp"
#include "runtime/state_codec.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"

#include <chrono>
#include <csignal>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>

namespace covey::runtime {
namespace {

/// Without hooks. Who mounts much may take his time; who stops a newborn of his pod may not have
/// all of it.
constexpr std::chrono::seconds kHandShakeLimit{30};

}  // namespace

void HandShake::await(launch::Channels channels, const sys::Child& launcher) {
    task::Launching::Order order;
    order.channels = std::move(channels);
    order.launcher = {launcher.pid, sys::duplicate(launcher.pidfd).or_throw("dup", "pidfd")};
    order.expect = input_.expect;
    order.recognize = task::children_in(input_.cgroups, input_.group);
    order.limit = kHandShakeLimit;
    if (input_.is_new_group && input_.cgroups != nullptr && !input_.group.empty())
        order.ooms = [this] {
            const auto group = cgroup::Group::open(*input_.cgroups, input_.record.cgroup);
            return group.stats().oom_kills.value_or(0);
        };
    launching_.emplace(owner_, reaper_, std::move(order), callbacks());
    loop_.run();
    if (failure_) throw Error(*failure_);
}

task::Launching::Callbacks HandShake::callbacks() {
    return {.born =
                [this](launch::Born born) {
                    born_ = std::move(born);
                    if (!input_.expect.gate) launching_->await_execution({});
                    attempt([this] { deliver(); });
                },
            .ready =
                [this](UniqueFd terminal) {
                    if (terminal) born_.prepared.terminal = std::move(terminal);
                    is_done_ = true;
                    stop_when_done();
                },
            .failed = [this](const Error& error) { fail(error); },
            .executed =
                [this] {
                    is_done_ = true;
                    stop_when_done();
                },
            .launcher_ended = [this] { stop_when_done(); },
            .neighbours_due = [this] { attempt([this] { hold_still(); }); },
            .dropped = [this] { end_stillness(); },
            .hooks_due = [this](pid_t told) { attempt([this, told] { run_hooks(told); }); },
            .spawner = [this](launch::KeepSpawner spawner) { spawner_ = std::move(spawner); },
            .agent = [this](launch::SeccompAgent agent) { seccomp_.take(std::move(agent)); },
            .listener =
                [this](UniqueFd listener) {
                    seccomp_.take(launch::SeccompListener{std::move(listener)});
                    attempt([this] { deliver(); });
                }};
}

void HandShake::attempt(const std::function<void()>& step) {
    try {
        step();
    } catch (const Error& error) {
        fail(error);
    }
}

void HandShake::fail(const Error& error) {
    // A launch that the guard has given up may end before its word is heard.
    if (has_bad_news()) return take_bad_news();
    if (!failure_) failure_ = error;
    loop_.stop();
}

bool HandShake::has_bad_news() const {
    if (!stillness_) return false;
    pollfd entry{stillness_->bad_news().get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

/// Not before its launcher and the process between are reaped: they would show in the pod.
void HandShake::stop_when_done() {
    if (is_done_ && !launching_->launcher_alive()) loop_.stop();
}

void HandShake::hold_still() {
    stillness_.emplace(*input_.cgroups, input_.nested_in, *input_.newcomer, input_.neighbours());
    bad_news_ = owner_.watch(stillness_->bad_news(), EPOLLIN, [this] { take_bad_news(); });
    launching_->all_still();
}

void HandShake::take_bad_news() {
    bad_news_.end();
    if (!failure_) failure_ = stillness_->read_bad_news();
    loop_.stop();
}

void HandShake::end_stillness() {
    if (!stillness_) return;
    bad_news_.end();
    const auto bad_news = stillness_->over();
    stillness_.reset();
    if (!bad_news) return;
    // The newcomer is being killed: why is known here alone.
    if (!failure_) failure_ = bad_news;
    loop_.stop();
}

void HandShake::let_go() noexcept {
    bad_news_.end();
    stillness_.reset();
}

void HandShake::run_hooks(pid_t told) {
    hooks_ran_ = true;
    if (input_.before_hooks) input_.before_hooks(told);
    const auto state = encode_hook_state(input_.record, "creating", told);
    launch::run_hooks(input_.hooks->prestart, "prestart", state);
    launch::run_hooks(input_.hooks->create_runtime, "createRuntime", state);
    launching_->hooks_ran();
}

void HandShake::deliver() {
    seccomp_.deliver(born_.pid, input_.state);
}

void HandShake::kill() noexcept {
    constexpr int kLimit = 1000;  // milliseconds
    for (const auto* process : {&spawner_.pidfd, &born_.pidfd})
        if (*process) (void)sys::pidfd_send_signal(*process, SIGKILL);
    for (const auto* process : {&spawner_.pidfd, &born_.pidfd})
        if (*process) (void)sys::wait_ended(*process, kLimit);
}

}  // namespace covey::runtime
