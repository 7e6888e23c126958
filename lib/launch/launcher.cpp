#include "launch/launcher.hpp"

#include "base/fault.hpp"
#include "cgroup/lifted_quota.hpp"
#include "launch/context.hpp"
#include "launch/device_rules.hpp"
#include "launch/identity.hpp"
#include "launch/init.hpp"
#include "launch/labels.hpp"
#include "launch/message.hpp"
#include "launch/nested.hpp"
#include "launch/root_builder.hpp"
#include "launch/root_owner.hpp"
#include "launch/seccomp_agent.hpp"
#include "launch/sources.hpp"
#include "launch/user_namespace.hpp"
#include "launch/working_directory.hpp"
#include "launch/world.hpp"
#include "spec/id_mappings.hpp"
#include "store/start_gate.hpp"
#include "sys/environment.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/privileges.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::launch {
namespace {

constexpr std::uint64_t kSysAdmin = std::uint64_t{1} << unsigned{CAP_SYS_ADMIN};

/// Over the mount namespace that one is in; without, a user namespace is needed first.
bool may_mount() {
    return (sys::get_capabilities().or_throw("read", "capabilities").effective & kSysAdmin) != 0;
}

class Launcher {
  public:
    explicit Launcher(const LaunchInput& input) : input_(input) {}

    /// The whole launch, in the one order that is safe.
    void run() {
        read_and_compile();
        open_on_host();
        // The spawner, which is forked now, is not to hold what the caller's keyring has either.
        if (input_.engine.keyring == SessionKeyring::own) leave_session_keyring();
        // After all that looks at processes of the host or the pod, before any group is joined.
        if (const auto scope = domain_scope(plan_.pid_mode, input_.request.access,
                                            namespaces_.pid(), plan_.warnings);
            scope != 0)
            enter_domain(scope, input_.spawner, input_.channels.launcher);
        enter_cgroup();
        enter_namespaces();
        build_root();
        drop_host();
        if (is_alone())
            launch_alone();
        else if (is_nested())
            launch_nested();
        else
            launch_dropped();
    }
    /// Where it may still say that it failed.
    [[nodiscard]] FdRef channel() const noexcept { return channel_; }

  private:
    void read_and_compile();
    void open_on_host();
    void open_proc_source();
    void enter_cgroup();
    void enter_namespaces();
    void build_root();
    void drop_host();
    void launch_dropped();
    void launch_alone();
    void launch_nested();
    void clone_init(std::uint64_t flags);
    [[nodiscard]] InitInput init_input();
    void tell_prepared();
    void close_channel();
    [[nodiscard]] std::vector<int> leftovers();

    /// init will be the first process of a PID namespace that nobody else can be in.
    [[nodiscard]] bool is_alone() const { return plan_.pid_mode == spec::PidMode::container; }
    /// init will be the first process of a PID namespace that the pod's processes see.
    [[nodiscard]] bool is_nested() const { return plan_.pid_mode == spec::PidMode::nested; }

