// How a container ends: its main process, then everything else in its group, then its files.
#include "base/log.hpp"
#include "core/lifecycle.hpp"
#include "shim/container.hpp"
#include "shim/exec_state.hpp"
#include "spec/tables.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace covey::shim {
namespace {

/// Where no event tells that a group is empty (pure v1), or to be safe against a missed one.
constexpr std::chrono::milliseconds kRecheck{20};
/// For a group that is empty but cannot be removed yet.
constexpr std::chrono::milliseconds kRecheckSoon{1}, kPatience{500};
/// Of whoever waits for a delete: after that he is told who is in its way.
constexpr std::chrono::milliseconds kRemovalLimit{4000};

}  // namespace

void Container::kill(const core::KillContainer& request) {
    const bool alive = main_ && !main_exit_;
    if (!alive && !(request.all && core::has_started(facts_.state)))
        throw Error(Code::failed_precondition,
                    fmt::format("container not running: '{}' is {}", facts_.config.id,
                                core::state_name(facts_.state)));
    // v1: nobody who is frozen dies; the group's kill sees to that, and main would take all along.
    const bool is_paused = facts_.state == core::ContainerState::paused;
    if (request.signal == SIGKILL && (request.all || is_paused)) return kill_group();
    if (!request.all) {
        // At its gate it is number 1 of a PID namespace without a handler, or a copy of this
        // program: it would hear of nothing but SIGKILL.
        const bool is_waiting = facts_.state == core::ContainerState::created;
        const int signal =
            is_waiting && spec::ends_by_default(request.signal) ? SIGKILL : request.signal;
        const auto sent = sys::pidfd_send_signal(main_, signal);
        if (sent) note_sent(signal);
        if (!sent && sent.error() == ESRCH)
            throw Error(Code::failed_precondition,
                        fmt::format("container not running: '{}'", facts_.config.id));
        return sent.or_throw("signal container", facts_.config.id);
    }
    note_sent(request.signal);
    work_->signal(request.signal);
}

void Container::kill_group() {
    if (!main_exit_) note_sent(SIGKILL);
    for (const auto& [id, exec] : execs_)
        exec->killed = true;
    if (updating_) updating_->cancel();
    // By their own descriptors, for a neighbour may have moved them elsewhere.
    if (main_ && !main_exit_) (void)sys::pidfd_send_signal(main_, SIGKILL);
    for (const auto& [id, exec] : execs_)
        if (exec->process && !exec->exit) (void)sys::pidfd_send_signal(exec->process, SIGKILL);
    if (!undying_.is_set()) look_for_main_later();
    work_->kill();
}

/// One that is killed and does not end may stand still in a group of a neighbour's.
void Container::look_for_main_later() {
    if (!main_ || main_exit_) return;
    constexpr int kSlowest = 50;
    undying_ = owner_.after(kRecheck * std::min(++looks_, kSlowest), [this] {
        if (!main_ || main_exit_) return;
        context_.homes.look_soon();
        look_for_main_later();
    });
}

void Container::explain(core::ExitRecord& exit, std::uint64_t sent, std::uint64_t ooms) const {
    using Sender = core::ExitRecord::Sender;
    if (exit.signal == 0) return;
    const bool out_of_memory =
        exit.signal == SIGKILL && group_->stats().oom_kills.value_or(0) > ooms;
    if ((sent & signal_bit(exit.signal)) != 0)
        exit.sent_by = Sender::covey;
    else if (out_of_memory)
        exit.sent_by = Sender::kernel;
}

void Container::kill_everything() noexcept {
    if (facts_.state == core::ContainerState::stopped) return;
    const bool killed = owner_.guard([this] {
        if (facts_.state == core::ContainerState::creating)
            on_failed(
                Error(Code::failed_precondition, "the sandbox was stopped during the create"));
        kill_group();
    });
    if (!killed) recheck_later();
}

void Container::remove(bool force, ReplyTo reply) {
    const bool is_over = facts_.state == core::ContainerState::stopped;
    if (!is_over && !force)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot delete container '{}': it is {}", facts_.config.id,
                                core::state_name(facts_.state)))
            .with_fix("stop it first, or delete with force");
    remove_replies_.push_back(reply);
    if (!removal_deadline_.is_set())
        removal_deadline_ = owner_.after(kRemovalLimit, [this] { give_up_removal(); });
    if (is_over) return complete_removal();
    if (facts_.state == core::ContainerState::creating)
        on_failed(Error(Code::failed_precondition, "the container was deleted during its create"));
    kill_group();
}

