#include "shim/sandbox.hpp"

#include "base/fault.hpp"
#include "base/rollback.hpp"
#include "launch/message.hpp"
#include "launch/nested.hpp"
#include "launch/sandbox_setup.hpp"
#include "launch/sysctl.hpp"
#include "shim/clock.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace covey::shim {
namespace {

struct PodNamespaceType {
    const char* name;  // the API's and /proc/<pid>/ns's
    std::uint64_t flag;
    bool by_default;
};
constexpr std::array<PodNamespaceType, 4> kTypes{{
    {"net", CLONE_NEWNET, true},
    {"ipc", CLONE_NEWIPC, true},
    {"uts", CLONE_NEWUTS, true},
    {"time", CLONE_NEWTIME, false},
}};
using Kind = core::NamespaceWish::Kind;

core::NamespaceWish wish_for(const core::SandboxConfig& config, const PodNamespaceType& type) {
    const auto found = config.namespaces.find(type.name);
    if (found != config.namespaces.end()) return found->second;
    return {type.by_default ? Kind::create : Kind::host, {}};
}

UniqueFd open_wished(const core::NamespaceWish& wish, const PodNamespaceType& type) {
    auto file = sys::open(wish.path, O_RDONLY);
    if (!file)
        throw Error::from_errno(file.error(), fmt::format("open {} namespace", type.name),
                                wish.path)
            .with_fix("name an nsfs file, e.g. /proc/<pid>/ns/net or a bind mount of one");
    if (sys::namespace_type(file.value()).value_or(0) != type.flag)
        throw Error(Code::invalid_argument,
                    fmt::format("{} is not a {} namespace", wish.path, type.name))
            .with_fix(fmt::format("name a file such as /proc/<pid>/ns/{}", type.name));
    return std::move(file).value();
}

/// A pod sets parameters of its own namespaces, never the host's.
void check_sysctls(const core::SandboxConfig& config) {
    for (const auto& [key, value] : config.sysctls) {
        const auto owner = launch::sysctl_namespace(key);
        if (owner.empty())
            throw Error(Code::invalid_argument,
                        fmt::format("sysctl {} belongs to no namespace of a pod", key))
                .with_fix("it would change the whole host: set it there, with sysctl(8)");
        for (const auto& type : kTypes)
            if (owner == type.name && wish_for(config, type).kind == Kind::host)
                throw Error(Code::invalid_argument,
                            fmt::format("sysctl {} would change the host: the pod shares its {} "
                                        "namespace",
                                        key, owner))
                    .with_fix(
                        fmt::format("leave it out, or give the pod a new {} namespace", owner));
    }
}

constexpr int kHandshakeLimit = 10'000;  // milliseconds
// One for each container that pause's own superblock must not be shared with, on kernels
// before 6.18.
constexpr int kProcContexts = 8;

/// Until pause is exec'd (the end of the stream). Returns the contexts that it sent.
std::vector<UniqueFd> wait_for_exec(FdRef handshake) {
    std::vector<UniqueFd> contexts;
    while (true) {
        pollfd entry{handshake.get(), POLLIN, 0};
        const int ready = ::poll(&entry, 1, kHandshakeLimit);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0)
            throw Error(Code::timeout, "the sandbox's pause process did not start within 10 s");
        auto packet = sys::receive_packet(handshake).or_throw("receive", "hand-shake");
        if (packet.data.empty()) return contexts;
        if (packet.data == "C")
            contexts = std::move(packet.fds);
        else
            throw launch::decode_failure(packet.data);
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
    facts_.created_at = unix_microseconds();
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
    check_sysctls(config);
    auto group = cgroup::Group::create(host_, facts_.cgroup + "/pause");
    launch::SandboxSetup setup;
    setup.hostname = hostname_for(config);
    setup.sysctls = config.sysctls;
    setup.pause = pause_program;
    std::uint64_t flags = CLONE_NEWPID | CLONE_NEWNS;
    std::vector<UniqueFd> joined;
    for (const auto& type : kTypes) {
        const auto wish = wish_for(config, type);
        if (wish.kind == Kind::create) flags |= type.flag;
        if (wish.kind == Kind::path)
            setup.join.emplace_back(joined.emplace_back(open_wished(wish, type)), type.flag);
        if (type.flag == CLONE_NEWNET) setup.own_net = wish.kind == Kind::create;
        if (type.flag == CLONE_NEWUTS) setup.own_uts = wish.kind == Kind::create;
    }
    const auto own_pid_ns =
        sys::open("/proc/self/ns/pid", O_RDONLY).or_throw("open", "/proc/self/ns/pid");
    if (!sys::procfs_takes_pidns(own_pid_ns)) setup.proc_contexts = kProcContexts;
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    setup.handshake = sockets.child;
    fault_point("sandbox.clone");
    auto cloned = sys::clone_process({flags, SIGCHLD, group.clone_target()});
    if (!cloned && cloned.error() == ENOSPC)
        throw launch::namespace_limit_error("run coveyd in fewer containers");
    auto child = std::move(cloned).or_throw("clone", "pause");
    if (child.pid == 0) {
        if (!group.clone_target().valid()) group.join(cgroup::Group::Identity::move);
        launch::run_sandbox_setup(setup);
    }
    sockets.child.reset();
    pause_ = std::move(child.pidfd);
    facts_.pause_pid = child.pid;
    proc_contexts_ = wait_for_exec(sockets.parent);
    if (proc_contexts_.empty()) return;
    proc_keeper_ = std::move(proc_contexts_.back());
    proc_contexts_.pop_back();
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
    for (const auto& type : kTypes)
        if (wish_for(config, type).kind != Kind::host) note(type.name);
}

launch::PodNamespaces Sandbox::namespaces() const {
    const auto find = [&](const char* name) {
        const auto found = namespaces_.find(name);
        return found == namespaces_.end() ? FdRef{-1} : found->second.ref();
    };
    return {find("pid"),  find("net"),  find("ipc"), find("uts"),
            find("time"), proc_keeper_, FdRef{-1}};
}

plan::SandboxView Sandbox::view() const {
    return {namespaces_.contains("net"), namespaces_.contains("ipc"), namespaces_.contains("uts"),
            namespaces_.contains("time")};
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
    exit.exited_at = unix_microseconds();
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