    const LaunchInput& input_;
    FdRef channel_{input_.channels.launcher};
    plan::LaunchPlan plan_;
    Sources sources_;
    ProcSource proc_;
    Stdio stdio_;
    UniqueFd gate_, report_, terminal_output_;
    spec::Hooks hooks_;
    Namespaces namespaces_{plan_, input_.pod};
    std::optional<RootBuilder> builder_;
    cgroup::LiftedQuota quota_;  // of a nested container, until its neighbours go on
    World world_;
    std::string program_;
    bool opens_proc_ = false;
};

void Launcher::read_and_compile() {
    fault_point("launch.read");
    Bundle own;
    if (input_.bundle == nullptr) own = read_bundle(input_.request.bundle);
    const auto& bundle = input_.bundle != nullptr ? *input_.bundle : own;
    // What was created is what counts from here on: later edits of the bundle must not matter
    // (runtime.md, lifecycle 2), and every exec reads this copy.
    sys::replace_file_at(input_.state_folder, kConfigName, bundle.text, 0600)
        .or_throw("write", kConfigName);
    plan_ = plan::compile(bundle.spec, input_.request, input_.compile);
    if (input_.engine.hook_state) hooks_ = bundle.spec.hooks;
}

void Launcher::open_on_host() {
    fault_point("launch.open");
    check_labels(plan_.process, plan_.mount_label);
    gate_ = store::hold_start_gate(input_.state_folder);
    if (input_.engine.has_report) report_ = store::hold_start_report(input_.state_folder);
    // With a terminal nothing of the caller's streams may stay open in init: who reads `create`'s
    // output to its end would wait for the container's.
    if (!plan_.process.terminal)
        stdio_ = open_stdio(input_.stdio);
    else if (input_.copies_terminal)
        terminal_output_ = open_output(input_.stdio.out, "stdout");
    give_pipes_on_host(stdio_, plan_.process, plan_.uid_mappings);
    connect_agent(plan_.process, channel_);
    namespaces_.open();
    use_host_privileges(plan_.process);
    if (namespaces_.has_user() && !may_mount()) namespaces_.enter_user_early();
    sources_ = open_sources(plan_, input_.request.access, input_.shown, namespaces_.user());
    if (input_.pod.user.valid()) check_root_owner(plan_, sources_.root);
    open_proc_source();
}

void Launcher::open_proc_source() {
    // Of a process in a user namespace that has not exec'd the launcher, in there by then, may not
    // ask the PID namespace (ptrace(2): its memory is the host's).
    if (is_nested())
        opens_proc_ = namespaces_.has_user() || !sys::procfs_takes_pidns(namespaces_.pid());
    if (plan_.pid_mode != spec::PidMode::pod && plan_.pid_mode != spec::PidMode::target) return;
    proc_.pid_namespace = namespaces_.pid();
    const bool is_target = plan_.pid_mode == spec::PidMode::target;
    proc_.may_enter = is_target || input_.request.namespaces == plan::NamespaceRule::spec;
    // A superblock that hides what others see is the container's own.
    const bool hides = input_.request.access.see == spec::Reach::own;
    // What the sandbox keeps is of the pod's own namespace.
    if (is_target || !input_.pod.proc_keeper.valid()) return;
    if (input_.pod.user.valid() && sys::procfs_takes_pidns(namespaces_.pid())) return;
    // A container that may remount must not share a superblock with its neighbours.
    if (hides || (plan_.process.capabilities.bounding & kSysAdmin) != 0)
        proc_.context = input_.pod.proc_context;
    else
        proc_.clone = clone_root_of(input_.pod.proc_keeper, sys::Recursive::no)
                          .or_throw("clone", "the pod's procfs");
}

void Launcher::enter_cgroup() {
    fault_point("launch.cgroup");
    if (input_.cgroups == nullptr) return;
    auto group = cgroup::Group::open(*input_.cgroups, input_.cgroup_path);
    if (input_.request.namespaces == plan::NamespaceRule::spec || lends_cgroup(plan_))
        group.pass_on_controllers();
    // Limits are in force before anything of the container can run.
    auto limits = plan_.limits;
    if (limits.pids_max.value_or(-1) >= 0)
        limits.pids_max = std::max(*limits.pids_max, input_.engine.least_tasks);
    group.apply(limits);
    if (is_nested()) quota_ = cgroup::LiftedQuota{*input_.cgroups, group};
    if (auto warning = apply_device_rules(group, plan_, input_.device_rules))
        plan_.warnings.push_back(std::move(*warning));
    open_cgroups(plan_, *input_.cgroups, input_.cgroup_path, sources_);
    group.join(group.clone_target().valid() ? cgroup::Group::Identity::already_there
                                            : cgroup::Group::Identity::move);
}

void Launcher::enter_namespaces() {
    fault_point("launch.namespaces");
    if (input_.engine.keyring == SessionKeyring::own)
        use_own_keyring(plan_.process.user_namespace ? spec::host_id(plan_.uid_mappings, 0)
                                                     : std::nullopt);
    namespaces_.enter();
    if (plan_.process.user_namespace) give_pipes(stdio_, plan_.process.uid);
}

void Launcher::build_root() {
    fault_point("launch.build");
    ::umask(0);  // modes of device nodes and mount points are the plan's
    builder_.emplace(plan_, sources_, std::move(proc_));
    if (input_.engine.no_pivot) builder_->use_chroot();
    if (is_nested()) builder_->defer_proc();
    if (input_.pod.user.valid())
        builder_->use_sight(
            {sys::duplicate(input_.pod.proc_keeper).or_throw("dup", "keeper"),
             sys::open("/proc/self/ns/mnt", O_RDONLY).or_throw("open", "own mount namespace")});
    builder_->attach_root();
    world_ = {&*builder_,
              &plan_.process,
              &hooks_,
              &input_.engine.hook_state,
              is_alone() ? input_.channels.newborn : channel_,
              !input_.program.valid()};
    if (!is_alone()) program_ = make_world(world_);
}

void Launcher::drop_host() {
    fault_point("launch.drop");
    sys::forget_environment();
    // Owners let go first: one that closed its number after the sweep could hit a descriptor of
    // init.
    namespaces_.close();
    auto keep = leftovers();
    for (const auto& fd : {input_.channels.launcher, input_.channels.newborn, gate_.ref(),
                           report_.ref(), terminal_output_.ref(), input_.program})
        if (fd.valid()) keep.push_back(fd.get());
    const auto unfinished = builder_->descriptors();
    keep.insert(keep.end(), unfinished.begin(), unfinished.end());
    const auto quota = quota_.descriptors();
    keep.insert(keep.end(), quota.begin(), quota.end());
    for (unsigned i = 0; i < input_.engine.preserved_fds; ++i)
        keep.push_back(static_cast<int>(3 + i));
    sys::close_all_except(keep).or_throw("close", "host descriptors");
}

void Launcher::launch_dropped() {
    // Into the pod only now, and only for children; then the cut, still outside: a neighbour with
    // SYS_PTRACE never sees a process with more than its container has.
    namespaces_.enter_pid();
    tell_prepared();
    const bool is_there = enter_working_directory_early(plan_.process);
    cut_privileges(plan_.process, channel_);
    if (!is_there) enter_working_directory(plan_.process);
    load_asking_filter(plan_.process, channel_);
    close_channel();
    clone_init(0);
}

void Launcher::launch_alone() {
    // A PID namespace of its own: nobody else is in it, so init may build the root (its procfs can
    // only be made in there), pivot and cut its privileges itself.
    tell_prepared();
    close_channel();
    clone_init(CLONE_NEWPID);
}

void Launcher::launch_nested() {
    NestedLaunch nested{*builder_, channel_, opens_proc_};
    // Not while the neighbours stand still.
    const bool is_there = enter_working_directory_early(plan_.process);
    namespaces_.enter_pid();
    tell_prepared();
    fault_point("launch.clone");
    nested.launch({[this, is_there](const NestedEnd& end) {
                       auto input = init_input();
                       input.is_in_working_directory = is_there;
                       input.nested = &end;
                       run_init(input);
                   },
                   [this] { quota_.restore(); }, quota_.descriptors()});
}

/// What init has no use for once its streams are in place.
std::vector<int> Launcher::leftovers() {
    std::vector<int> open;
    for (const auto& fd :
         {stdio_.in.ref(), stdio_.out.ref(), stdio_.err.ref(), stdio_.held.ref(), namespaces_.pid(),
          builder_->terminal().master.ref(), builder_->terminal().slave.ref()})
        if (fd.valid()) open.push_back(fd.get());
    return open;
}

InitInput Launcher::init_input() {
    InitInput input;
    input.process = &plan_.process;
    input.program = program_;
    input.stdio = &stdio_;
    input.terminal = builder_->terminal().slave;
    input.channel = input_.channels.newborn;
    input.gate = gate_;
    input.unmade_world = is_alone() ? &world_ : nullptr;
    input.report = report_;
    input.preserved_fds = input_.engine.preserved_fds;
    input.plain_newlines = input_.engine.plain_newlines;
    input.start_hooks = &hooks_.start_container;
    input.hook_state = &input_.engine.hook_state;
    input.leftovers = leftovers();
    input.program_file = input_.program;
    return input;
}

void Launcher::clone_init(std::uint64_t flags) {
    fault_point("launch.clone");
    auto child = sys::clone_process({CLONE_PARENT | flags, 0, FdRef{-1}});
    if (!child) {
        if (child.error() == ENOMEM && plan_.pid_mode == spec::PidMode::target)
            throw Error(Code::failed_precondition, "the target container has ended")
                .with_fix("name a container that runs");
        if (child.error() == ENOMEM && namespaces_.pid().valid())
            throw Error(Code::sandbox_gone,
                        "the PID namespace to join is gone: its first process has ended")
                .with_fix("create the sandbox anew, or name another namespace");
        if (child.error() == ENOSPC) throw namespace_limit_error("use pid mode pod");
        throw Error::from_errno(child.error(), "clone", "init")
            .with_fix(child.error() == EAGAIN   ? "raise the container's pids limit"
                      : child.error() == EMFILE ? "raise RLIMIT_NOFILE in process.rlimits"
                                                : "");
    }
    if (child.value().pid == 0) run_init(init_input());
}

/// Before the cut: a descriptor in flight counts against an unprivileged sender's user, whose other
/// processes may have used that account up (unix(7), ETOOMANYREFS).
void Launcher::tell_prepared() {
    fault_point("launch.prepared");
    Prepared prepared;
    prepared.terminal = std::move(builder_->terminal().master);
    prepared.held_stdin = std::move(stdio_.held);
    prepared.terminal_output = std::move(terminal_output_);
    // In mode nested the context is init's own.
    prepared.used_proc_context = builder_->used_proc_context() && !is_nested();
    prepared.command = plan_.process.args;
    prepared.warnings = plan_.warnings;
    send_prepared(channel_, prepared);
}

/// Who is about to be cloned may be in somebody's sight: what it holds could be his.
void Launcher::close_channel() {
    ::close(channel_.get());
    channel_ = input_.channels.newborn;
}

}  // namespace

void run_launcher(const LaunchInput& input) noexcept {
    Launcher launcher{input};
    try {
        // A newborn is in its process group until it has a session, and whoever traces it then
        // could have it signal the group: only this launch.
        if (::setsid() < 0) throw Error::from_errno(errno, "setsid");
        (void)sys::set_name("covey:launcher");
        // Without privilege it could not write its own /proc files then; entering the user
        // namespace, which it needs anyway, makes it so (commit_creds in the kernel's source).
        if (::geteuid() == 0) sys::set_dumpable(false).or_throw("set", "dumpable");
        launcher.run();
        ::_exit(0);
    } catch (const Error& error) {
        send_failed(launcher.channel(), prefixed("launcher", error));
    } catch (const std::exception& error) {
        send_failed(launcher.channel(),
                    Error(Code::internal, fmt::format("launcher: {}", error.what())));
    }
    ::_exit(1);
}

}  // namespace covey::launch
