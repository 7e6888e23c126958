#include "launch/nested.hpp"

#include "base/fault.hpp"
#include "launch/context.hpp"
#include "launch/identity.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace covey::launch {
namespace {

// What is said on the socket between the launcher and the two others, while the neighbours stand
// still; a thief of init's end comes too late for all but the launcher's Go, and whoever swallows
// that ends the launch. Besides these the process between says Failed.
constexpr std::string_view kInit = "I";  // the process between → launcher, with init's pidfd
constexpr std::string_view kNestedContext =
    "C";  // init → launcher, with a procfs context, if it opens one
constexpr std::string_view kNestedDropped = "D";  // init → launcher
constexpr std::string_view kNestedGo = "G";       // launcher → init

constexpr int kLimit = 10'000;  // milliseconds: the process between only clones and ends

Error clone_error(int error) {
    if (error == ENOSPC) return namespace_limit_error("use pid mode pod or container");
    if (error == ENOMEM)
        return Error(Code::sandbox_gone,
                     "the PID namespace to nest in is gone: its first process has ended")
            .with_fix("create the sandbox anew");
    return Error::from_errno(error, "clone", "init")
        .with_fix(error == EAGAIN ? "raise the container's pids limit" : "");
}

}  // namespace

/// The kernel has one errno for both, and an account cannot be asked for what is in it.
Error namespace_limit_error(std::string_view instead) {
    return Error(Code::resource_exhausted,
                 "a PID namespace inside this one is not possible (ENOSPC); full: namespaces of "
                 "the user (user.max_*_namespaces), or it would be the 33rd level")
        .with_fix(fmt::format("{}, nest less deeply (the kernel's limit is 32), or raise "
                              "user.max_pid_namespaces and its like",
                              instead));
}

NestedLaunch::NestedLaunch(RootBuilder& builder, FdRef channel, bool opens_proc)
    : builder_(builder), channel_(channel), opens_proc_(opens_proc) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    socket_ = std::move(sockets.parent);
    childs_socket_ = std::move(sockets.child);
}

void NestedLaunch::launch(const Steps& steps) {
    fault_point("nested.freeze");
    ask_for_stillness(channel_);
    const auto between = clone_between(std::move(childs_socket_), steps);
    try {
        finish(between, steps);
    } catch (const Error& error) {
        // Before the socket closes: init ends then, and its end must not be heard before the
        // reason.
        send_failed(channel_, prefixed("launcher", error));
        throw;
    }
}

void NestedLaunch::finish(FdRef between, const Steps& steps) {
    await_drop(between);
    fault_point("nested.dropped");
    // While the neighbours stand still: until everything in it is masked, one that may look into
    // init has the host's own switches in there (/proc/sys, sysrq-trigger).
    builder_.finish_proc(proc_source());
    send_dropped(channel_);
    steps.on_dropped();
    sys::send_packet(socket_, kNestedGo).or_throw("send", "go");
}

UniqueFd NestedLaunch::clone_between(UniqueFd socket, const Steps& steps) {
    auto child = sys::clone_process({CLONE_PARENT, 0, FdRef{-1}});
    if (!child) throw clone_error(child.error());
    if (child.value().pid == 0) ::_exit(run_between(socket, steps));
    send_between(channel_, child.value().pid);
    return std::move(child.value().pidfd);
}

/// A member of the pod's namespace for as long as one clone takes.
int NestedLaunch::run_between(FdRef socket, const Steps& steps) {
    ::close(channel_.get());  // nor will init have it
    try {
        (void)sys::set_name("covey:between");
        NestedEnd end{socket, opens_proc_, builder_.descriptors()};
        end.not_for_init.insert(end.not_for_init.end(), steps.not_for_init.begin(),
                                steps.not_for_init.end());
        socket_.reset();
        fault_point("nested.between");
        auto child = sys::clone_process({CLONE_PARENT | CLONE_NEWPID, 0, FdRef{-1}});
        if (!child) throw clone_error(child.error());
        if (child.value().pid == 0) steps.run_init(end);
        const std::array fds{child.value().pidfd.ref()};
        sys::send_packet(socket, kInit, fds).or_throw("send", "init's descriptor");
        return 0;
    } catch (const Error& error) {
        send_failed(socket, prefixed("between", error));
    } catch (const std::exception& error) {
        send_failed(socket, Error(Code::internal, error.what()));
    }
    return 1;
}

/// init holds the other end of the socket too, so its end does not tell that who should speak of
/// init has failed.
void NestedLaunch::await_word(FdRef between) {
    std::array<pollfd, 2> entries{pollfd{socket_.get(), POLLIN, 0},
                                  pollfd{between.get(), POLLIN, 0}};
    while (::poll(entries.data(), entries.size(), -1) < 0)
        if (errno != EINTR) throw Error::from_errno(errno, "wait for", "init's report");
    if (entries[0].revents == 0)
        throw Error(Code::internal, "the process between launcher and init failed");
}

void NestedLaunch::await_drop(FdRef between) {
    while (!dropped_ || !init_) {
        if (!init_) await_word(between);
        take(sys::receive_packet(socket_).or_throw("receive", "init's report"));
    }
    // It is privileged until its end.
    if (!sys::wait_ended(between, kLimit))
        throw Error(Code::timeout, "the process between launcher and init did not end");
}

void NestedLaunch::take(sys::Packet packet) {
    if (packet.data == kInit && packet.fds.size() == 1)
        init_ = std::move(packet.fds.front());
    else if (packet.data == kNestedContext && packet.fds.size() == 1)
        proc_context_ = std::move(packet.fds.front());
    else if (packet.data == kNestedDropped)
        dropped_ = true;
    else if (packet.data.empty())
        // init has said why by itself.
        throw Error(Code::internal, "init ended before it had dropped its privileges");
    else
        throw decode_failure(packet.data);
}

ProcSource NestedLaunch::proc_source() {
    ProcSource source;
    if (proc_context_) {
        source.context = proc_context_;
        return source;
    }
    pid_namespace_ = sys::pidfd_pid_namespace(init_).or_throw("get", "init's PID namespace");
    source.pid_namespace = pid_namespace_;
    return source;
}

void drop_in_nested(const plan::ProcessPlan& process, const NestedEnd& launcher, FdRef channel) {
    set_own_scheduler(process);
    if (launcher.opens_proc) {
        // Before the cut, as Prepared.
        const auto context = sys::open_filesystem("proc").or_throw("open filesystem type", "proc");
        const std::array fds{context.ref()};
        sys::send_packet(launcher.socket, kNestedContext, fds).or_throw("send", "procfs context");
    }
    for (const int fd : launcher.not_for_init)
        ::close(fd);
    cut_privileges(process, channel);
    sys::send_packet(launcher.socket, kNestedDropped).or_throw("send", "report");
    const auto answer = sys::receive_packet(launcher.socket).or_throw("receive", "go");
    // The launcher has ended, and it is the one that says why.
    if (answer.data != kNestedGo) ::_exit(1);
    ::close(launcher.socket.get());
}

}  // namespace covey::launch
