#include "runtime/executing.hpp"

#include "covey/error.hpp"
#include "launch/exec_join.hpp"
#include "launch/message.hpp"
#include "launch/seccomp_agent.hpp"
#include "runtime/ending.hpp"
#include "runtime/hand_shake.hpp"
#include "runtime/pod_lock.hpp"
#include "runtime/resctrl.hpp"
#include "runtime/sharing.hpp"
#include "runtime/state_codec.hpp"
#include "runtime/sub_group.hpp"
#include "spec/tables.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/children.hpp"

#include <fmt/format.h>

#include <csignal>
#include <optional>
#include <utility>
#include <variant>

#include <sched.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

/// CLONE_NEW… of what the process shares with the command, as far as it matters: root may join what
/// he is in already, but for the user namespace.
std::uint64_t shared_namespaces(pid_t pid) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    std::uint64_t shared = 0;
    for (const auto& one : spec::namespace_table()) {
        if (one.clone_flag != CLONE_NEWUSER && ::geteuid() == 0) continue;
        const auto id_of = [&](pid_t process) {
            const auto what = fmt::format("{} namespace", one.proc_name);
            const auto file =
                sys::open_namespace(proc, process, one.proc_name).or_throw("open", what);
            return sys::namespace_id(file).or_throw("stat", what);
        };
        if (id_of(pid) == id_of(::getpid())) shared |= one.clone_flag;
    }
    return shared;
}

class Execution {
  public:
    Execution(const ExecTarget& target, const spec::Process& process, const InheritedFds& fds,
              const std::vector<std::string>& sub_groups)
        : target_(target), process_(process), fds_(fds) {
        const auto& record = target.view.record;
        if (record.cgroup.path.empty()) return;
        cgroups_.emplace(cgroup::detect());
        placement_ = sub_group(*cgroups_, record.cgroup, sub_groups);
        group_.emplace(cgroup::Group::open(*cgroups_, placement_));
    }

    ExecutedProcess run() {
        // Before it is in the pod's sight, and until the pod's standstills see it.
        const auto pod = PodLock::shared(target_.view.record);
        auto channels = launch::make_channels();
        launcher_ = sys::clone_process({0, SIGCHLD, group_ ? group_->clone_target() : FdRef{-1}})
                        .or_throw("clone", "launcher");
        if (launcher_.pid == 0) {
            enter_class(channels.child.launcher);
            run_launcher(channels.child);
        }
        channels.child = {};
        HandShake hand_shake{hand_shake_input()};
        try {
            hand_shake.await(std::move(channels.parent), launcher_);
        } catch (...) {
            (void)sys::pidfd_send_signal(launcher_.pidfd, SIGKILL);
            hand_shake.kill();
            // A newborn that somebody has stopped has not told its number yet.
            before_.kill_others();
            reap_children();
            throw;
        }
        auto& born = hand_shake.born();
        return {born.pid, std::move(born.pidfd), std::move(born.prepared.terminal)};
    }

  private:
    /// In the launcher, whose child the process will be.
    void enter_class(FdRef channel) const noexcept {
        try {
            join_class(target_.view.record.resctrl, 0);
        } catch (const Error& error) {
            launch::send_failed(channel, error);
            ::_exit(1);
        }
    }

    [[noreturn]] void run_launcher(launch::ChannelRefs channels) {
        const auto& view = target_.view;
        launch::ExecInput input;
        input.request.bundle = view.record.bundle;
        input.request.namespaces = plan::NamespaceRule::spec;
        input.request.access = sharing_of(view.record.annotations, view.record.id).access;
        input.exec.args = process_.args;
        input.exec.terminal = process_.terminal;
        if (process_.console_size) {
            input.exec.console_rows = process_.console_size->height;
            input.exec.console_columns = process_.console_size->width;
        }
        input.compile.seccomp_cache = seccomp_cache_folder();
        if (!process_.terminal) {
            input.in = FdRef{STDIN_FILENO};
            input.out = FdRef{STDOUT_FILENO};
            input.err = FdRef{STDERR_FILENO};
        }
        input.init = view.init;
        input.cgroups = cgroups_ ? &*cgroups_ : nullptr;
        input.container_cgroup = placement_;
        input.state_folder = target_.folder.fd();
        input.channels = channels;
        input.process = &process_;
        input.engine.preserved_fds = fds_.count;
        input.engine.plain_newlines = target_.plain_newlines;
        if (view.record.no_new_keyring) input.engine.keyring = launch::SessionKeyring::callers;
        input.shared_namespaces = shared_namespaces(view.record.pid);
        input.joins_user_namespace = (input.shared_namespaces & CLONE_NEWUSER) == 0;
        launch::run_exec_launcher(input);
    }

    HandShake::Input hand_shake_input() const {
        const auto& record = target_.view.record;
        launch::HandShake::Expect expect;
        expect.gate = false;
        // The configuration that says whether the filter asks one is read by the launcher.
        expect.agent = expect.listener = true;
        return {record,
                nullptr,
                FdRef{-1},
                {},
                cgroups_ ? &*cgroups_ : nullptr,
                nullptr,
                {},
                placement_.path,
                false,
                expect,
                [&record](pid_t pid, const std::string& metadata) {
                    return encode_process_state(record, "running", record.pid, pid, metadata);
                }};
    }

    const ExecTarget& target_;
    const spec::Process& process_;
    const InheritedFds& fds_;
    cgroup::Placement placement_;
    std::optional<cgroup::Host> cgroups_;
    std::optional<cgroup::Group> group_;
    sys::Child launcher_;
    task::OwnChildren before_;  // what this process has brought along
};

}  // namespace

ExecutedProcess execute_in(const ExecTarget& target, const spec::Process& process,
                           const InheritedFds& fds, const std::vector<std::string>& sub_groups) {
    return Execution{target, process, fds, sub_groups}.run();
}

}  // namespace covey::runtime
