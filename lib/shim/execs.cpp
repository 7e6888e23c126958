// Processes added to a running container, each in a group of its own below the container's.
#include "base/fault.hpp"
#include "base/id.hpp"
#include "launch/exec_join.hpp"
#include "shim/container.hpp"
#include "shim/exec_state.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <utility>

namespace covey::shim {
namespace {

constexpr std::chrono::milliseconds kSweepAgain{20};

}  // namespace

std::vector<core::ExecFacts> Container::execs() const {
    std::vector<core::ExecFacts> result;
    for (const auto& [id, state] : execs_)
        if (state->process && !state->exit) result.push_back(state->facts);
    return result;
}

void Container::exec(core::ExecConfig config, std::vector<UniqueFd> fds, ReplyTo reply) {
    if (facts_.state != core::ContainerState::running || main_exit_)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot exec in container '{}': it is {}", facts_.config.id,
                                core::state_name(facts_.state)))
            .with_fix(facts_.state == core::ContainerState::paused ? "resume it first"
                                                                   : "start it first");
    require_valid_id(config.exec, "exec id");
    if (fds.size() != (config.terminal ? 0U : 3U))
        throw Error(Code::invalid_argument,
                    "an exec needs stdin, stdout and stderr, or a terminal and none");
    if (execs_.contains(config.exec))
        throw Error(Code::already_exists, fmt::format("exec '{}' is there already", config.exec));
    const auto id = config.exec;
    auto state = std::make_unique<ExecState>(
        context_.loop, std::move(config), [this, id](const Error& error) {
            // Not from here on: it may be what is being destroyed.
            if (const auto found = execs_.find(id); found != execs_.end())
                on_exec_trouble(*found->second, error);
        });
    state->facts.container = facts_.config.id;
    state->facts.exec = id;
    state->facts.cgroup = facts_.cgroup + "/" + id + ".exec";
    facts_.exec_capabilities |= state->config.add_capabilities;
    facts_.exec_other_user |= state->config.uid || state->config.gid;
    // For good: what the exec leaves behind has it as well.
    if (in_own_user_namespace_ && task::is_enough_to_reach(state->config.add_capabilities))
        reaches_ = true;
    if (could_reach_newborn()) context_.stillness.join(as_member());
    fault_point("exec.create_cgroup");
    state->group.emplace(cgroup::Group::create(context_.host, state->facts.cgroup));
    state->work.emplace(state->owner, context_.host, state->facts.cgroup,
                        context_.homes.others_than(facts_.config.id), group_->placement());
    state->ooms = group_->stats().oom_kills.value_or(0);
    try {
        launch_exec(*state, std::move(fds));
    } catch (...) {
        state->group->kill();  // a launcher may be there
        (void)state->group->try_remove();
        throw;
    }
    // Its launcher has them; an init that waits at its gate is a copy of this process (wipe_freed).
    state->config.args = std::vector<std::string>{};  // `= {}` would keep their memory
    state->config.env = std::vector<std::string>{};
    state->reply = reply;
    execs_[id] = std::move(state);
}

void Container::run_exec_launcher(const core::ExecConfig& config, FdRef init,
                                  const std::vector<UniqueFd>& fds, launch::ChannelRefs channels) {
    launch::ExecInput input;
    input.request = launch_request();
    input.exec = {config.args, config.env,     config.uid,
                  config.gid,  config.cwd,     config.terminal,
                  config.rows, config.columns, config.add_capabilities};
    input.compile.seccomp_cache = sys::fd_path(context_.seccomp_cache);
    if (!config.terminal && fds.size() == 3) {
        input.in = fds[0];
        input.out = fds[1];
        input.err = fds[2];
    }
    input.init = init;
    input.joins_user_namespace = input.request.sandbox.has_user;
    input.cgroups = &context_.host;
    input.container_cgroup = facts_.cgroup;
    input.exec_cgroup = facts_.cgroup + "/" + config.exec + ".exec";
    input.state_folder = folder_;
    input.channels = channels;
    launch::run_exec_launcher(input);
}

void Container::launch_exec(ExecState& state, std::vector<UniqueFd> fds) {
    auto channels = launch::make_channels();
    task::Launching::Order order;
    if (is_in_domain_) {
        ask_spawner(state, fds, channels.child);
        order.spawner = spawner_pid_;
    } else {
        order.launcher = sys::clone_process({0, SIGCHLD, state.group->clone_target()})
                             .or_throw("clone", "launcher");
        if (order.launcher.pid == 0) run_exec_launcher(state.config, main_, fds, channels.child);
    }
    order.channels = std::move(channels.parent);
    order.expect.gate = false;
    order.expect.listener = facts_.config.pid1_signals == spec::Pid1Signals::route;
    order.recognize = task::children_in(&context_.host, state.facts.cgroup);
    order.ooms = [this] { return group_->stats().oom_kills.value_or(0); };
    order.ooms_before = state.ooms;
    state.launching = std::make_unique<task::Launching>(state.owner, context_.reaper,
                                                        std::move(order), exec_callbacks(state));
}

task::Launching::Callbacks Container::exec_callbacks(ExecState& state) {
    return {.born = [this, &state](launch::Born born) { on_exec_born(state, std::move(born)); },
            .ready = {},
            .failed = [this, &state](const Error& error) { on_exec_failed(state, error); },
            .executed = [this, &state] { on_exec_started(state); },
            .launcher_ended = [this, &state] { tell_exec_exit(state); },
            .neighbours_due = {},
            .dropped = {},
            .hooks_due = {},
            .spawner = {},
            .agent = {},
            .listener = [this](UniqueFd listener) { pid1_router_.take(std::move(listener)); }};
}