void Container::complete_removal() {
    if (!work_->remove()) {
        constexpr std::chrono::milliseconds kLongest{1000}, kAtOnce{0};
        (void)owner_.guard([this] { end_stragglers(); });
        // Many groups are below it: some were removed, and others of the loop come in between.
        const bool goes_on = work_->left() == cgroup::Removal::Left::groups;
        removal_ = owner_.after(goes_on ? kAtOnce : std::min(kRecheck * ++rechecks_, kLongest),
                                [this] { complete_removal(); });
        return;
    }
    if (remove_replies_.empty()) return;
    record_.stop();
    remove_folder();
    for (const auto& reply : std::exchange(remove_replies_, {}))
        context_.peers.reply(reply, core::Done{});
    context_.forget(facts_.config.id);
}

/// Nobody is in the group where it is killed, and still it cannot be removed: somebody is in it in
/// another hierarchy, or has ended a moment ago.
void Container::end_stragglers() {
    if (work_->left() != cgroup::Removal::Left::processes ||
        std::chrono::steady_clock::now() - emptied_at_ < kRecheck)
        return;
    work_->look_everywhere();
    work_->kill();
}

void Container::give_up_removal() {
    const auto error =
        Error(Code::timeout,
              fmt::format("container '{}' does not end: {}", facts_.config.id, in_the_way()))
            .with_fix(
                "a process in state D waits in the kernel, often for a mount: delete again "
                "when what it waits for answers");
    for (const auto& reply : std::exchange(remove_replies_, {}))
        context_.peers.reply(reply, error);
}

std::string Container::in_the_way() const {
    if (!group_->is_empty()) return group_->survivors();
    if (launching_ && launching_->launcher_alive()) return "its launcher";
    for (const auto& [id, exec] : execs_)
        if (!exec->is_reaped()) return fmt::format("exec '{}'", id);
    if (updating_ && !updating_->is_over()) return "a change of its limits";
    if (spawner_) return "its spawner";
    if (work_->left() == cgroup::Removal::Left::groups)
        return "the groups that it has made below its cgroup are many, and are being removed";
    return "its cgroup, which the kernel still holds";
}

void Container::on_main_exit(sys::ExitStatus status) {
    // What it said before it ended must be heard first: a start's answer precedes the exit.
    (void)owner_.guard([this] {
        if (launching_) launching_->settle();
    });
    main_exit_ = status;
    if (facts_.state == core::ContainerState::creating)
        on_failed(Error(Code::internal, "init ended before it was ready")
                      .with_fix("it was killed (out of memory?): look into the kernel's log"));
    // In a shared PID namespace its children survive it; a container's end is that nobody is left.
    kill_group();
    finish_if_empty();
}

/// Nobody is left, and still it has not been reaped: a tracer outside keeps its end to itself, or
/// the end of one in its PID namespace, before which its own is not over.
void Container::look_at_end_of_main() {
    if (!main_ || main_exit_ || !group_->is_empty()) return;
    main_end_.look();
    if (main_exit_ || main_look_.is_set() ||
        !sys::is_ending(sys::open_proc().or_throw("open", "/proc"), facts_.pid))
        return;
    constexpr std::chrono::milliseconds kReapedIn{300};
    main_look_ = owner_.after(kReapedIn, [this] { main_end_.look(task::End::begun); });
}

void Container::finish_if_empty() {
    look_at_end_of_main();
    for (const auto& [id, exec] : execs_)
        if (exec->process && !exec->exit && exec->group->is_empty()) {
            exec->end.look();
            break;  // what it tells may have changed the list; it comes back here
        }
    const bool main_ended = main_exit_.has_value() || (launch_error_ && !main_);
    if (!main_ended || (launching_ && launching_->launcher_alive()) ||
        facts_.state == core::ContainerState::stopped)
        return;
    for (const auto& [id, exec] : execs_)
        if (!exec->is_reaped()) return;
    if (updating_ && !updating_->is_over()) return;  // it may be making folders of the group
    if (spawner_) {
        (void)sys::pidfd_send_signal(spawner_, SIGKILL);
        return;  // its end comes back here
    }
    if (!group_->is_empty()) {
        recheck_later();
        return;
    }
    if (facts_.state == core::ContainerState::creating)
        discard();
    else
        finish();
}

void Container::recheck_later() {
    recheck_in(std::min(kRecheck * (1 + rechecks_++ / 50), kRecheck * 10));
}

void Container::recheck_in(std::chrono::milliseconds wait) {
    recheck_ = owner_.after(wait, [this] {
        work_->kill();  // who was forked while the first kill went round
        finish_if_empty();
    });
}

