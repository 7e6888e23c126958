#include "runtime/stillness.hpp"

#include "base/fault.hpp"
#include "cgroup/residents.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"
#include "launch/user_namespace.hpp"
#include "runtime/failure.hpp"
#include "runtime/standstill.hpp"
#include "spec/engine_annotations.hpp"
#include "spec/id_mappings.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/loop.hpp"
#include "task/members.hpp"
#include "task/stillness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

// The guard's word, and the command's: the end of the stream without that is the launch's failure,
// or the command's death.
constexpr std::string_view kAllStill = "still", kOver = "over";
constexpr int kNewcomerLimit = 5000;  // milliseconds that a command waits for a newcomer's end

/// In the guard process.
class Guard {
  public:
    Guard(const cgroup::Host& host, FdRef pid_namespace, const cgroup::Placement& newcomer,
          const Neighbours& neighbours, FdRef record, FdRef socket)
        : host_(host),
          containers_(neighbours.groups),
          newcomer_(cgroup::Group::open(host, newcomer)),
          record_(record),
          wanted_(sys::namespace_id(pid_namespace).or_throw("stat", "the pod's PID namespace")),
          others_(namespaces_of(neighbours.inits)),
          socket_(socket),
          stillness_(owner_, host, rules()) {}

    /// Until the command says that it is over, or the newcomer has ended.
    void run() {
        word_ = owner_.watch(socket_, EPOLLIN, [this] { on_word(); });
        (void)stillness_.hold([this](const std::optional<Error>& error) {
            if (error) return give_up(*error);
            is_still_ = true;
            sys::send_packet(socket_, kAllStill).or_throw("send", "report");
        });
        loop_.run();
    }

  private:
    /// A launch that has failed, or whose command was killed, may have left a newborn with all
    /// privileges.
    void on_word() {
        const auto word = sys::receive_packet(socket_);
        word_.end();
        if (!is_still_ || (word && word.value().data == kOver)) return loop_.stop();
        end_newcomer();
    }

    /// As long as it takes: while it is there, nobody who could reach it goes on.
    void end_newcomer() {
        constexpr std::chrono::milliseconds kAgain{2};
        again_ = owner_.after(kAgain, [this] { end_newcomer(); });
        try {
            if (newcomer_.is_empty()) return loop_.stop();
            newcomer_.kill();
        } catch (const Error&) {
            // It is tried again.
        }
    }

    /// The command hears why; who is privileged in the pod is killed now.
    void give_up(const Error& error) {
        launch::send_failed(socket_, error);
        if (!is_still_) return loop_.stop();
        newcomer_.kill();
    }

    task::Stillness::Rules rules() {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        const auto members = [this] {
            return std::make_unique<task::Members>(
                sys::open_proc().or_throw("open", "/proc"),
                [this](FdRef host_proc, pid_t pid) { return judge(host_proc, pid); });
        };
        return {[] { return std::vector<task::Members::Found>{}; },
                members,
                {cgroup::identity_of(host_, proc, ::getpid()), newcomer_.path()},
                [this](const std::string& group) { return container_of(group); },
                [this](const cgroup::Group& group) { note_still(record_, group); }};
    }

    /// Whoever is in this program's own sees it, and is the host.
    [[nodiscard]] std::vector<sys::NamespaceId> namespaces_of(const std::vector<pid_t>& inits) {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        std::vector<sys::NamespaceId> found;
        const auto look = [&](pid_t pid) -> std::optional<sys::NamespaceId> {
            const auto file = sys::open_namespace(proc, pid, "pid");
            const auto id = file ? sys::namespace_id(file.value()) : Errno{ESRCH};
            return id ? std::optional{id.value()} : std::nullopt;
        };
        const auto own = look(::getpid());
        for (const auto init : inits)
            if (const auto id = look(init); id && id != own && !(*id == wanted_))
                found.push_back(*id);
        return found;
    }

    [[nodiscard]] std::optional<task::Members::Found> judge(FdRef proc, pid_t pid) const {
        const auto file = sys::open_namespace(proc, pid, "pid");
        if (!file) return std::nullopt;  // gone, or a kernel thread
        const auto id = sys::namespace_id(file.value());
        if (!id) return std::nullopt;
        const bool is_in_pod = id.value() == wanted_;
        const bool is_beside =
            !is_in_pod && std::find(others_.begin(), others_.end(), id.value()) != others_.end();
        if (!(is_in_pod || is_beside)) return std::nullopt;
        if (!task::is_in_own_user_namespace(proc, pid) && !(is_in_pod && could_move_others(pid)))
            return std::nullopt;
        if (is_beside && !task::could_reach(proc, pid)) return std::nullopt;
        const auto group = cgroup::identity_of(host_, proc, pid);
        if (group.empty() || sys::is_ending(proc, pid)) return std::nullopt;
        return task::Members::Found{group, fmt::format("process {} of cgroup {}", pid, group)};
    }

    /// In a user namespace of its own: it could thaw who stands still, by moving him into a group
    /// of its own, as the host's root; on pure v1 as an equal user.
    [[nodiscard]] bool could_move_others(pid_t pid) const {
        if (!can_be_left_ || host_.unified.empty()) return can_be_left_;
        try {
            const auto map = launch::read_id_map(fmt::format("/proc/{}/uid_map", pid));
            return map.empty() || spec::maps_host_id(map, 0);
        } catch (const Error&) {
            return true;  // nobody can tell
        }
    }

