#include "shim/container.hpp"

#include "base/fault.hpp"
#include "base/rollback.hpp"
#include "core/lifecycle.hpp"
#include "core/protocol.hpp"
#include "shim/exec_state.hpp"
#include "store/start_gate.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace covey::shim {
namespace {

constexpr mode_t kFolderMode = 0700;

UniqueFd make_folder(FdRef sandbox_folder, const std::string& id) {
    const auto made = sys::mkdir_at(sandbox_folder, "containers", kFolderMode);
    if (!made && made.error() != EEXIST) made.or_throw("make folder", "containers");
    const auto path = "containers/" + id;
    // The owner may have made it already, for a record of its own.
    const auto own = sys::mkdir_at(sandbox_folder, path, kFolderMode);
    if (!own && own.error() != EEXIST) own.or_throw("make folder", path);
    return sys::open_dir_at(sandbox_folder, path).or_throw("open folder", path);
}

}  // namespace

Container::Container(const Context& context, core::ContainerConfig config, ReplyTo reply)
    : context_(context),
      owner_(context.loop, "container " + config.id,
             [this](const Error& error) { on_trouble(error); }),
      record_(owner_, "container.json", facts_.record_stale,
              [this] { return core::encode_facts(facts_); }),
      pid1_router_(owner_, [this]() -> task::Pid1Router::Target {
          if (main_exit_) return {};
          return {facts_.pid, main_};
      }) {
    facts_.config = std::move(config);
    facts_.state = core::ContainerState::creating;
    facts_.created_at = task::unix_microseconds();
    facts_.cgroup = context_.sandbox.facts().cgroup + "/" + facts_.config.id + ".ctr";
    check_target();
    Rollback rollback;
    fault_point("container.folder");
    folder_ = make_folder(context_.folder, facts_.config.id);
    rollback.add([this] { remove_folder(); });
    store::make_start_gate(folder_);
    fault_point("container.cgroup");
    group_.emplace(cgroup::Group::create_everywhere(context_.host, facts_.cgroup));
    work_.emplace(owner_, context_.host, facts_.cgroup,
                  context_.homes.others_than(facts_.config.id));
    rollback.add([this] {
        group_->kill();  // a launcher may be there
        (void)group_->try_remove();
    });
    launch();
    rollback.release();
    create_reply_ = reply;
}

Container::~Container() {
    let_neighbours_go();
}

const Container& Container::alive(std::string_view role, const std::string& id) const {
    const auto* const found = context_.find(id);
    if (found == nullptr)
        throw Error(Code::not_found, fmt::format("{} '{}' is no container of sandbox '{}'", role,
                                                 id, context_.sandbox.facts().id))
            .with_fix("a target must be in the same sandbox: covey ps lists its containers");
    const auto state = found->facts_.state;
    const bool is_alive = state == core::ContainerState::created || core::has_started(state);
    if (!is_alive || !found->main_ || found->main_exit_)
        throw Error(Code::failed_precondition,
                    fmt::format("{} '{}' is {}", role, id, core::state_name(state)))
            .with_fix("start the target first: its main process holds what is its own");
    return *found;
}

void Container::check_target() const {
    const auto& config = facts_.config;
    const bool wants = config.pid_mode == spec::PidMode::target;
    if (wants == config.target.empty())
        throw Error(Code::invalid_argument,
                    wants ? "pid mode target without a target" : "a target without pid mode target")
            .with_fix("name a container of the same sandbox as target, with pid mode target");
    if (!config.view.empty()) (void)alive("target", config.view);
    if (!wants) return;
    const auto* const found = &alive("target", config.target);
    if (found->facts_.config.access.is_restricted() && !found->is_in_domain_)
        throw Error(Code::unsupported_by_host,
                    fmt::format("target '{}' has restricted access, which on this kernel only its "
                                "PID namespace keeps: nobody else may be in there",
                                config.target))
            .with_fix("look at it from pid mode pod, or create it with access open");
    if (found->facts_.config.pid_mode == spec::PidMode::node)
        throw Error(Code::invalid_argument,
                    fmt::format("target '{}' is in the host's PID namespace", config.target))
            .with_fix("use pid mode node, if that is what is wanted");
}