void Container::on_exec_born(ExecState& state, launch::Born born) {
    state.process = std::move(born.pidfd);
    state.terminal = std::move(born.prepared.terminal);
    state.facts.pid = born.pid;
    state.end = context_.reaper.expect(
        state.process, state.owner,
        [this, &state](const sys::ExitStatus& status) { on_exec_exit(state, status); });
    state.launching->await_execution({});
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    // It may have ended by now (a zombie still has its numbers): absent facts stay zero.
    if (const auto stat = sys::read_stat(proc, born.pid))
        state.facts.start_time = stat.value().start_time;
    const auto status = sys::read_status(proc, born.pid);
    if (status) state.facts.pod_pid = pod_number(status.value().ns_pids);
}

/// An event of it threw. One that could not be begun is undone, one that runs goes on.
void Container::on_exec_trouble(ExecState& state, const Error& error) {
    if (state.process && !state.exit && !state.end)
        state.exit = sys::ExitStatus{128 + SIGKILL, SIGKILL};
    if (state.reply && !state.failed) {
        (void)state.owner.guard([&] { on_exec_failed(state, error); });
        return;
    }
    state.retry = state.owner.after(kSweepAgain, [this, &state] {
        if (state.failed) state.kill();
        tell_exec_exit(state);
    });
}

void Container::on_exec_failed(ExecState& state, const Error& error) {
    state.failed = true;
    state.error = error;
    state.kill();
    tell_exec_exit(state);
}

void Container::on_exec_started(ExecState& state) {
    if (state.error) return;  // its failure is told when nothing of it is left
    if (state.reply) {
        const auto reply = *std::exchange(state.reply, std::nullopt);
        if (!context_.peers.reply(reply, state.facts, std::move(state.terminal))) {
            // The client has left, and with it whoever holds the streams: nobody knows this exec.
            state.failed = true;
            state.kill();
        }
    }
    tell_exec_exit(state);
}

void Container::on_exec_exit(ExecState& state, sys::ExitStatus status) {
    state.exit = status;
    state.launching->settle();
    tell_exec_exit(state);
}

void Container::tell_exec_exit(ExecState& state) {
    if (!state.is_reaped() || state.told) return;
    if (state.error) return tell_exec_failure(state);
    if (state.reply || (!state.failed && !state.exit)) return;
    state.told = true;
    core::ExitRecord exit;
    if (state.exit) {
        exit.exit_code = state.exit->code;
        exit.signal = state.exit->signal;
        explain(exit, state.killed ? signal_bit(SIGKILL) : 0, state.ooms);
        exit.oom_killed = exit.sent_by == core::ExitRecord::Sender::kernel;
    }
    exit.exited_at = task::unix_microseconds();
    if (!state.failed)
        context_.peers.broadcast(core::ExecExited{state.facts.container, state.facts.exec, exit});
    forget_execs();
    finish_if_empty();
}

void Container::tell_exec_failure(ExecState& state) {
    if (!state.process) context_.reaper.sweep();
    state.told = true;
    forget_execs();
    // Not earlier: whoever hears of the failure shall find nothing of the exec.
    if (state.reply) context_.peers.reply(*std::exchange(state.reply, std::nullopt), *state.error);
    finish_if_empty();
}

/// Nothing is left of the container, and with it of them; a neighbour that holds a newborn's
/// channel could keep the word of their end from coming.
void Container::answer_execs() {
    for (auto& [id, state] : execs_) {
        if (!state->reply) continue;
        state->told = true;
        context_.peers.reply(
            *std::exchange(state->reply, std::nullopt),
            state->error.value_or(Error(Code::failed_precondition,
                                        "the container ended before the exec was started")));
    }
}

void Container::forget_execs() {
    for (auto& [id, state] : execs_)
        if (state->told)
            (void)state->owner.guard([&] {
                if (state->group->is_empty()) (void)state->group->try_remove();
            });
    // From the loop, as a callback of one of them may be on the stack.
    sweep_ = owner_.after(std::chrono::milliseconds{0}, [this] { sweep_execs(); });
}

void Container::sweep_execs() {
    bool again = false;
    std::erase_if(execs_, [&](const auto& entry) {
        auto& state = *entry.second;
        if (!state.told) return false;
        // A process that an exec left running in the background keeps its group until the
        // container's end.
        bool is_over = true;
        (void)state.owner.guard(
            [&] { is_over = !state.group->is_empty() || state.group->try_remove(); });
        again = again || !is_over;
        return is_over;
    });
    if (again) sweep_ = owner_.after(kSweepAgain, [this] { sweep_execs(); });
}

void Container::kill_exec(const std::string& id) {
    const auto found = execs_.find(id);
    if (found == execs_.end())
        throw Error(Code::not_found,
                    fmt::format("no exec '{}' in container '{}'", id, facts_.config.id));
    auto& state = *found->second;
    state.killed = true;
    // Killed, and still there: it may stand still in a group of a neighbour's.
    state.undying = state.owner.after(kSweepAgain, [this, &state] {
        if (state.process && !state.exit) context_.homes.look_soon();
    });
    state.kill();
}

}  // namespace covey::shim