    [[nodiscard]] std::string container_of(const std::string& group) const {
        for (const auto& top : containers_)
            if (cgroup::is_in_group(group, top)) return top;
        return group;
    }

    const cgroup::Host& host_;
    const std::vector<std::string>& containers_;
    cgroup::Group newcomer_;
    FdRef record_;
    sys::NamespaceId wanted_;
    std::vector<sys::NamespaceId> others_;  // of the pod's containers that are not in that one
    FdRef socket_;
    bool is_still_ = false;
    bool can_be_left_ = cgroup::lets_others_be_moved(host_);
    task::Loop loop_;
    task::Owner owner_{loop_, "guard", [this](const Error& error) { give_up(error); }};
    task::Watch word_;
    task::Timer again_;
    task::Stillness stillness_;
};

Error error_in(std::string_view words) {
    if (words.empty())
        return Error(Code::failed_precondition,
                     "pid mode nested: the process that holds the pod still was killed")
            .with_fix("try again");
    return launch::decode_failure(words);
}

int run_guard(const cgroup::Host& host, FdRef pid_namespace, const cgroup::Placement& newcomer,
              const Neighbours& neighbours, PodLock& lock, FdRef socket) {
    try {
        (void)sys::set_name("covey:guard");
        // Not to be ended with the command by a signal to its group.
        (void)::setsid();
        const std::array keep{socket.get(), pid_namespace.get(), lock.record().get(),
                              lock.folder().get()};
        sys::close_all_except(keep).or_throw("close", "the command's descriptors");
        note_newcomer(lock.record(), cgroup::Group::open(host, newcomer));
        Guard{host, pid_namespace, newcomer, neighbours, lock.record(), socket}.run();
        undo_standstill(lock.record(), host, Newcomer::dropped);
        lock.let_go();
        return 0;
    } catch (const Error& error) {
        launch::send_failed(socket, error);
    } catch (const std::exception& error) {
        launch::send_failed(socket, Error(Code::internal, error.what()));
    }
    return 1;
}

}  // namespace

Neighbours neighbours_of(const core::ContainerRecord& newcomer,
                         const std::vector<core::ContainerRecord>& all) {
    const auto sandbox_of = [](const core::ContainerRecord& record) -> std::string {
        try {
            return spec::engine_words(record.annotations).sandbox;
        } catch (const Error&) {
            return {};  // two engines' disagree
        }
    };
    Neighbours found;
    const auto pod = sandbox_of(newcomer);
    for (const auto& record : all) {
        if (!record.cgroup.path.empty()) found.groups.push_back(record.cgroup.path);
        const auto its = pod.empty() ? pod : sandbox_of(record);
        // One that names no pod may be in each.
        if (record.pid > 0 && (its == pod || its.empty())) found.inits.push_back(record.pid);
    }
    return found;
}

Stillness::Stillness(const cgroup::Host& host, FdRef pid_namespace, const cgroup::Group& newcomer,
                     const Neighbours& neighbours)
    : host_(host), newcomer_(newcomer), lock_(PodLock::alone(pid_namespace)) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    fault_point("runtime.freeze");
    auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "guard");
    if (child.pid == 0)
        ::_exit(
            run_guard(host, pid_namespace, newcomer.placement(), neighbours, lock_, sockets.child));
    guard_ = std::move(child.pidfd);
    socket_ = std::move(sockets.parent);
    sockets.child.reset();
    const auto answer = sys::receive_packet(socket_);
    if (answer && answer.value().data == kAllStill) return;
    auto error = answer ? error_in(answer.value().data)
                        : Error::from_errno(answer.error(), "receive", "guard's report");
    socket_.reset();
    finish(Newcomer::dropped);  // there is none yet
    throw error;
}

Stillness::~Stillness() {
    socket_.reset();
    if (guard_) finish(Newcomer::ends);
}

std::optional<Error> Stillness::over() noexcept {
    (void)sys::send_packet(socket_, kOver);
    finish(Newcomer::dropped);
    pollfd entry{socket_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 0) <= 0) return std::nullopt;
    try {
        const auto packet = sys::receive_packet(socket_);
        if (packet && !packet.value().data.empty()) return error_in(packet.value().data);
    } catch (const std::exception&) {
        // Nothing that it could say is worth more than the launch.
    }
    return std::nullopt;
}

Error Stillness::read_bad_news() const {
    const auto packet = sys::receive_packet(socket_);
    return error_in(packet ? std::string_view{packet.value().data} : std::string_view{});
}

void Stillness::finish(Newcomer newcomer) noexcept {
    try {
        const auto guard = std::move(guard_);
        if (!sys::wait_ended(guard, kNewcomerLimit))
            return report_warning(
                "those who could reach the newborn stand still until it has ended: " +
                newcomer_.survivors());
        (void)sys::wait_process(guard);
        // It was killed.
        if (is_standstill_noted(lock_.record())) undo_standstill(lock_.record(), host_, newcomer);
        lock_.let_go();
    } catch (const std::exception& error) {
        report_warning(std::string{"letting the pod go on: "} + error.what());
    }
}

}  // namespace covey::runtime
