#include "runtime/spawner.hpp"

#include "covey/error.hpp"
#include "runtime/seat.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

// Descriptors as run_spawner() finds them.
constexpr int kControl = 3, kOwnFilePlace = 4;
constexpr int kRequestLimit = 10'000;  // milliseconds
// A request's descriptors go to 0, 1, 2 …
constexpr std::size_t kFewest = 3;

/// They become 0, 1, 2 … of this process, whatever numbers they have now, and stay over an exec.
void take_places(const std::vector<FdRef>& fds) {
    constexpr int kHigh = 100;  // out of the way of the numbers that they go to
    std::vector<UniqueFd> high;
    for (const auto& fd : fds) {
        high.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kHigh));
        if (!high.back()) throw Error::from_errno(errno, "fcntl", "descriptor");
    }
    for (std::size_t i = 0; i < high.size(); ++i)
        if (::dup2(high[i].get(), static_cast<int>(i)) < 0)
            throw Error::from_errno(errno, "dup2", "descriptor");
}

bool is_listening(FdRef fd) {
    int listens = 0;
    socklen_t size = sizeof listens;
    return ::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 1;
}

/// In the process of one exec: covey-runtime once more, with the caller's words.
[[noreturn]] void run_inside(const CommandLine& line, const std::vector<UniqueFd>& fds,
                             FdRef socket) {
    try {
        std::vector<FdRef> places{fds.begin(), fds.end()};
        const int seat = static_cast<int>(places.size());
        places.push_back(socket);
        places.emplace_back(kOwnFilePlace);
        take_places(places);
        const FdRef own{seat + 1};
        sys::set_cloexec(own, true).or_throw("fcntl", "own program");
        sys::set_nonblocking(FdRef{seat}, false).or_throw("fcntl", "connection");
        ::signal(SIGCHLD, SIG_DFL);
        auto env = line.env;
        env.push_back(fmt::format("{}={}", kSeatVariable, seat));
        (void)sys::exec_fd(own, line.args, env);
    } catch (const std::exception&) {
        // The end of the connection tells.
    }
    ::_exit(1);
}

/// A command of the same user's in the PID namespace of this process, which no process of the
/// container is in. /proc/PID/status is all that a domain lets one read of a process outside.
bool is_command(FdRef socket, const sys::PeerCredentials& peer) {
    const auto process = sys::peer_pidfd(socket);
    if (!process || peer.uid != ::geteuid() || peer.pid <= 0) return false;
    const auto proc = sys::open_proc();
    if (!proc) return false;
    const auto status = sys::read_status(proc.value(), peer.pid);
    // The number is its own as long as the pidfd says so.
    const auto number = sys::pidfd_number(process.value());
    return status && number && number.value() == peer.pid && status.value().ns_pids.size() == 1;
}

void serve(FdRef listener) {
    const auto socket = sys::accept(listener);
    if (!socket || !sys::pass_credentials(socket.value())) return;
    const auto peer = sys::peer_credentials(socket.value());
    if (!peer || !is_command(socket.value(), peer.value())) return;
    if (!sys::send_packet(socket.value(), kHello)) return;
    pollfd entry{socket.value().get(), POLLIN, 0};
    if (::poll(&entry, 1, kRequestLimit) <= 0) return;
    auto packet = sys::receive_packet(socket.value());
    if (!packet || packet.value().sender != peer.value().pid) return;
    if (packet.value().fds.size() < kFewest) return;
    const auto line = decode_command_line(packet.value().data);
    const auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}});
    if (child && child.value().pid == 0) run_inside(line, packet.value().fds, socket.value());
}

void work(FdRef listener, FdRef init) {
    std::array<pollfd, 2> entries{pollfd{init.get(), POLLIN, 0}, pollfd{listener.get(), POLLIN, 0}};
    while (true) {
        if (::poll(entries.data(), entries.size(), -1) < 0) {
            if (errno == EINTR) continue;
            throw Error::from_errno(errno, "wait for", "an exec");
        }
        if (entries[0].revents != 0) return;
        try {
            serve(listener);
        } catch (const Error&) {
            // A request that makes no sense is its sender's business: its connection has ended.
        }
    }
}

}  // namespace

void become_spawner(FdRef control) noexcept {
    try {
        const auto null = sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null");
        const auto own = sys::open("/proc/self/exe", O_RDONLY).or_throw("open", "own program");
        take_places({null, null, null, control, own});
        const std::array keep{kControl, kOwnFilePlace};
        sys::close_all_except(keep).or_throw("close", "descriptors of the launch");
        (void)sys::exec_fd(FdRef{kOwnFilePlace}, {std::string{kSpawnerName}}, {});
    } catch (const std::exception&) {
        // Whoever waits at the other end of `control` sees its end.
    }
    ::_exit(1);
}

int run_spawner() {
    (void)sys::set_name("covey:spawner");
    try {
        sys::set_dumpable(false).or_throw("set", "dumpable");
        (void)::setsid();
        if (::chdir("/") != 0) throw Error::from_errno(errno, "chdir", "/");
        for (const int fd : {kControl, kOwnFilePlace})
            sys::set_cloexec(FdRef{fd}, true).or_throw("fcntl", "own descriptors");
        ::signal(SIGCHLD, SIG_IGN);  // what the execs come to is told by their connections
        UniqueFd control{kControl};
        auto packet = sys::receive_packet(control).or_throw("receive", "order");
        if (packet.fds.size() != 2) return 0;  // the create has failed
        // What is neither would be asked for ever.
        if (!sys::pidfd_number(packet.fds[1]) || !is_listening(packet.fds[0])) return 1;
        control.reset();
        work(packet.fds[0], packet.fds[1]);
        return 0;
    } catch (const std::exception&) {
        return 1;
    }
}

void put_to_work(const launch::KeepSpawner& spawner, FdRef state_folder, FdRef init,
                 core::ContainerRecord& record) {
    const auto listener = sys::seqpacket_listen_at(state_folder, kSpawnerSocket)
                              .or_throw("listen at", kSpawnerSocket);
    const std::array fds{listener.ref(), init};
    sys::send_packet(spawner.control, "work", fds).or_throw("send order to", "spawner");
    record.spawner = spawner.pid;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    record.spawner_start_time =
        sys::read_stat(proc, record.spawner).or_throw("read stat of", "spawner").start_time;
}

UniqueFd open_spawner(const core::ContainerRecord& record) {
    if (record.spawner <= 0) return {};
    auto process = sys::pidfd_open(record.spawner);
    if (!process) return {};
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto stat = sys::read_stat(proc, record.spawner);
    const bool is_it = stat && stat.value().start_time == record.spawner_start_time &&
                       stat.value().state != 'Z' && stat.value().state != 'X';
    return is_it ? std::move(process).value() : UniqueFd{};
}

void end_spawner(const core::ContainerRecord& record) {
    const auto process = open_spawner(record);
    if (!process) return;
    (void)sys::pidfd_send_signal(process, SIGKILL);
    if (!sys::wait_ended(process, kRequestLimit))
        throw Error(Code::timeout,
                    fmt::format("the spawner of container {} does not end", record.id))
            .with_fix("look at its state in /proc: it waits in the kernel (state D)");
}

}  // namespace covey::runtime
