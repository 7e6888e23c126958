#include "launch/exec_join.hpp"

#include "base/fault.hpp"
#include "launch/context.hpp"
#include "launch/home.hpp"
#include "launch/identity.hpp"
#include "launch/init.hpp"
#include "launch/labels.hpp"
#include "launch/message.hpp"
#include "launch/program.hpp"
#include "launch/seccomp_agent.hpp"
#include "launch/stream_file.hpp"
#include "launch/terminal.hpp"
#include "launch/user_namespace.hpp"
#include "launch/working_directory.hpp"
#include "spec/id_mappings.hpp"
#include "spec/load.hpp"
#include "sys/environment.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/namespaces.hpp"
#include "sys/path.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <exception>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace covey::launch {
namespace {

class ExecLauncher {
  public:
    explicit ExecLauncher(const ExecInput& input) : input_(input) {}

    void run() {
        compile();
        enter_cgroup();
        join_namespaces();
        find_world();
        drop_host();
        launch();
    }
    /// Where it may still say that it failed.
    [[nodiscard]] FdRef channel() const noexcept { return channel_; }

  private:
    void compile();
    void enter_cgroup();
    void join_namespaces();
    void find_world();
    void drop_host();
    void launch();
    void tell_prepared();
    [[nodiscard]] InitInput init_input() const;

