#include "launch/proc_context.hpp"

#include "base/text.hpp"
#include "launch/message.hpp"
#include "sys/environment.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <array>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace covey::launch {
namespace {

// What is said to the launcher, besides Failed.
constexpr std::string_view kContext = "C";  // with the context
constexpr std::string_view kEnded = "E";    // by the helper, of its child
constexpr char kMember = 'M';               // by the helper, with its child's number

/// Capabilities over nothing but a user namespace of one's own, and nothing to see.
void give_up_host() {
    const auto made = sys::unshare(CLONE_NEWUSER | CLONE_NEWNS);
    if (!made)
        throw Error::from_errno(made.error(), "unshare", "user namespace of the procfs helper")
            .with_code(Code::unsupported_by_host)
            .with_fix("raise user.max_user_namespaces, or use Linux 6.18, whose procfs has pidns=");
    sys::set_propagation_of_all(MS_SLAVE).or_throw("make slave", "mounts");
    const auto context = sys::open_filesystem("tmpfs").or_throw("open filesystem type", "tmpfs");
    const auto root = sys::finish_filesystem(context, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                                          MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
                          .or_throw("create filesystem", "tmpfs");
    sys::attach_at(root, sys::kCwd, "/").or_throw("attach", "empty root");
    sys::pivot_into(root).or_throw("pivot into", "empty root");
}

void send_context(FdRef socket) {
    const auto context = sys::open_filesystem("proc").or_throw("open filesystem type", "proc");
    const std::array<FdRef, 1> fds{context};
    sys::send_packet(socket, kContext, fds).or_throw("send", "procfs context");
}

/// In a child of the launcher: enters the namespace for its own child, which asks for the context.
void run_proc_helper(FdRef pid_namespace, FdRef socket) {
    sys::set_namespace(pid_namespace, CLONE_NEWPID).or_throw("join pid namespace");
    give_up_host();
    const std::array keep{socket.get()};
    sys::close_all_except(keep).or_throw("close", "host descriptors");
    const auto member = sys::clone_process({0, 0, FdRef{-1}}).or_throw("clone", "procfs helper");
    if (member.pid == 0) {
        send_context(socket);
        ::_exit(0);
    }
    sys::send_packet(socket, kMember + std::to_string(member.pid)).or_throw("send", "number");
    (void)sys::wait_ended(member.pidfd, -1);
    (void)sys::send_packet(socket, kEnded);
    // Not reaped before the launcher has heard of it: until then its number is its own.
    (void)sys::receive_packet(socket);
    (void)sys::wait_process(member.pidfd);
}

[[noreturn]] void helper(FdRef pid_namespace, FdRef socket) noexcept {
    try {
        sys::forget_environment();  // its child is in the pod's sight
        run_proc_helper(pid_namespace, socket);
        ::_exit(0);
    } catch (const Error& error) {
        send_failed(socket, error);
    } catch (const std::exception& error) {
        send_failed(socket, Error(Code::internal, error.what()));
    }
    ::_exit(1);
}

/// The one that asks for the context is in the pod's sight, and with it its socket in the hand of
/// whoever has SYS_PTRACE there: what it sends counts by its number, which the helper tells.
UniqueFd receive_context(FdRef socket, pid_t helper) {
    UniqueFd context;
    pid_t member = 0, sender = 0;
    while (!context || member == 0) {
        auto packet = sys::receive_packet(socket).or_throw("receive", "procfs context");
        const bool is_helpers = packet.sender == helper;
        if (packet.data.empty() || (is_helpers && packet.data == kEnded))
            throw Error(Code::internal, "the procfs helper ended without a word");
        if (is_helpers && packet.data.front() == kMember) {
            member =
                static_cast<pid_t>(parse_u32(std::string_view{packet.data}.substr(1)).value_or(0));
        } else if (!is_helpers && packet.data == kContext && packet.fds.size() == 1) {
            context = std::move(packet.fds.front());
            sender = packet.sender;
        } else {
            throw decode_failure(packet.data);
        }
    }
    if (sender == member) return context;
    throw Error(Code::failed_precondition, "a process of the pod spoke for the procfs helper")
        .with_fix("look who of the pod has SYS_PTRACE, or use Linux 6.18");
}

}  // namespace

UniqueFd open_proc_context(FdRef pid_namespace) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    sys::pass_credentials(sockets.parent).or_throw("setsockopt", "procfs helper's socket");
    const auto child = sys::clone_process({0, 0, FdRef{-1}}).or_throw("clone", "procfs helper");
    if (child.pid == 0) helper(pid_namespace, sockets.child);
    sockets.child.reset();
    UniqueFd context;
    std::optional<Error> failure;
    try {
        context = receive_context(sockets.parent, child.pid);
    } catch (const Error& error) {
        failure = error;
    }
    sockets.parent.reset();
    sys::wait_process(child.pidfd).or_throw("wait for", "procfs helper");
    if (failure) throw Error(*failure);
    return context;
}

UniqueFd make_in_sight(const ProcSight& sight, const std::function<UniqueFd()>& make) {
    // setns(2) puts the caller on the root of the mount namespace that it enters.
    const auto root = sys::open_dir("/").or_throw("open", "/");
    sys::set_namespace(sight.keeper, CLONE_NEWNS).or_throw("enter", "the keeper of a procfs");
    auto made = make();
    sys::set_namespace(sight.home, CLONE_NEWNS).or_throw("return to", "own mount namespace");
    sys::chroot_into(root).or_throw("return to", "own root");
    return made;
}

}  // namespace covey::launch