void Container::on_trouble(const Error& error) {
    constexpr std::size_t kMostWarnings = 16;
    if (facts_.warnings.size() < kMostWarnings) facts_.warnings.push_back(error.detail());
    const bool is_unborn = facts_.state == core::ContainerState::creating && !launch_error_;
    // Its create fails with that, and what that throws again comes back to here.
    if (is_unborn && !owner_.guard([&] { on_failed(error); })) return;
    if (launch_error_ || main_exit_) recheck_later();
}

void Container::discard() {
    // Whoever of it has ended without a name (its launcher was killed between the clone of its
    // process and the message of its birth) would keep its PID namespace from ending.
    context_.reaper.sweep();
    let_neighbours_go();
    if (!end_) emptied_at_ = std::chrono::steady_clock::now();
    end_.emplace();
    if (!work_->remove() && std::chrono::steady_clock::now() - emptied_at_ < kRemovalLimit) {
        (void)owner_.guard([this] { end_stragglers(); });
        return recheck_in(kRecheckSoon);
    }
    record_.stop();
    remove_folder();
    facts_.state = core::ContainerState::stopped;
    // Only now, when nothing of it is left.
    if (create_reply_) context_.peers.reply(*create_reply_, *launch_error_);
    for (const auto& reply : std::exchange(remove_replies_, {}))
        context_.peers.reply(reply, core::Done{});
    const auto ended = context_.ended;
    context_.forget(facts_.config.id);
    ended();
}

core::ExitRecord Container::describe_end() {
    core::ExitRecord exit;
    exit.exit_code = main_exit_->code;
    exit.signal = main_exit_->signal;
    exit.exited_at = task::unix_microseconds();
    // What cannot be found out (no descriptors, say) must not keep the end from being told.
    (void)owner_.guard([&] {
        exit.reason = reason_of_end();
        exit.oom_killed = group_->stats().oom_kills.value_or(0) > 0;
        explain(exit, sent_signals_, 0);
    });
    return exit;
}

void Container::finish() {
    using Clock = std::chrono::steady_clock;
    if (!end_) {
        emptied_at_ = Clock::now();
        end_ = describe_end();
        if (terminal_) (void)owner_.guard([this] { terminal_->drain(); });
        terminal_.reset();
        held_stdin_.reset();
        group_watch_.end();
        group_events_.reset();
        work_->rest();
    }
    // A task that has ended keeps its group for a moment. One that is not to be removed for longer
    // keeps nobody from hearing of the end.
    if (!work_->remove() && Clock::now() - emptied_at_ < kPatience) {
        (void)owner_.guard([this] { end_stragglers(); });
        return recheck_in(kRecheckSoon);
    }
    announce_end();
}

void Container::announce_end() {
    facts_.state = core::ContainerState::stopped;
    facts_.exit = end_;
    facts_.pid = facts_.pod_pid = 0;
    answer_execs();
    forget_execs();
    record_.write(folder_);
    pausing_.reset();
    for (auto& [number, waiting] : std::exchange(waiting_, {}))
        pausers_.push_back(waiting.first);
    tell_pausers(Error(Code::failed_precondition, "the container has ended"));
    if (start_reply_)
        context_.peers.reply(
            *std::exchange(start_reply_, std::nullopt),
            Error(Code::failed_precondition, "the container ended before it could be started"));
    context_.peers.broadcast(core::ContainerExited{facts_.config.id, *end_});
    const auto ended = context_.ended;
    const bool is_gone = work_->left() == cgroup::Removal::Left::nothing;
    if (!is_gone || !remove_replies_.empty()) complete_removal();
    ended();
}

std::string Container::reason_of_end() const {
    if (facts_.config.pid_mode != spec::PidMode::target || main_exit_->signal != SIGKILL) return {};
    const auto* const where = home();
    // In the pod's namespace pause is the one that all others end with.
    if (where != nullptr && where->facts_.config.pid_mode == spec::PidMode::pod) return {};
    // pid_namespaces(7): when PID 1 ends, the kernel kills all others, and PID 1 is only gone when
    // they have been reaped. So it is still there, on its way out.
    if (where != nullptr && where->main_ && !where->main_exit_) {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        const auto stat = sys::read_stat(proc, where->facts_.pid);
        if (stat && !stat.value().is_exiting) return {};
    }
    return fmt::format("target '{}' ended, and its PID namespace with it", facts_.config.target);
}

void Container::remove_folder() {
    const auto removed = sys::remove_tree_at(context_.folder, "containers/" + facts_.config.id);
    if (!removed)
        log::warning("cannot remove a container's folder",
                     {{"container", facts_.config.id}, {"errno", std::to_string(removed.error())}});
}

}  // namespace covey::shim
