#include "runtime/stillness.hpp"

#include "base/fault.hpp"
#include "base/text.hpp"
#include "cgroup/frozen_groups.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <exception>
#include <string_view>

#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr std::string_view kStill = "still";

/// In the guard process.
class Guard {
  public:
    Guard(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer)
        : host_(host),
          proc_(sys::open_proc().or_throw("open", "/proc")),
          wanted_(sys::namespace_id(pid_namespace).or_throw("stat", "the pod's PID namespace")),
          groups_(host, {cgroup::identity_of(host, proc_, ::getpid()), newcomer}) {}

    /// Again until nobody new is found: who ran meanwhile may have forked or joined.
    void freeze() {
        constexpr int kMostRounds = 16;
        for (int round = 0; freeze_round(); ++round)
            if (round == kMostRounds)
                throw Error(Code::timeout, "the pod's processes keep coming in new cgroups")
                    .with_fix("try again when the pod is quiet");
    }

  private:
    bool freeze_round() {
        bool grew = false;
        for (const auto& name : sys::list_dir(proc_).or_throw("list", "/proc")) {
            const auto pid = parse_u32(name);
            if (pid && is_member(static_cast<pid_t>(*pid)))
                grew = freeze_group_of(static_cast<pid_t>(*pid)) || grew;
        }
        return grew;
    }

    bool is_member(pid_t pid) const {
        const auto file = sys::open_namespace(proc_, pid, "pid");
        if (!file) return false;  // gone, or a kernel thread
        const auto id = sys::namespace_id(file.value());
        return id && id.value() == wanted_;
    }

    bool freeze_group_of(pid_t pid) {
        const auto path = cgroup::identity_of(host_, proc_, pid);
        return !path.empty() && groups_.freeze(path, fmt::format("process {}", pid));
    }

    const cgroup::Host& host_;
    UniqueFd proc_;
    sys::NamespaceId wanted_;
    cgroup::FrozenGroups groups_;
};

int run_guard(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer,
              FdRef socket) {
    try {
        (void)sys::set_name("covey:guard");
        // Not to be ended with the command by a signal to its group.
        (void)::setsid();
        const std::array keep{socket.get(), pid_namespace.get()};
        sys::close_all_except(keep).or_throw("close", "the command's descriptors");
        Guard guard{host, pid_namespace, newcomer};
        guard.freeze();
        sys::send_packet(socket, kStill).or_throw("send", "report");
        // The end of the stream: the command says that it is over, or has ended.
        (void)sys::receive_packet(socket);
        return 0;
    } catch (const Error& error) {
        launch::send_failed(socket, error);
    } catch (const std::exception& error) {
        launch::send_failed(socket, Error(Code::internal, error.what()));
    }
    return 1;
}

}  // namespace

Stillness::Stillness(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    fault_point("runtime.freeze");
    auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "guard");
    if (child.pid == 0) ::_exit(run_guard(host, pid_namespace, newcomer, sockets.child));
    guard_ = std::move(child.pidfd);
    socket_ = std::move(sockets.parent);
    sockets.child.reset();
    const auto answer = sys::receive_packet(socket_).or_throw("receive", "guard's report");
    if (answer.data == kStill) return;
    (void)sys::wait_process(guard_);
    if (answer.data.empty())
        throw Error(Code::internal, "the process that holds the pod still ended without a word");
    throw launch::decode_failure(answer.data);
}

Stillness::~Stillness() {
    socket_.reset();
    (void)sys::wait_process(guard_);
}

}  // namespace covey::runtime