    const ExecInput& input_;
    FdRef channel_{input_.channels.launcher};
    plan::ProcessPlan process_;
    std::optional<uid_t> keyring_owner_;
    Stdio stdio_;
    Terminal terminal_;
    std::string program_;
};

void ExecLauncher::compile() {
    fault_point("exec.compile");
    const auto text = sys::read_file_at(input_.state_folder, kConfigName, spec::kLargestConfig)
                          .or_throw("read", kConfigName);
    auto spec = spec::load(text);
    if (input_.process != nullptr) spec.process = *input_.process;
    process_ = plan::compile_exec(spec, input_.request, input_.exec, input_.compile);
    const bool by_sandbox = input_.request.namespaces == plan::NamespaceRule::sandbox;
    const auto& uids = by_sandbox ? input_.request.sandbox.uid_mappings : spec.linux.uid_mappings;
    if (process_.user_namespace) keyring_owner_ = spec::host_id(uids, 0);
    if (!process_.terminal) {
        stdio_.in = take_stream(input_.in, "stdin");
        stdio_.out = take_stream(input_.out, "stdout");
        stdio_.err = take_stream(input_.err, "stderr");
        give_pipes_on_host(stdio_, process_, uids);
    }
}

void ExecLauncher::enter_cgroup() {
    fault_point("exec.cgroup");
    check_labels(process_, {});
    connect_agent(process_, channel_);
    set_cpus(process_.initial_cpus);
    // The exec's own group is in the identity hierarchy only; limits of v1 controllers are those of
    // the container's group.
    if (!input_.exec_cgroup.empty()) {
        const auto own = cgroup::Group::open(*input_.cgroups, input_.exec_cgroup);
        if (!own.clone_target().valid()) own.join(cgroup::Group::Identity::move);
    }
    if (!input_.container_cgroup.path.empty()) {
        const auto group = cgroup::Group::open(*input_.cgroups, input_.container_cgroup);
        group.join(input_.exec_cgroup.empty() && !group.clone_target().valid()
                       ? cgroup::Group::Identity::move
                       : cgroup::Group::Identity::already_there);
    }
    set_cpus(process_.final_cpus);
    use_host_privileges(process_);
    set_labels(process_);
}

void ExecLauncher::join_namespaces() {
    fault_point("exec.namespaces");
    if (input_.engine.keyring == SessionKeyring::own) use_own_keyring(keyring_owner_);
    // Joining the time namespace that one is in already is no error, so a container in the host's
    // needs no case of its own; but from within a user namespace it is. Without privilege on the
    // host it is the other way round.
    const bool is_privileged = ::geteuid() == 0;
    if (is_privileged) {
        const auto timed = sys::set_namespace(input_.init, CLONE_NEWTIME);
        if (!timed && timed.error() == ESRCH)
            throw Error(Code::failed_precondition, "cannot exec in a stopped container");
        timed.or_throw("join", "the container's time namespace");
    }
    // All in one call, by the main process's pidfd: no race with a reused number. A type that both
    // share already is no error.
    std::uint64_t all = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (!is_privileged) all |= CLONE_NEWTIME;
    all &= ~input_.shared_namespaces;
    // With the others, and the kernel enters it first. Joining one's own is EINVAL.
    if (input_.joins_user_namespace) {
        all |= CLONE_NEWUSER;
        drop_groups();
    }
    const auto joined = sys::set_namespace(input_.init, all);
    if (!joined && joined.error() == ESRCH)
        throw Error(Code::failed_precondition, "cannot exec in a stopped container");
    joined.or_throw("join", "the container's namespaces");
    if (input_.joins_user_namespace) {
        become_root(process_.uid, process_.gid);
        give_pipes(stdio_, process_.uid);
    }
}

void ExecLauncher::find_world() {
    const auto root = sys::open_dir("/").or_throw("open", "/");
    if (process_.terminal) {
        const auto pts = sys::open_in_root(root, "/dev/pts", O_PATH | O_DIRECTORY);
        terminal_ = open_terminal(pts ? pts.value().ref() : FdRef{-1}, process_);
    }
    complete_home(process_, root);
    program_ = find_program(root, process_.args, process_.env, process_.cwd);
}

void ExecLauncher::drop_host() {
    fault_point("exec.drop");
    sys::forget_environment();
    std::vector<int> keep{input_.channels.launcher.get(), input_.channels.newborn.get(),
                          input_.init.get()};
    for (const auto& fd : {stdio_.in.ref(), stdio_.out.ref(), stdio_.err.ref(),
                           terminal_.master.ref(), terminal_.slave.ref()})
        if (fd.valid()) keep.push_back(fd.get());
    for (unsigned i = 0; i < input_.engine.preserved_fds; ++i)
        keep.push_back(static_cast<int>(3 + i));
    sys::close_all_except(keep).or_throw("close", "host descriptors");
}

/// No gate, no hooks, and nothing that is not closed by now.
InitInput ExecLauncher::init_input() const {
    InitInput input;
    input.process = &process_;
    input.program = program_;
    input.stdio = &stdio_;
    input.terminal = terminal_.slave;
    input.channel = input_.channels.newborn;
    input.preserved_fds = input_.engine.preserved_fds;
    input.plain_newlines = input_.engine.plain_newlines;
    return input;
}

void ExecLauncher::launch() {
    if ((input_.shared_namespaces & CLONE_NEWPID) == 0)
        sys::set_namespace(input_.init, CLONE_NEWPID)
            .or_throw("join", "the container's pid namespace");
    // One open file with the parent's own: nothing for whoever robs the newborn.
    ::close(input_.init.get());
    tell_prepared();
    const bool is_there = enter_working_directory_early(process_);
    cut_privileges(process_, channel_);
    if (!is_there) enter_working_directory(process_);
    load_asking_filter(process_, channel_);
    // As Launcher::close_channel().
    ::close(channel_.get());
    channel_ = input_.channels.newborn;
    fault_point("exec.clone");
    auto child = sys::clone_process({CLONE_PARENT, 0, FdRef{-1}});
    if (!child && child.error() == ENOMEM)
        throw Error(Code::failed_precondition, "cannot exec in a stopped container")
            .with_cause("the main process of its PID namespace has ended");
    if (!child) throw Error::from_errno(child.error(), "clone", "exec'd process");
    if (child.value().pid == 0) run_init(init_input());
}

/// Before the cut, as Launcher::tell_prepared().
void ExecLauncher::tell_prepared() {
    fault_point("exec.prepared");
    Prepared prepared;
    prepared.terminal = std::move(terminal_.master);
    prepared.command = process_.args;
    send_prepared(channel_, prepared);
}

}  // namespace

void run_exec_launcher(const ExecInput& input) noexcept {
    ExecLauncher launcher{input};
    try {
        (void)sys::set_name("covey:launcher");
        // Both as in run_launcher.
        if (::setsid() < 0) throw Error::from_errno(errno, "setsid");
        if (::geteuid() == 0) sys::set_dumpable(false).or_throw("set", "dumpable");
        launcher.run();
        ::_exit(0);
    } catch (const Error& error) {
        send_failed(launcher.channel(), prefixed("exec", error));
    } catch (const std::exception& error) {
        send_failed(launcher.channel(),
                    Error(Code::internal, fmt::format("exec: {}", error.what())));
    }
    ::_exit(1);
}

}  // namespace covey::launch
