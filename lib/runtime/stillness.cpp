#include "runtime/stillness.hpp"

#include "base/fault.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/loop.hpp"
#include "task/members.hpp"
#include "task/stillness.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

// The guard's word, and the command's: its end without that is its death.
constexpr std::string_view kStill = "still", kOver = "over";

/// In the guard process.
class Guard {
  public:
    Guard(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer, FdRef socket)
        : host_(host),
          newcomer_(newcomer),
          wanted_(sys::namespace_id(pid_namespace).or_throw("stat", "the pod's PID namespace")),
          socket_(socket),
          stillness_(owner_, host, rules(newcomer)) {}

    /// Until the command says that it is over, or has ended: the end of the stream.
    void run() {
        end_ = owner_.watch(socket_, EPOLLIN, [this] { on_word(); });
        (void)stillness_.hold([this](const std::optional<Error>& error) {
            if (error) return give_up(*error);
            is_still_ = true;
            sys::send_packet(socket_, kStill).or_throw("send", "report");
        });
        loop_.run();
    }

  private:
    /// A command that was killed may have left a newborn with all privileges.
    void on_word() {
        constexpr std::chrono::milliseconds kRest{10};
        const auto word = sys::receive_packet(socket_);
        if (is_still_ && !newcomer_.empty() && !(word && word.value().data == kOver)) {
            const auto group = cgroup::Group::open(host_, cgroup::Placement{newcomer_});
            group.kill();
            (void)group.wait_empty(kRest);
        }
        loop_.stop();
    }

    /// Who is privileged in the pod ends before the others go on.
    void give_up(const Error& error) {
        if (is_still_ && !newcomer_.empty())
            cgroup::Group::open(host_, cgroup::Placement{newcomer_}).kill();
        launch::send_failed(socket_, error);
        if (!is_still_) loop_.stop();
    }

    task::Stillness::Rules rules(const std::string& newcomer) {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        const auto members = [this] {
            return std::make_unique<task::Members>(
                sys::open_proc().or_throw("open", "/proc"),
                [this](FdRef host_proc, pid_t pid) { return judge(host_proc, pid); });
        };
        return {[] { return std::vector<task::Members::Found>{}; },
                members,
                {cgroup::identity_of(host_, proc, ::getpid()), newcomer}};
    }

    [[nodiscard]] std::optional<task::Members::Found> judge(FdRef proc, pid_t pid) const {
        const auto file = sys::open_namespace(proc, pid, "pid");
        if (!file) return std::nullopt;  // gone, or a kernel thread
        const auto id = sys::namespace_id(file.value());
        if (!id || !(id.value() == wanted_) || !task::is_in_own_user_namespace(proc, pid))
            return std::nullopt;
        const auto group = cgroup::identity_of(host_, proc, pid);
        if (group.empty()) return std::nullopt;
        return task::Members::Found{group, fmt::format("process {} of cgroup {}", pid, group)};
    }

    const cgroup::Host& host_;
    std::string newcomer_;
    sys::NamespaceId wanted_;
    FdRef socket_;
    bool is_still_ = false;
    task::Loop loop_;
    task::Owner owner_{loop_, "guard", [this](const Error& error) {
                           launch::send_failed(socket_, error);
                           loop_.stop();
                       }};
    task::Watch end_;
    task::Stillness stillness_;
};

int run_guard(const cgroup::Host& host, FdRef pid_namespace, const std::string& newcomer,
              FdRef socket) {
    try {
        (void)sys::set_name("covey:guard");
        // Not to be ended with the command by a signal to its group.
        (void)::setsid();
        const std::array keep{socket.get(), pid_namespace.get()};
        sys::close_all_except(keep).or_throw("close", "the command's descriptors");
        Guard{host, pid_namespace, newcomer, socket}.run();
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
    (void)sys::send_packet(socket_, kOver);
    socket_.reset();
    (void)sys::wait_process(guard_);
}

}  // namespace covey::runtime
