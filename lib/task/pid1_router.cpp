#include "task/pid1_router.hpp"

#include "core/access.hpp"
#include "covey/error.hpp"
#include "plan/own_filters.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

namespace covey::task {
namespace {

/// Not a number of the pod's namespace: 1 is the main process of some namespace below it.
bool is_elsewhere(FdRef proc, pid_t caller, pid_t main) {
    const auto id_of = [&](pid_t pid) -> std::optional<sys::NamespaceId> {
        const auto file = sys::open_namespace(proc, pid, "pid");
        if (!file) return std::nullopt;
        const auto id = sys::namespace_id(file.value());
        return id ? std::optional{id.value()} : std::nullopt;
    };
    return id_of(caller) != id_of(main);
}

}  // namespace

void Pid1Router::take(UniqueFd listener) {
    const int number = listener.get();
    auto watch = owner_.watch(listener, EPOLLIN, [this, number] { on_event(number); });
    listeners_[number] = {std::move(listener), std::move(watch)};
}

void Pid1Router::on_event(int listener) {
    pollfd entry{listener, POLLIN, 0};
    if (::poll(&entry, 1, 0) <= 0) return;
    // seccomp_unotify(2): the last one who had the filter has ended.
    if ((entry.revents & POLLHUP) != 0) {
        listeners_.erase(listener);
        return;
    }
    seccomp_notif call{};
    // ENOENT: the caller was killed meanwhile.
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) answer(FdRef{listener}, call);
}

void Pid1Router::answer(FdRef listener, const seccomp_notif& call) const {
    seccomp_notif_resp response{};
    response.id = call.id;
    const auto wanted = plan::pid1_call(call.data);
    const auto target = target_();
    try {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        if (!wanted || wanted->signal < 1 || wanted->signal > SIGRTMAX ||
            is_elsewhere(proc, static_cast<pid_t>(call.pid), target.pid)) {
            // Safe, as the kernel takes numbers alone: there is nothing to be changed behind our
            // back.
            response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        } else {
            response.error = -deliver(listener, call, wanted->signal);
        }
    } catch (const Error& error) {
        response.error = -EPERM;
    }
    (void)::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/// The errno for the caller, or 0.
int Pid1Router::deliver(FdRef listener, const seccomp_notif& call, int signal) const {
    const auto target = target_();
    if (target.pid == 0) return ESRCH;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto from = core::read_access_facts(proc, "caller", static_cast<pid_t>(call.pid));
    const auto to = core::read_access_facts(proc, "main", target.pid);
    // Only now: whose number it was while it was read, seccomp_unotify(2).
    if (::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) != 0) return ESRCH;
    if (!core::judge_access(from, to, core::Action::signal).allowed) return EPERM;
    const auto sent = sys::pidfd_send_signal(target.process, signal);
    return sent ? 0 : sent.error();
}

}  // namespace covey::task
