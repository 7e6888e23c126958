// A container whose own standstill is somebody else's to end: the descriptor of its group's freezer
// (v1) goes to an accomplice in another container, which nobody holds still.
#include "kinds.hpp"
#include "thief.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
/// thaw-give SOCKET SECONDS: gives its freezer away, then as seize.
int thaw_give(const Arguments& words) {
    const pid_t child = fork();
    if (child == 0) {
        const int socket = connect_to(words.at(0));
        if (socket < 0 || !become_owner() || !mount_groups("freezer")) {
            say("TRIED to mount the freezer: " + errno_name());
            _exit(1);
        }
        const int file =
            open((std::string{kGroupsPlace} + "/freezer.state").c_str(), O_WRONLY | O_CLOEXEC);
        say(file >= 0 && send_packet(socket, "thaw", {file}) ? "GOT it given"
                                                             : "TRIED to give: " + errno_name());
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    return seize({words.at(1)});
}

/// thaw-take SOCKET MILLISECONDS: thaws whoever has given, every so often.
int thaw_take(const Arguments& words) {
    const int server = listen_at(words.at(0));
    say(server >= 0 ? "ready" : "TRIED to listen: " + errno_name());
    const int socket = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
    std::string bytes;
    std::vector<int> files;
    while (receive_packet(socket, bytes, files) < 0)
        wait_a_moment(1);
    if (files.empty()) return 1;
    say("GOT a freezer");
    const auto pause = static_cast<int>(number(words.at(1)));
    while (true) {
        (void)!pwrite(files.front(), "THAWED", 6, 0);
        if (pause > 0) wait_a_moment(pause);
    }
}

}  // namespace thief
