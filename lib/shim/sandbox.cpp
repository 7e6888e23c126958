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

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace covey::shim {
namespace {

using Kind = core::NamespaceWish::Kind;

constexpr std::chrono::milliseconds kHandshakeLimit{10'000}, kUndoLimit{3000};
// One for each container that pause's own superblock must not be shared with, on kernels
// before 6.18.
constexpr int kProcContexts = 8;

std::string hostname_for(const core::SandboxConfig& config) {
    constexpr std::size_t kLongest = 64;  // HOST_NAME_MAX
    return (config.hostname.empty() ? config.id : config.hostname).substr(0, kLongest);
}

}  // namespace

Sandbox::Sandbox(task::Owner& owner, task::Reaper& reaper, const cgroup::Host& host,
                 const core::SandboxConfig& config, FdRef pause_program, Told told)
    : owner_(owner), reaper_(reaper), host_(host), config_(config), told_(std::move(told)) {
    facts_.id = config.id;
    facts_.cgroup = config.cgroup_parent + "/" + config.id + ".pod";
    facts_.created_at = task::unix_microseconds();
    facts_.shim_pid = ::getpid();
    fault_point("sandbox.cgroup");
    auto pod = cgroup::Group::create(host_, facts_.cgroup);
    Rollback rollback;  // after what it uses
    rollback.add([&] { pod.remove(); });
    start_pause(config, pause_program);
    rollback.release();
}

void Sandbox::start_pause(const core::SandboxConfig& config, FdRef pause_program) {
    auto group = cgroup::Group::create_everywhere(host_, facts_.cgroup + "/pause");
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
        try {
            group.join(group.clone_target().valid() ? cgroup::Group::Identity::already_there
                                                    : cgroup::Group::Identity::move);
        } catch (const Error& error) {
            launch::send_failed(setup.handshake, error);
            ::_exit(1);
        }
        if (inside) launch::run_sandbox_launcher(setup, flags);
        launch::run_sandbox_setup(setup);
    }
    // From here on what goes wrong is told by the loop: there is somebody to be ended.
    handshake_ = std::move(sockets.parent);
    if (inside) {
        launcher_ = std::move(child.pidfd);
    } else {
        pause_ = std::move(child.pidfd);
        facts_.pause_pid = child.pid;
    }
    if (!owner_.guard([this] { listen(); })) fail(Error(Code::internal, "cannot listen to pause"));
}

void Sandbox::listen() {
    sys::set_nonblocking(handshake_, true).or_throw("fcntl", "hand-shake");
    words_ = owner_.watch(handshake_, EPOLLIN, [this] { hear(); });
    deadline_ = owner_.after(kHandshakeLimit, [this] {
        fail(Error(Code::timeout, "the sandbox's pause process did not start within 10 s"));
    });
    if (launcher_)
        launcher_end_ = reaper_.expect(launcher_, owner_, [this](const sys::ExitStatus&) {
            hear();  // its word counts while it is known
            launcher_.reset();
            go_on();
        });
    else
        expect_pause();
}

void Sandbox::expect_pause() {
    pause_end_ = reaper_.expect(pause_, owner_, [this](const sys::ExitStatus& status) {
        pause_gone_ = true;
        if (facts_.state == core::SandboxState::creating) {
            hear();
            fail(Error(Code::internal, "the sandbox's pause process ended before it was ready"));
        } else {
            note_end(status);
            told_.ended();
        }
    });
}

/// What pause's set-up stage says; the end of the stream is that pause is exec'd, or nobody.
void Sandbox::hear() {
    while (handshake_) {
        auto packet = sys::receive_packet(handshake_);
        if (!packet && packet.error() == EAGAIN) return;
        if (!packet || packet.value().data.empty()) {
            words_.end();
            handshake_.reset();
            return go_on();
        }
        take(std::move(packet).value());
    }
}

void Sandbox::take(sys::Packet packet) {
    if (packet.data == "C") {
        proc_contexts_ = std::move(packet.fds);
    } else if (packet.data.front() == 'I' && packet.fds.size() == 1 && launcher_ && !pause_) {
        facts_.pause_pid =
            static_cast<pid_t>(parse_u32(std::string_view{packet.data}.substr(1)).value_or(0));
        pause_ = std::move(packet.fds.front());
        expect_pause();
    } else {
        fail(launch::decode_failure(packet.data));
    }
}

void Sandbox::go_on() {
    if (failed_ || facts_.state != core::SandboxState::creating || handshake_ || launcher_) return;
    if (!pause_) return fail(Error(Code::internal, "the sandbox's launcher ended without a word"));
    deadline_.cancel();
    try {
        if (!proc_contexts_.empty()) {
            proc_keeper_ = std::move(proc_contexts_.back());
            proc_contexts_.pop_back();
        }
        fault_point("sandbox.facts");
        note_namespaces(config_);
    } catch (const Error& error) {
        return fail(error);
    }
    facts_.state = core::SandboxState::ready;
    told_.made(std::nullopt);
}

/// The first reason counts. All that was made goes; then it is told.
void Sandbox::fail(const Error& error) {
    if (failed_) return;
    failed_ = error;
    words_.end();
    handshake_.reset();
    deadline_.cancel();
    undone_by_ = task::Loop::Clock::now() + kUndoLimit;
    undo();
}

void Sandbox::undo() {
    constexpr std::chrono::milliseconds kAgain{2};
    bool removed = false;
    (void)owner_.guard([&] {
        if (launcher_) (void)sys::pidfd_send_signal(launcher_, SIGKILL);
        if (pause_ && !pause_gone_) (void)sys::pidfd_send_signal(pause_, SIGKILL);
        cgroup::Group::open(host_, facts_.cgroup).kill();  // also who was born without a word
        removed = !launcher_ && (!pause_ || pause_gone_) && try_remove_cgroup();
    });
    if (removed || task::Loop::Clock::now() >= undone_by_) {
        const auto error = *failed_;
        return told_.made(error);
    }
    deadline_ = owner_.after(kAgain, [this] { undo(); });
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

void Sandbox::note_end(sys::ExitStatus end) {
    core::ExitRecord exit;
    exit.exit_code = end.code;
    exit.signal = end.signal;
    exit.exited_at = task::unix_microseconds();
    // Pause ends by SIGKILL only: ours, the memory's, or somebody's on the host.
    using Sender = core::ExitRecord::Sender;
    exit.oom_killed = !killed_ && was_out_of_memory();
    exit.sent_by = killed_ ? Sender::covey : exit.oom_killed ? Sender::kernel : Sender::unknown;
    facts_.exit = exit;
}

bool Sandbox::was_out_of_memory() const {
    try {
        const auto group = cgroup::Group::open(host_, facts_.cgroup + "/pause");
        return group.stats().oom_kills.value_or(0) > 0;
    } catch (const Error&) {
        return false;  // its group is gone: the counter with it
    }
}

bool Sandbox::try_remove_cgroup() {
    using cgroup::Removal;
    if (!removal_) removal_.emplace(host_, facts_.cgroup);
    try {
        const auto until = cgroup::TurnClock::now() + cgroup::kTurn;
        return removal_->turn(until) == Removal::Left::nothing;
    } catch (...) {
        removal_.reset();
        throw;
    }
}

void Sandbox::add_resident(std::vector<cgroup::Resident>& residents) const {
    if (pause_ && !pause_gone_)
        residents.push_back(
            {facts_.pause_pid, pause_, cgroup::Placement{facts_.cgroup + "/pause"}, ""});
}

std::string Sandbox::survivors() const {
    return cgroup::Group::open(host_, facts_.cgroup).survivors();
}

}  // namespace covey::shim
