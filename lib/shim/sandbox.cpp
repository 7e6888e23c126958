#include "shim/sandbox.hpp"

#include "base/fault.hpp"
#include "base/rollback.hpp"
#include "base/text.hpp"
#include "launch/message.hpp"
#include "launch/nested.hpp"
#include "launch/sandbox_setup.hpp"
#include "launch/sysctl.hpp"
#include "launch/user_namespace.hpp"
#include "shim/pod_namespaces.hpp"
#include "shim/unborn.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace covey::shim {
namespace {

using Kind = core::NamespaceWish::Kind;

constexpr int kHandshakeLimit = 10'000;  // milliseconds
// One for each container that pause's own superblock must not be shared with, on kernels
// before 6.18.
constexpr int kProcContexts = 8;

struct HandShake {
    std::vector<UniqueFd> contexts;
    pid_t pid = 0;  // of pause, when somebody else than the shim cloned it
    UniqueFd pidfd;
    std::optional<Error> failed;
};

/// Until pause is exec'd (the end of the stream): what its set-up stage sent.
HandShake wait_for_exec(FdRef handshake) {
    HandShake result;
    while (true) {
        pollfd entry{handshake.get(), POLLIN, 0};
        const int ready = ::poll(&entry, 1, kHandshakeLimit);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            result.failed.emplace(Code::timeout,
                                  "the sandbox's pause process did not start within 10 s");
            return result;
        }
        auto packet = sys::receive_packet(handshake).or_throw("receive", "hand-shake");
        if (packet.data.empty()) return result;
        if (packet.data == "C") {
            result.contexts = std::move(packet.fds);
        } else if (packet.data.front() == 'I' && packet.fds.size() == 1) {
            result.pid =
                static_cast<pid_t>(parse_u32(std::string_view{packet.data}.substr(1)).value_or(0));
            result.pidfd = std::move(packet.fds.front());
        } else if (!result.failed) {
            result.failed = launch::decode_failure(packet.data);
        }
    }
}

std::string hostname_for(const core::SandboxConfig& config) {
    constexpr std::size_t kLongest = 64;  // HOST_NAME_MAX
    return (config.hostname.empty() ? config.id : config.hostname).substr(0, kLongest);
}

}  // namespace

Sandbox::Sandbox(const cgroup::Host& host, const core::SandboxConfig& config, FdRef pause_program)
    : host_(host) {
    facts_.id = config.id;
    facts_.cgroup = config.cgroup_parent + "/" + config.id + ".pod";
    facts_.created_at = task::unix_microseconds();
    facts_.shim_pid = ::getpid();
    Rollback rollback;
    fault_point("sandbox.cgroup");
    auto pod = cgroup::Group::create(host_, facts_.cgroup);
    rollback.add([&] {
        if (pause_) {
            kill_pause();
            (void)sys::wait_process(pause_);
        }
        remove_cgroup();
    });
    start_pause(config, pause_program);
    fault_point("sandbox.facts");
    note_namespaces(config);
    facts_.state = core::SandboxState::ready;
    rollback.release();
}

void Sandbox::start_pause(const core::SandboxConfig& config, FdRef pause_program) {
    auto group = cgroup::Group::create(host_, facts_.cgroup + "/pause");
    launch::SandboxSetup setup;
    setup.hostname = hostname_for(config);
    setup.sysctls = config.sysctls;
    setup.pause = pause_program;
    const auto opened = open_namespaces(config, setup);
    const auto own_pid_ns =
        sys::open("/proc/self/ns/pid", O_RDONLY).or_throw("open", "/proc/self/ns/pid");
    if (!sys::procfs_takes_pidns(own_pid_ns)) setup.proc_contexts = kProcContexts;
    setup.keeps_proc = opened.user || setup.proc_contexts > 0;
    clone_pause(setup, CLONE_NEWPID | CLONE_NEWNS | opened.new_ones, group);
}

void Sandbox::clone_pause(launch::SandboxSetup& setup, std::uint64_t flags, cgroup::Group& group) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    setup.handshake = sockets.child;
    fault_point("sandbox.clone");
    const bool inside = setup.user.valid();
    auto cloned = sys::clone_process({inside ? 0 : flags, SIGCHLD, group.clone_target()});
    if (!cloned && cloned.error() == ENOSPC)
        throw launch::namespace_limit_error("run coveyd in fewer containers");
    auto child = std::move(cloned).or_throw("clone", "pause");
    if (child.pid == 0) {
        if (!group.clone_target().valid()) group.join(cgroup::Group::Identity::move);
        if (inside) launch::run_sandbox_launcher(setup, flags);
        launch::run_sandbox_setup(setup);
    }
    sockets.child.reset();
    if (!inside) {
        pause_ = std::move(child.pidfd);
        facts_.pause_pid = child.pid;
    }
    auto heard = wait_for_exec(sockets.parent);
    if (inside) {
        pause_ = std::move(heard.pidfd);
        facts_.pause_pid = heard.pid;
        // It only clones; one that does not end in time is ended.
        if (heard.failed) (void)sys::pidfd_send_signal(child.pidfd, SIGKILL);
        (void)sys::wait_process(child.pidfd);
        if (!heard.failed && !pause_)
            heard.failed.emplace(Code::internal, "the sandbox's launcher ended without a word");
        if (!pause_) reap_unborn(host_, facts_.cgroup + "/pause");
    }
    if (heard.failed) throw Error(*heard.failed);
    if (heard.contexts.empty()) return;
    proc_keeper_ = std::move(heard.contexts.back());
    heard.contexts.pop_back();
    proc_contexts_ = std::move(heard.contexts);
}

