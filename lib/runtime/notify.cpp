#include "runtime/notify.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <poll.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr const char* kFolder = "notify";
constexpr const char* kName = "notify.sock";
constexpr const char* kFolderInside = "/run/notify";
constexpr int kMostAtOnce = 64;  // messages

std::string callers_socket() {
    const char* path = std::getenv("NOTIFY_SOCKET");
    return path != nullptr ? path : "";
}

}  // namespace

bool NotifySocket::is_wanted() {
    return !callers_socket().empty();
}

void NotifySocket::add_to(spec::Spec& spec, const std::string& root, const std::string& id) {
    spec::Mount mount;
    mount.destination = kFolderInside;
    mount.type = "bind";
    mount.source = fmt::format("{}/{}/{}", root, id, kFolder);
    mount.options = {"bind", "nosuid", "noexec", "nodev", "ro"};
    spec.mounts.push_back(std::move(mount));
    if (spec.process)
        spec.process->env.push_back(fmt::format("NOTIFY_SOCKET={}/{}", kFolderInside, kName));
}

void NotifySocket::make_folder(FdRef state_folder) {
    constexpr mode_t kMode = 0755;
    sys::mkdir_at(state_folder, kFolder, kMode).or_throw("make folder", kFolder);
}

bool NotifySocket::has_folder(FdRef state_folder) {
    return sys::stat_at(state_folder, kFolder).has_value();
}

NotifySocket::NotifySocket(FdRef state_folder, pid_t init) : init_(init) {
    const auto folder = sys::open_dir_at(state_folder, kFolder).or_throw("open folder", kFolder);
    socket_ = sys::datagram_bind_at(folder, kName).or_throw("bind", kName);
}

bool NotifySocket::pass_on() {
    std::array<char, 4096> message{};
    // A container that sends without an end must not keep its caller from signals and from its end.
    for (int taken = 0; taken < kMostAtOnce; ++taken) {
        const auto got = ::read(socket_.get(), message.data(), message.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        // The container's words are not passed on as they are: only that one fact.
        for (const auto line : split({message.data(), static_cast<std::size_t>(got)}, '\n')) {
            if (line != "READY=1") continue;
            sys::send_datagram_to(callers_socket(), fmt::format("MAINPID={}\nREADY=1\n", init_))
                .or_throw("send to", "NOTIFY_SOCKET");
            return true;
        }
    }
    return false;
}

void NotifySocket::wait(FdRef init) {
    while (!pass_on()) {
        std::array<pollfd, 2> entries{pollfd{socket_.get(), POLLIN, 0},
                                      pollfd{init.get(), POLLIN, 0}};
        if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR)
            throw Error::from_errno(errno, "wait for", "the container's readiness");
        if (entries[1].revents == 0) continue;
        (void)pass_on();  // its last words
        return;
    }
}

}  // namespace covey::runtime
