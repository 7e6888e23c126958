#include "launch/seccomp_agent.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/privileges.hpp"
#include "sys/socket.hpp"

#include <array>
#include <cerrno>
#include <utility>

namespace covey::launch {

bool asks_agent(const plan::ProcessPlan& process) {
    return process.seccomp && !process.seccomp->listener_path.empty();
}

void connect_agent(const plan::ProcessPlan& process, FdRef channel) {
    if (!asks_agent(process)) return;
    const auto& path = process.seccomp->listener_path;
    const auto slash = path.find_last_of('/');
    const auto refused = [&](Errno reason) {
        return Error::from_errno(reason.value, "connect to seccomp agent", path)
            .with_fix("start the agent that listens on linux.seccomp.listenerPath");
    };
    const auto folder = sys::open_dir(slash == 0 ? std::string{"/"} : path.substr(0, slash));
    if (!folder) throw refused(Errno{folder.error()});
    const auto socket = sys::stream_connect_at(folder.value(), path.substr(slash + 1));
    if (!socket) throw refused(Errno{socket.error()});
    send_agent(channel, socket.value(), process.seccomp->listener_metadata);
}

void load_filter(const plan::SeccompFilter& filter, FdRef channel) {
    auto listener = sys::load_seccomp(filter.filter, filter.flags);
    if (!listener && listener.error() == EBUSY)
        throw Error(Code::unsupported_by_host,
                    "this process has a seccomp filter with a listener already, and the kernel "
                    "takes one alone")
            .with_fix("do not run Covey itself under such a filter");
    const auto loaded = std::move(listener).or_throw("load", "seccomp filter");
    if (loaded) send_listener(channel, loaded);
}

void load_asking_filter(const plan::ProcessPlan& process, FdRef channel) {
    if (process.no_new_privileges && asks_agent(process)) load_filter(*process.seccomp, channel);
}

void SeccompDelivery::deliver(pid_t pid, const State& state) {
    if (pid == 0 || !agent_.socket || !listener_) return;
    // The specification wants one sendmsg(2) and one message for each connection.
    sys::send_packet(agent_.socket, state(pid, agent_.metadata), std::array{listener_.ref()})
        .or_throw("send to", "the seccomp agent");
    listener_.reset();
    agent_.socket.reset();
}

}  // namespace covey::launch