void Sandbox::note_namespaces(const core::SandboxConfig& config) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    facts_.pause_start_time =
        sys::read_stat(proc, facts_.pause_pid).or_throw("read stat of", "pause").start_time;
    facts_.shim_start_time =
        sys::read_stat(proc, facts_.shim_pid).or_throw("read stat of", "shim").start_time;
    const auto note = [&](const char* name) {
        auto file =
            sys::open_namespace(proc, facts_.pause_pid, name).or_throw("open namespace", name);
        const auto id = sys::namespace_id(file).or_throw("stat namespace", name);
        facts_.namespaces[name] = {fmt::format("/proc/{}/ns/{}", facts_.pause_pid, name), id.device,
                                   id.inode};
        namespaces_[name] = std::move(file);
    };
    note("pid");
    for (const auto& type : kPodNamespaceTypes)
        if (wish_for(config, type).kind != Kind::host) note(type.name);
    if (namespaces_.contains("user")) note_mappings();
}

void Sandbox::note_mappings() {
    const auto folder = fmt::format("/proc/{}/", facts_.pause_pid);
    facts_.uid_mappings = launch::read_id_map(folder + "uid_map");
    facts_.gid_mappings = launch::read_id_map(folder + "gid_map");
    if (spec::maps_host_id(facts_.uid_mappings, 0))
        facts_.warnings.emplace_back(
            "the sandbox's user namespace maps the host's uid 0: what the host's root may do to "
            "files of the host, a container may do to those that it reaches");
}

launch::PodNamespaces Sandbox::namespaces() const {
    const auto find = [&](const char* name) {
        const auto found = namespaces_.find(name);
        return found == namespaces_.end() ? FdRef{-1} : found->second.ref();
    };
    return {find("pid"),  find("net"),  find("ipc"),  find("uts"),
            find("time"), find("user"), proc_keeper_, FdRef{-1}};
}

plan::SandboxView Sandbox::view() const {
    return {namespaces_.contains("net"),  namespaces_.contains("ipc"),  namespaces_.contains("uts"),
            namespaces_.contains("time"), namespaces_.contains("user"), facts_.uid_mappings,
            facts_.gid_mappings};
}

UniqueFd Sandbox::take_proc_context() {
    if (proc_contexts_.empty()) return {};
    auto context = std::move(proc_contexts_.back());
    proc_contexts_.pop_back();
    return context;
}

void Sandbox::give_back_proc_context(UniqueFd context) {
    if (context) proc_contexts_.push_back(std::move(context));
}

void Sandbox::kill_pause() {
    killed_ = true;
    const auto sent = sys::pidfd_send_signal(pause_, SIGKILL);
    if (!sent && sent.error() != ESRCH) sent.or_throw("kill", "pause");
}

bool Sandbox::reap_pause() {
    const auto status = sys::try_wait_process(pause_);
    if (status && !status.value()) return false;
    const auto end = status ? *status.value() : sys::ExitStatus{128 + SIGKILL, SIGKILL};
    core::ExitRecord exit;
    exit.exit_code = end.code;
    exit.signal = end.signal;
    exit.exited_at = task::unix_microseconds();
    // Pause ends by SIGKILL only: ours, the memory's, or somebody's on the host.
    using Sender = core::ExitRecord::Sender;
    exit.oom_killed = !killed_ && was_out_of_memory();
    exit.sent_by = killed_ ? Sender::covey : exit.oom_killed ? Sender::kernel : Sender::unknown;
    facts_.exit = exit;
    return true;
}

bool Sandbox::was_out_of_memory() const {
    try {
        const auto group = cgroup::Group::open(host_, facts_.cgroup + "/pause");
        return group.stats().oom_kills.value_or(0) > 0;
    } catch (const Error&) {
        return false;  // its group is gone: the counter with it
    }
}

void Sandbox::remove_cgroup() {
    cgroup::Group::open(host_, facts_.cgroup).remove();
}

}  // namespace covey::shim