const Container* Container::home() const {
    const auto* container = this;
    // A target is there before the container that names it: no circles.
    while (container != nullptr && container->facts_.config.pid_mode == spec::PidMode::target)
        container = context_.find(container->facts_.config.target);
    return container;
}

bool Container::is_among_pod() const {
    const auto* const where = home();
    // Also one that only waits at its gate: whoever may trace it lets it do what he likes. In
    // target's namespace while that one's facts are gone: to be safe it counts.
    return main_ && facts_.state != core::ContainerState::stopped &&
           (where == nullptr || where->facts_.config.pid_mode == spec::PidMode::pod);
}

bool Container::could_reach_newborn() const {
    // Without a number for it too: a neighbour may hand over a procfs or a pidfd. Whoever is in the
    // host's PID namespace sees the shim itself.
    const bool reaches = reaches_ && main_ && facts_.state != core::ContainerState::stopped &&
                         facts_.config.pid_mode != spec::PidMode::node;
    return reaches || (could_move_others() && is_among_pod());
}

const cgroup::Group* Container::group() const noexcept {
    return group_ && facts_.state != core::ContainerState::stopped ? &*group_ : nullptr;
}

void Container::on_neighbours_due() {
    if (hold_ != 0 || launch_error_) return;
    hold_ = context_.stillness.hold([this](const std::optional<Error>& error) {
        if (error)
            on_failed(*error);
        else
            launching_->all_still();
    });
}

void Container::let_neighbours_go() noexcept {
    context_.stillness.let_go(std::exchange(hold_, 0));
}

task::Members::Found Container::as_member() const {
    return {facts_.cgroup, fmt::format("container '{}'", facts_.config.id)};
}

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

void Container::start(ReplyTo reply) {
    if (facts_.state != core::ContainerState::created || start_reply_)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot start container '{}': it is {}", facts_.config.id,
                                start_reply_ ? "being started" : core::state_name(facts_.state)))
            .with_fix("only a created container can be started, and only once");
    if (executed_early_) {
        start_reply_ = reply;
        return on_executed();
    }
    UniqueFd gate;
    try {
        gate = open_gate();
    } catch (const Error&) {
        // Or a thief opened it, and the channel that would have told is his.
        if (!main_ || !launching_->has_executed()) throw;
        start_reply_ = reply;
        return on_executed();
    }
    start_reply_ = reply;
    try {
        if (could_reach_newborn()) context_.stillness.join(as_member());
        store::ring(gate);
    } catch (...) {
        start_reply_.reset();
        throw;
    }
    // A neighbour with SYS_PTRACE may have taken init's descriptors: he could swallow the byte, and
    // keep the channel open.
    launching_->await_execution([this] {
        try {
            store::ring(open_gate());
        } catch (const Error&) {  // init has ended: its pidfd tells
        }
    });
}

UniqueFd Container::open_gate() const {
    auto gate = store::open_start_gate(folder_);
    if (!gate)
        throw Error::from_errno(gate.error(), "open start gate of", facts_.config.id)
            .with_code(Code::failed_precondition)
            .with_fix("the container's init has ended: delete the container");
    return std::move(gate).value();
}

void Container::on_executed() {
    if (facts_.state != core::ContainerState::created) return;
    // A thief of the gate may have opened it: that is told when the start comes.
    executed_early_ = !start_reply_;
    if (executed_early_) return;
    facts_.state = core::ContainerState::running;
    facts_.started_at = task::unix_microseconds();
    store::remove_start_gate(folder_);
    record_.write(folder_);
    tell_facts(*std::exchange(start_reply_, std::nullopt));
}

void Container::tell_facts(ReplyTo reply) {
    // A new coveyd may have asked for the status before this: it must not believe "created" for
    // ever.
    if (!context_.peers.reply(reply, facts_))
        context_.peers.broadcast(core::ContainerStarted{facts_});
}

}  // namespace covey::shim
