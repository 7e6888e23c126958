#include "task/launching.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <utility>
#include <variant>

#include <sys/epoll.h>

namespace covey::task {
namespace {

using From = launch::HandShake::From;

// How often the kernel is asked whether init has executed its program: at first, and at the most.
constexpr std::chrono::milliseconds kFirstLook{100}, kSlowestLook{2000};

}  // namespace

Launching::Launching(Owner& owner, Reaper& reaper, Order order, Callbacks callbacks)
    : owner_(owner),
      reaper_(reaper),
      channels_(std::move(order.channels)),
      launcher_(std::move(order.launcher.pidfd)),
      hand_shake_(order.expect, order.launcher.pid, order.spawner, std::move(order.recognize)),
      callbacks_(std::move(callbacks)),
      ooms_(std::move(order.ooms)),
      ooms_before_(order.ooms_before),
      limit_(order.limit),
      awaits_launcher_(!launcher_) {
    // No terminal and no listener can be due: then there is nothing to be closed by this loop.
    if (!order.expect.makes_world && !order.expect.listener)
        (void)sys::refuse_descriptors(channels_.newborn);
    launchers_words_ = owner_.watch(channels_.launcher, EPOLLIN, [this] { drain(); });
    newborns_words_ = owner_.watch(channels_.newborn, EPOLLIN, [this] { drain(); });
    if (launcher_)
        launcher_end_ = reaper_.expect(launcher_, owner_, [this](const sys::ExitStatus& status) {
            launchers_signal_ = status.signal;
            launcher_.reset();
            on_child_ended();
        });
    begin_deadline();
}

void Launching::begin_deadline() {
    if (limit_) deadline_ = owner_.after(*limit_, [this] { perform(hand_shake_.expired()); });
}

void Launching::cancel_deadline() {
    deadline_.cancel();
}

UniqueFd& Launching::channel(From from) {
    return from == From::launcher ? channels_.launcher : channels_.newborn;
}

/// False: nothing is there.
bool Launching::take_one(From from) {
    auto& socket = channel(from);
    if (!socket) return false;
    auto packet = sys::receive_packet(socket);
    if (!packet && packet.error() == EAGAIN) return false;
    if (!packet) {
        perform(hand_shake_.refuse(
            from, Error::from_errno(packet.error(), "receive", "a launch's hand-shake")));
    } else {
        // What the launcher said before this was said, or before init, which it ends, was gone.
        if (from == From::newborn) take_launchers();
        if (packet.value().sender == 0 && packet.value().data.empty())
            close(from);
        else
            perform(hand_shake_.take(from, std::move(packet).value()));
    }
    return true;
}

void Launching::take_launchers() {
    while (take_one(From::launcher)) {
    }
}

void Launching::drain() {
    // A thief may send for ever; what is left comes with the loop's next turn.
    constexpr int kMostAtOnce = 16;
    take_launchers();
    for (int i = 0; i < kMostAtOnce && take_one(From::newborn); ++i) {
    }
    perform(hand_shake_.heard_all());
}

void Launching::perform(launch::Steps steps) {
    for (auto& step : steps)
        std::visit([this](auto& one) { on(std::move(one)); }, step);
}

void Launching::on(launch::Born step) {
    init_ = step.pid;
    callbacks_.born(std::move(step));
}

void Launching::on(launch::AtGate step) {
    cancel_deadline();
    callbacks_.ready(std::move(step.terminal));
}

void Launching::on(const launch::Executed& /*step*/) {
    cancel_deadline();
    look_.cancel();
    callbacks_.executed();
}

void Launching::on(const launch::Lost& /*step*/) {
    newborns_words_.end();
    channels_.newborn.reset();
}

bool Launching::is_out_of_memory() const noexcept {
    try {
        return ooms_ && ooms_() > ooms_before_;
    } catch (const std::exception&) {
        return false;  // its group is gone
    }
}

/// By which signal the one ended that has fallen silent; 0: by none, or somebody has reaped it.
int Launching::silencing_signal() const {
    if (init_ == 0) return launchers_signal_;
    const auto pidfd = sys::pidfd_open(init_);
    if (!pidfd || !sys::is_child(pidfd.value())) return 0;
    // Its channel closes a moment before it has ended.
    constexpr int kMoment = 5;
    (void)sys::wait_ended(pidfd.value(), kMoment);
    const auto status = sys::peek_exit(pidfd.value());
    return status && status.value() ? status.value()->signal : 0;
}

void Launching::on(launch::Failed step) {
    cancel_deadline();
    if (step.was_silent && is_out_of_memory())
        step.error = Error(Code::resource_exhausted,
                           "the launch did not fit into the memory limit of its cgroup")
                         .with_fix("raise the limit (linux.resources.memory.limit)");
    else if (step.was_silent && silencing_signal() == SIGSYS)
        step.error = Error(Code::failed_precondition,
                           "the launch was killed by SIGSYS: the seccomp profile forbids a system "
                           "call that is made behind it")
                         .with_fix(
                             "allow the calls that docs/LAUNCH.md names (section seccomp), or "
                             "set process.noNewPrivileges: then only execve(2) is behind it");
    callbacks_.failed(std::move(step.error));
}

void Launching::on(launch::Helper step) {
    awaits_launcher_ = false;
    const int number = step.pidfd.get();
    auto end = reaper_.expect(step.pidfd, owner_, [this, number](const sys::ExitStatus&) {
        helpers_.erase(number);
        on_child_ended();
    });
    helpers_[number] = {std::move(step.pidfd), std::move(end)};
}

void Launching::on(const launch::RunHooks& step) {
    hooks_of_newborn_ = step.newborns;
    cancel_deadline();
    callbacks_.hooks_due(step.told);
}

void Launching::on(const launch::HoldStill& /*step*/) {
    callbacks_.neighbours_due();
}

void Launching::on(const launch::LetGo& /*step*/) {
    callbacks_.dropped();
}

void Launching::hooks_ran() {
    begin_deadline();
    go(hooks_of_newborn_ ? channels_.newborn : channels_.launcher);
}

void Launching::go(FdRef channel) {
    if (!channel.valid()) return;
    try {
        launch::send_go(channel);
    } catch (const Error& error) {
        // Who has ended says so by the end of its channel; who does not read is none of ours.
        if (error.errno_value() == EAGAIN) perform(hand_shake_.refuse(From::launcher, error));
    }
}

void Launching::close(From from) {
    (from == From::launcher ? launchers_words_ : newborns_words_).end();
    channel(from).reset();
    // Executed, it would say so (the kernel clears the flag first): a thief has shut the channel
    // down. Whoever starts it asks the kernel, and its end is told by its pidfd.
    if (from == From::newborn && init_ != 0 && hand_shake_.is_settled() && !has_executed() &&
        !has_ended())
        return;
    // The spawner has ended, or could not clone it.
    const bool never_came =
        !channels_.launcher && !channels_.newborn && std::exchange(awaits_launcher_, false);
    perform(hand_shake_.ended(from));
    if (never_came) on_child_ended();
}

void Launching::on_child_ended() {
    if (launcher_alive()) return;
    drain();
    if (launcher_alive()) return;  // its last word was of a helper
    perform(hand_shake_.launcher_gone());
    callbacks_.launcher_ended();
}

void Launching::await_execution(std::function<void()> nudge) {
    nudge_ = std::move(nudge);
    next_look_ = kFirstLook;
    look_ = owner_.after(next_look_, [this] { ask_kernel(); });
}

void Launching::settle() {
    drain();
    // Nobody else reads it any more.
    if (look_.is_set() && !hand_shake_.is_over()) perform(hand_shake_.ended(From::newborn));
    look_.cancel();
}

bool Launching::has_executed() const {
    const auto proc = sys::open_proc();
    if (!proc) return false;
    const auto stat = sys::read_stat(proc.value(), init_);
    return stat && stat.value().has_executed;
}

bool Launching::has_ended() const {
    const auto proc = sys::open_proc();
    if (!proc) return false;
    return sys::is_ending(proc.value(), init_);
}

void Launching::ask_kernel() {
    if (hand_shake_.is_over() || init_ == 0) return;
    if (has_executed() || has_ended()) {
        drain();  // what it said at last is there by now
        if (hand_shake_.is_over()) return;
        on(launch::Lost{});
        return perform(hand_shake_.ended(From::newborn));
    }
    if (nudge_) nudge_();
    next_look_ = std::min(next_look_ * 2, kSlowestLook);
    look_ = owner_.after(next_look_, [this] { ask_kernel(); });
}

namespace {

/// v1 tells "/" of one that is ending, whatever its group was. A quick program may have ended
/// before its first word is read; whoever else could say that word, as a child of ours, could let
/// the newborn itself say it: it may trace it.
bool is_past_telling(const cgroup::Host& host, FdRef proc, pid_t pid, const std::string& told) {
    if (!host.unified.empty() || told != "/") return false;
    const auto stat = sys::read_stat(proc, pid);
    return stat && stat.value().is_exiting;
}

}  // namespace

launch::HandShake::Recognize children_in(const cgroup::Host* host, std::string group) {
    return [host, group = std::move(group)](pid_t pid, bool in_group) -> UniqueFd {
        auto pidfd = sys::pidfd_open(pid);
        // From here on the number is its own: an unreaped child keeps it.
        if (!pidfd || !sys::is_child(pidfd.value())) return {};
        if (!in_group || host == nullptr || group.empty()) return std::move(pidfd).value();
        const auto proc = sys::open_proc();
        if (!proc) return {};
        const auto told = cgroup::identity_of(*host, proc.value(), pid);
        const bool is_in = cgroup::is_in_group(told, group);
        return is_in || is_past_telling(*host, proc.value(), pid, told) ? std::move(pidfd).value()
                                                                        : UniqueFd{};
    };
}

}  // namespace covey::task
