// Processes that make others wait: whoever reaps, reads, stops or ends them.
#include "kinds.hpp"
#include "thief.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
namespace {

void* write_on(void* path) {
    const int file =
        open(static_cast<const char*>(path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    while (true) {
        (void)!write(file, ".", 1);
        usleep(20'000);
    }
}

bool is_mine(pid_t pid) {
    return pid == getpid() || pid == 1;
}

}  // namespace

/// dead-leader FILE: the first thread ends, another one writes on.
int dead_leader(const Arguments& words) {
    static std::string path;
    path = words.at(0);
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, write_on, path.data()) != 0) return 1;
    say("ready");
    pthread_exit(nullptr);
}

/// trace-all NAME: seizes every process of that name, and never waits for one.
int trace_all(const Arguments& words) {
    while (true) {
        for (const auto pid : processes()) {
            if (is_mine(pid) || name_of(pid) != words.at(0)) continue;
            if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0) say("GOT " + std::to_string(pid));
        }
        usleep(1000);
    }
}

/// stop-all NAME: SIGSTOP for every newborn of that name.
int stop_all(const Arguments& words) {
    while (true) {
        for (const auto pid : processes())
            if (!is_mine(pid) && name_of(pid) == words.at(0) && kill(pid, SIGSTOP) == 0)
                say("GOT " + std::to_string(pid));
        usleep(1000);
    }
}

/// storm PROCESSES: each asks the router as fast as it can.
int storm(const Arguments& words) {
    for (long one = 0; one < number(words.at(0)); ++one)
        if (fork() == 0)
            while (true)
                kill(1, SIGURG);
    say("ready");
    rest();
}

/// bomb: doubles until the kernel refuses, and goes on trying.
int bomb(const Arguments&) {
    say("ready");
    while (true)
        if (fork() < 0) sched_yield();
}

/// hold-streams: its child keeps the streams open when it has ended itself.
int hold_streams(const Arguments&) {
    say("ready");
    if (fork() == 0) {
        setsid();
        if (fork() == 0) rest();
        _exit(0);
    }
    return 0;
}

/// pass-streams SOCKET / keep-streams SOCKET: an exec gives its streams to the main process.
int keep_streams(const Arguments& words) {
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, words.at(0).c_str(), sizeof address.sun_path - 1);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 8) != 0)
        return 1;
    say("ready");
    while (true) {
        const int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        char data = 0;
        char control[CMSG_SPACE(3 * sizeof(int))];
        iovec part{&data, 1};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        (void)recvmsg(peer, &message, 0);
        (void)!write(peer, "k", 1);
    }
}

int pass_streams(const Arguments& words) {
    const int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, words.at(0).c_str(), sizeof address.sun_path - 1);
    if (connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
    char data = 's';
    const int streams[3] = {0, 1, 2};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof streams)]{};
    iovec part{&data, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof streams);
    std::memcpy(CMSG_DATA(header), streams, sizeof streams);
    if (sendmsg(peer, &message, 0) != 1) return 1;
    (void)!read(peer, &data, 1);
    say("GOT streams passed");
    return 0;
}

/// flood-notify: datagrams without a READY to the socket that the environment names.
int flood_notify(const Arguments& words) {
    const char* path = getenv("NOTIFY_SOCKET");
    if (path == nullptr) return 1;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    // PID 1 of a namespace ends by no signal that it has no handler for.
    signal(SIGTERM, [](int) { _exit(0); });
    say("ready");
    for (long one = 1; one < number(words.at(0)); ++one)
        if (fork() == 0) break;
    const int peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    while (connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        usleep(1000);
    while (true)
        (void)!send(peer, "STATUS=still busy\n", 18, 0);
}

/// deaf-terminal: never reads what is typed.
int deaf_terminal(const Arguments&) {
    signal(SIGTERM, [](int) { _exit(0); });
    say("ready");
    rest();
}

/// flood-terminal: prints without an end.
int flood_terminal(const Arguments&) {
    const std::string text(4096, 'y');
    while (true)
        (void)!write(1, text.data(), text.size());
}

}  // namespace thief
