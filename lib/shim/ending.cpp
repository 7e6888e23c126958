// How a container ends: its main process, then everything else in its group, then its files.
#include "base/log.hpp"
#include "core/lifecycle.hpp"
#include "shim/container.hpp"
#include "shim/exec_state.hpp"
#include "shim/unborn.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace covey::shim {
namespace {

/// Where no event tells that a group is empty (pure v1), or to be safe against a missed one.
constexpr std::chrono::milliseconds kRecheck{20};

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
        const auto sent = sys::pidfd_send_signal(main_, request.signal);
        if (sent) note_sent(request.signal);
        if (!sent && sent.error() == ESRCH)
            throw Error(Code::failed_precondition,
                        fmt::format("container not running: '{}'", facts_.config.id));
        return sent.or_throw("signal container", facts_.config.id);
    }
    note_sent(request.signal);
    group_->signal(request.signal);
}

void Container::kill_group() {
    if (!main_exit_) note_sent(SIGKILL);
    for (const auto& [id, exec] : execs_)
        exec->killed = true;
    if (updating_) updating_->cancel();
    group_->kill();
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

void Container::kill_everything() {
    if (facts_.state == core::ContainerState::stopped) return;
    if (facts_.state == core::ContainerState::creating)
        on_failed(Error(Code::failed_precondition, "the sandbox was stopped during the create"));
    kill_group();
}

void Container::remove(bool force, ReplyTo reply) {
    if (facts_.state == core::ContainerState::stopped) {
        remove_folder();
        context_.peers.reply(reply, core::Done{});
        return context_.forget(facts_.config.id);
    }
    if (!force)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot delete container '{}': it is {}", facts_.config.id,
                                core::state_name(facts_.state)))
            .with_fix("stop it first, or delete with force");
    remove_replies_.push_back(reply);
    if (facts_.state == core::ContainerState::creating)
        on_failed(Error(Code::failed_precondition, "the container was deleted during its create"));
    kill_group();
}

void Container::on_main_exit() {
    // What it said before it ended must be heard first: a start's answer precedes the exit.
    if (launching_) launching_->settle();
    const auto status = sys::try_wait_process(main_);
    if (status && !status.value()) return;
    main_exit_ = status ? *status.value() : sys::ExitStatus{128 + SIGKILL, SIGKILL};
    if (launching_) launching_->init_ended();
    context_.loop.forget(main_);
    if (facts_.state == core::ContainerState::creating)
        on_failed(Error(Code::internal, "init ended before it was ready")
                      .with_fix("it was killed (out of memory?): look into the kernel's log"));
    // In a shared PID namespace its children survive it; a container's end is that nobody is left.
    kill_group();
    finish_if_empty();
}

void Container::finish_if_empty() {
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
        context_.loop.cancel(recheck_);
        recheck_ = context_.loop.after(kRecheck, [this] {
            group_->kill();  // who was forked while the first kill went round
            finish_if_empty();
        });
        return;
    }
    if (facts_.state == core::ContainerState::creating)
        discard();
    else
        finish();
}

void Container::discard() {
    if (!main_) reap_unborn(context_.host, facts_.cgroup);
    group_->remove();
    remove_folder();
    facts_.state = core::ContainerState::stopped;
    // Only now, when nothing of it is left.
    if (create_reply_) context_.peers.reply(*create_reply_, *launch_error_);
    for (const auto& reply : remove_replies_)
        context_.peers.reply(reply, core::Done{});
    const auto ended = context_.ended;
    context_.forget(facts_.config.id);
    ended();
}

void Container::finish() {
    core::ExitRecord exit;
    exit.exit_code = main_exit_->code;
    exit.signal = main_exit_->signal;
    exit.reason = reason_of_end();
    exit.oom_killed = group_->stats().oom_kills.value_or(0) > 0;
    exit.exited_at = task::unix_microseconds();
    explain(exit, sent_signals_, 0);
    if (terminal_) terminal_->drain();
    terminal_.reset();
    held_stdin_.reset();
    forget_execs();
    context_.loop.forget(group_events_);
    group_events_.reset();
    group_->remove();
    facts_.state = core::ContainerState::stopped;
    facts_.exit = exit;
    facts_.pid = facts_.pod_pid = 0;
    write_record();
    if (start_reply_)
        context_.peers.reply(
            *std::exchange(start_reply_, std::nullopt),
            Error(Code::failed_precondition, "the container ended before it could be started"));
    context_.peers.broadcast(core::ContainerExited{facts_.config.id, exit});
    const auto ended = context_.ended;
    if (!remove_replies_.empty()) {
        remove_folder();
        for (const auto& reply : remove_replies_)
            context_.peers.reply(reply, core::Done{});
        context_.forget(facts_.config.id);
    }
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
