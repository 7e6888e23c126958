// A container's birth: its launcher, what that says, and its main process up to the start gate.
#include "base/fault.hpp"
#include "shim/container.hpp"
#include "shim/exec_state.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <array>
#include <csignal>
#include <memory>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <unistd.h>

namespace covey::shim {

void Container::launch() {
    if (facts_.config.pid_mode == spec::PidMode::target) {
        // Its number is its own as long as we have not reaped it.
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        target_namespace_ =
            sys::open_namespace(proc, context_.find(facts_.config.target)->facts_.pid, "pid")
                .or_throw("open PID namespace of", facts_.config.target);
    }
    if (facts_.config.access.is_restricted()) spawner_group_ = cgroup::open_own(context_.host);
    auto channels = launch::make_channels();
    proc_context_ = context_.sandbox.take_proc_context();
    fault_point("container.clone");
    // SIGCHLD, not 0: init, cloned with CLONE_PARENT, inherits it, and waitid(2) then needs no
    // __WALL.
    auto launcher =
        sys::clone_process({0, SIGCHLD, group_->clone_target()}).or_throw("clone", "launcher");
    if (launcher.pid == 0) run_launcher(channels.child);
    group_events_ = group_->open_events();
    if (group_events_)
        group_watch_ = owner_.watch(group_events_, EPOLLPRI, [this] {
            // The event is pending until the file is read; a fresh descriptor has one from the
            // start.
            std::array<char, 64> text{};
            [[maybe_unused]] const auto got =
                ::pread(group_events_.get(), text.data(), text.size(), 0);
            finish_if_empty();
        });
    const auto& config = facts_.config;
    task::Launching::Order order;
    order.channels = std::move(channels.parent);
    order.launcher = std::move(launcher);
    order.expect.spawner = config.access.is_restricted();
    order.expect.listener = config.pid1_signals == spec::Pid1Signals::route;
    order.expect.nests = config.pid_mode == spec::PidMode::nested;
    order.expect.makes_world = config.pid_mode == spec::PidMode::container;
    order.recognize = task::children_in(&context_.host, facts_.cgroup);
    order.ooms = [this] { return group_->stats().oom_kills.value_or(0); };
    launching_ = std::make_unique<task::Launching>(owner_, context_.reaper, std::move(order),
                                                   launch_callbacks());
    listener_ = context_.reaper.listen_first(owner_, [this] { return hear_launches(); });
    target_namespace_.reset();
    spawner_group_.reset();
}

task::Launching::Callbacks Container::launch_callbacks() {
    return {.born = [this](launch::Born born) { on_born(std::move(born)); },
            .ready = [this](UniqueFd terminal) { on_ready(std::move(terminal)); },
            .failed = [this](const Error& error) { on_failed(error); },
            .executed = [this] { on_executed(); },
            .launcher_ended =
                [this] {
                    // One that failed may have left somebody privileged, until discard().
                    if (!launch_error_) let_neighbours_go();
                    finish_if_empty();
                },
            .neighbours_due = [this] { on_neighbours_due(); },
            .dropped = [this] { let_neighbours_go(); },
            .hooks_due = {},  // the API refuses hooks, and an agent
            .spawner = [this](launch::KeepSpawner spawner) { on_spawner(std::move(spawner)); },
            .agent = {},
            .listener = [this](UniqueFd listener) { pid1_router_.take(std::move(listener)); }};
}

bool Container::hear_launches() {
    std::vector<task::Launching*> launches{launching_.get()};
    for (const auto& [id, exec] : execs_)
        launches.push_back(exec->launching.get());
    bool all = true;
    for (auto* const launch : launches) {
        if (launch == nullptr) continue;
        if (launch->open()) launch->drain();
        all = all && !launch->launcher_alive();
    }
    return all;
}

plan::LaunchRequest Container::launch_request() const {
    const auto& config = facts_.config;
    plan::LaunchRequest request;
    request.bundle = config.bundle;
    request.pid_mode = config.pid_mode;
    request.add_capabilities = config.add_capabilities;
    request.drop_capabilities = config.drop_capabilities;
    request.sandbox = context_.sandbox.view();
    request.access = config.access;
    request.pid1_signals = config.pid1_signals;
    request.shows_root = !config.view.empty();
    return request;
}

void Container::run_launcher(launch::ChannelRefs channels) {
    launch::LaunchInput input;
    input.request = launch_request();
    input.compile.seccomp_cache = sys::fd_path(context_.seccomp_cache);
    input.stdio = {facts_.config.stdio.in, facts_.config.stdio.out, facts_.config.stdio.err};
    input.copies_terminal = true;
    input.pod = context_.sandbox.namespaces();
    input.pod.proc_context = proc_context_;
    input.pod.target = target_namespace_;
    input.cgroups = &context_.host;
    input.cgroup_path = facts_.cgroup;
    input.device_rules = cgroup::DeviceRulesIn::program;
    input.state_folder = folder_;
    input.channels = channels;
    input.spawner.run = [this](FdRef control) { run_spawner(control); };
    input.spawner.cgroup = spawner_group_;
    if (const auto& view = facts_.config.view; !view.empty())
        input.shown = context_.find(view)->main_;  // check_target() was just now
    if (facts_.config.holds) input.program = context_.pause;
    launch::run_launcher(input);
}

void Container::on_born(launch::Born born) {
    auto& prepared = born.prepared;
    if (!prepared.used_proc_context)
        context_.sandbox.give_back_proc_context(std::move(proc_context_));
    proc_context_.reset();
    main_ = std::move(born.pidfd);
    facts_.pid = born.pid;
    facts_.command = std::move(prepared.command);
    facts_.warnings = std::move(prepared.warnings);
    held_stdin_ = std::move(prepared.held_stdin);
    terminal_output_ = std::move(prepared.terminal_output);
    expect_main();
    try {
        if (prepared.terminal) take_terminal(std::move(prepared.terminal));
    } catch (const Error& error) {
        on_failed(error);
    }
}

void Container::expect_main() {
    try {
        main_end_ = context_.reaper.expect(
            main_, owner_, [this](const sys::ExitStatus& status) { on_main_exit(status); });
    } catch (const Error&) {
        main_exit_ = sys::ExitStatus{128 + SIGKILL, SIGKILL};  // it is no child of ours any more
        throw;
    }
}

void Container::take_terminal(UniqueFd master) {
    facts_.terminal = true;
    terminal_ = std::make_unique<task::TerminalCopy>(owner_, std::move(master),
                                                     std::move(terminal_output_));
}

pid_t Container::pod_number(const std::vector<pid_t>& numbers) const {
    using spec::PidMode;
    const auto* const where = home();
    const auto mode = where == nullptr ? PidMode::container : where->facts_.config.pid_mode;
    // NSpid: our number first, then one for each namespace below; the pod's is a child of ours.
    const bool in_pod = mode == PidMode::pod || mode == PidMode::nested;
    return in_pod && numbers.size() > 1 ? numbers[1] : 0;
}

void Container::note_process() {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    facts_.start_time =
        sys::read_stat(proc, facts_.pid).or_throw("read stat of", "init").start_time;
    const auto status = sys::read_status(proc, facts_.pid).or_throw("read status of", "init");
    facts_.pod_pid = pod_number(status.ns_pids);
    // It has cut its privileges: what it can never have, nobody who comes after it can.
    in_own_user_namespace_ = task::is_in_own_user_namespace(proc, facts_.pid);
    reaches_ = in_own_user_namespace_ && task::is_enough_to_reach(status.cap_bounding);
}

void Container::on_ready(UniqueFd terminal) {
    if (launch_error_) return;
    let_neighbours_go();
    try {
        if (terminal) take_terminal(std::move(terminal));
        note_process();
        facts_.state = core::ContainerState::created;
        record_.write(folder_);
    } catch (const Error& error) {
        return on_failed(error);
    }
    context_.peers.reply(*std::exchange(create_reply_, std::nullopt), facts_);
}

void Container::on_failed(const Error& error) {
    if (facts_.state == core::ContainerState::creating) {
        if (launch_error_) return;
        launch_error_ = error;
        work_->kill();  // first: whoever is privileged in the pod; then the neighbours go on
        finish_if_empty();
    } else if (start_reply_) {
        // init ends by itself; its exit comes as of any other container.
        context_.peers.reply(*std::exchange(start_reply_, std::nullopt), error);
    }
}

}  // namespace covey::shim
