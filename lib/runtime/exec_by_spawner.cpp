#include "runtime/exec_by_spawner.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/foreground.hpp"
#include "runtime/seat.hpp"
#include "runtime/spawner.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr int kAnswerLimit = 10'000;  // milliseconds

/// What a covey-runtime reads of its environment; the rest is the caller's own business.
std::vector<std::string> own_variables() {
    std::vector<std::string> variables;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
        for (const std::string_view prefix : {"COVEY_", "XDG_RUNTIME_DIR="})
            if (std::string_view{*entry}.starts_with(prefix)) variables.emplace_back(*entry);
    return variables;
}

std::string packet_of(const SpawnedExec& exec) {
    auto packet = encode(CommandLine{exec.words, own_variables()});
    if (packet.size() > sys::kLargestPacket)
        throw Error(Code::too_large,
                    fmt::format("an exec into a container with restricted access takes at most {} "
                                "bytes of arguments",
                                sys::kLargestPacket))
            .with_fix("pass the process by --process FILE");
    return packet;
}

Error no_spawner(const ContainerFolder& folder, const std::string& why) {
    return Error(Code::failed_precondition,
                 fmt::format("exec: the spawner of container {} {}", folder.id(), why))
        .with_fix(
            "its access is restricted, and only the spawner is in its domain: if it was "
            "killed, create the container anew");
}

/// The kernel says who sent the first word: the process that `create` recorded, which lives.
void require_spawner(FdRef socket, const ContainerFolder& folder,
                     const core::ContainerRecord& record) {
    const auto process = open_spawner(record);
    if (!process) throw no_spawner(folder, "has ended");
    pollfd entry{socket.get(), POLLIN, 0};
    if (::poll(&entry, 1, kAnswerLimit) <= 0) throw no_spawner(folder, "says nothing");
    const auto hello = sys::receive_packet(socket).or_throw("receive", "the spawner's word");
    if (hello.data.empty()) throw no_spawner(folder, "does not take the command");
    const auto number = sys::pidfd_number(process);
    if (hello.data != kHello || !number || hello.sender != number.value())
        throw no_spawner(folder, fmt::format("is process {}, and process {} answers for it",
                                             record.spawner, hello.sender));
}

UniqueFd ask_spawner(const ContainerFolder& folder, const SpawnedExec& exec) {
    const unsigned most = sys::kMostPacketFds - 3 - (exec.process.valid() ? 1 : 0);
    if (exec.preserved_fds > most)
        throw Error(Code::invalid_argument,
                    fmt::format("an exec into a container with restricted access takes at most {} "
                                "descriptors, not {}",
                                most, exec.preserved_fds));
    const auto packet = packet_of(exec);
    auto socket = sys::seqpacket_connect_at(folder.fd(), kSpawnerSocket);
    if (!socket)
        throw no_spawner(folder, fmt::format("is not there: {}", errno_text(socket.error())));
    sys::pass_credentials(socket.value()).or_throw("setsockopt", "connection to the spawner");
    require_spawner(socket.value(), folder, exec.record);
    std::vector<FdRef> fds;
    for (int fd = 0; fd < 3 + static_cast<int>(exec.preserved_fds); ++fd)
        fds.emplace_back(fd);
    if (exec.process.valid()) fds.push_back(exec.process);
    sys::send_packet(socket.value(), packet, fds).or_throw("ask", "the container's spawner");
    return std::move(socket).value();
}

/// Until the process has ended; passes the signals of this process on to it.
sys::ExitStatus stand_for(FdRef socket, const Signals& signals) {
    std::array<pollfd, 2> entries{pollfd{socket.get(), POLLIN, 0},
                                  pollfd{signals.fd().get(), POLLIN, 0}};
    while (true) {
        if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR)
            throw Error::from_errno(errno, "wait for", "the exec");
        while (const auto signal = next_signal(signals))
            (void)sys::send_packet(socket, encode_signal(*signal));
        if (entries[0].revents == 0) continue;
        const auto report = receive_report(socket);
        // Without a word: it was killed.
        if (!report) return {128 + SIGKILL, SIGKILL};
        if (const auto* ended = std::get_if<sys::ExitStatus>(&*report)) return *ended;
    }
}

/// The caller sees the end that the process had.
[[noreturn]] void end_like(const sys::ExitStatus& status) {
    if (status.signal != 0) {
        const rlimit none{0, 0};
        (void)::setrlimit(RLIMIT_CORE, &none);  // the process's own is enough
        ::signal(status.signal, SIG_DFL);
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, status.signal);
        ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
        ::raise(status.signal);
    }
    ::_exit(status.code);
}

[[noreturn]] void run_proxy(FdRef socket, UniqueFd ready) noexcept {
    try {
        const Signals signals;
        (void)sys::set_name("covey:proxy");
        (void)::setsid();
        const auto null = sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null");
        for (int fd = 0; fd < 3; ++fd)
            if (::dup2(null.get(), fd) < 0) throw Error::from_errno(errno, "dup2", "/dev/null");
        const std::array keep{socket.get(), signals.fd().get(), ready.get()};
        sys::close_all_except(keep).or_throw("close", "the command's descriptors");
        ready.reset();
        end_like(stand_for(socket, signals));
    } catch (const std::exception&) {
        // The end of the connection ends the process too.
    }
    ::_exit(kExec.failure_status);
}

/// Returns when it can be signalled.
pid_t start_proxy(FdRef socket) {
    auto ready = sys::make_pipe().or_throw("pipe", "proxy");
    const auto proxy = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "proxy");
    if (proxy.pid == 0) run_proxy(socket, std::move(ready.write));
    ready.write.reset();
    (void)sys::read_all(ready.read, 1);
    return proxy.pid;
}

}  // namespace

int exec_by_spawner(const ContainerFolder& folder, const SpawnedExec& exec) {
    const Signals signals;
    const auto socket = ask_spawner(folder, exec);
    const auto report = receive_report(socket);
    if (!report) return kExec.failure_status;
    if (const auto* ended = std::get_if<sys::ExitStatus>(&*report)) return ended->code;
    if (!exec.detach) return stand_for(socket, signals).code;
    exec.pid_file.write(start_proxy(socket));
    return 0;
}

}  // namespace covey::runtime
