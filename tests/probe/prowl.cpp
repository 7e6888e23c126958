// `hold CANARY-argv`: a victim. It keeps CANARY with "-memory", "-memfd" and "-deleted" at its end
// in its memory and in descriptors, says "ready" and waits.
//
// `prowl SECONDS SECRET CANARY [kill]`: a hostile neighbour that goes round all process numbers and
// tries every way into those that are not its own (prowl_files.cpp, prowl_calls.cpp), looking for
// SECRET, "-" and CANARY in what it gets (in two words, so that its own arguments are no find);
// with `kill` every way to end them. One JSON line at the end says what it got, and whether its own
// children are in its hands as ever.
#include "prowl.hpp"

#include "probe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace probe {

char g_secret[64];

namespace {

int keep(int fd, const std::string& text) {
    return fd >= 0 && write(fd, text.data(), text.size()) > 0 ? 0 : 1;
}

long number_in(const std::string& path) {
    return std::strtol(slurp(path).c_str(), nullptr, 10);
}

/// Where numbers are given round and round (kernel.pid_max is small), all of them.
pid_t highest_number() {
    constexpr long kMost = 4096;
    const long most = number_in("/proc/sys/kernel/pid_max");
    if (most > 0 && most <= kMost) return static_cast<pid_t>(most);
    const long last = std::max<long>(number_in("/proc/sys/kernel/ns_last_pid"), getpid());
    return static_cast<pid_t>(std::min(last + 8, kMost));
}

bool is_there(pid_t pid) {
    return kill(pid, 0) == 0 || errno != ESRCH;
}

class Prowler {
  public:
    Prowler(Loot& loot, bool kills, pid_t parent = 0)
        : loot_(loot), kills_(kills), parent_(parent) {}

    void go_round() {
        ++rounds;
        for (const auto& name : list("/proc"))
            if (const auto pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
                pid > 0 && !is_own(pid))
                loot_.reach("listing");
        for (pid_t pid = 1; pid <= highest_number(); ++pid) {
            if (is_own(pid)) continue;
            const auto text = std::to_string(pid);
            for (const auto& way : {"/proc/self/../" + text, "/proc/thread-self/../../../" + text,
                                    "/proc/self/root/proc/" + text, "/proc/self/task/" + text})
                try_detour(loot_, way);
            try_pidfd(loot_, pid);
            if (!is_there(pid)) continue;
            try_files(loot_, "/proc/" + text);
            try_calls(loot_, pid);
            if (kills_) try_signals(loot_, pid);
        }
        if (kills_) kill_everybody();
        look_again();
        keep_a_handle();
    }
    /// With a user namespace of its own, in which it has every capability.
    void go_round_in_user_namespace();
    std::uint64_t rounds = 0;

  private:
    [[nodiscard]] bool is_own(pid_t pid) const { return pid == getpid() || pid == parent_; }
    /// In a child, as whoever asks is spared.
    static void kill_everybody() {
        const pid_t child = fork();
        if (child == 0) {
            for (const int signal : {SIGHUP, SIGTERM})
                kill(-1, signal);
            _exit(0);
        }
        waitpid(child, nullptr, 0);
    }
    /// The folder of a child that has ended; its number is given to somebody else later.
    void keep_a_handle() {
        const pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        const auto folder = "/proc/" + std::to_string(child);
        const int fd = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        if (fd >= 0 && handles_.size() < 200)
            handles_.push_back(fd);
        else if (fd >= 0)
            close(fd);
    }
    void look_again() {
        for (const int handle : handles_)
            for (const char* name : {"cmdline", "environ"}) {
                const int fd = openat(handle, name, O_RDONLY | O_CLOEXEC);
                if (fd < 0) continue;
                char bytes[4096];
                const auto got = read(fd, bytes, sizeof bytes);
                if (got > 0) loot_.reach("an old handle");
                if (got > 0) loot_.look("an old handle", {bytes, static_cast<std::size_t>(got)});
                close(fd);
            }
    }

    Loot& loot_;
    bool kills_;
    pid_t parent_;
    std::vector<int> handles_;
};

std::string lines_of(const Loot& loot) {
    std::ostringstream text;
    for (const auto& [way, count] : loot.canaries)
        text << "C " << count << ' ' << way << '\n';
    for (const auto& [way, count] : loot.reached)
        text << "R " << count << ' ' << way << '\n';
    for (const auto& place : loot.places)
        text << "P 1 " << place << '\n';
    return text.str();
}

void add_lines(Loot& loot, const std::string& lines, const std::string& prefix) {
    std::istringstream text{lines};
    char kind = 0;
    std::uint64_t count = 0;
    for (std::string rest; text >> kind >> count && std::getline(text, rest);) {
        const auto name = rest.substr(1);
        if (kind == 'C') loot.canaries[prefix + name] += count;
        if (kind == 'R') loot.reached[prefix + name] += count;
        if (kind == 'P') loot.places.insert(name);
    }
}

/// A procfs of its own making, or the one that is there without what hides.
void prowl_after_mounting(Loot& loot, pid_t parent) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return;
    if (mount("proc", "/tmp", "proc", 0, nullptr) == 0) loot.reach("mount of a procfs");
    if (mount(nullptr, "/proc", nullptr, MS_REMOUNT, "hidepid=0") == 0)
        loot.reach("remount of /proc");
    Prowler{loot, false, parent}.go_round();
    for (pid_t pid = 1; pid < 64; ++pid)
        if (pid != parent && pid != getpid()) try_detour(loot, "/tmp/" + std::to_string(pid));
}

void Prowler::go_round_in_user_namespace() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        Loot loot{loot_.token};
        prowl_after_mounting(loot, parent);
        const auto lines = lines_of(loot);
        (void)!write(ends[1], lines.data(), lines.size());
        _exit(0);
    }
    close(ends[1]);
    std::string lines;
    char bytes[4096];
    for (ssize_t got = 0; (got = read(ends[0], bytes, sizeof bytes)) > 0;)
        lines.append(bytes, static_cast<std::size_t>(got));
    close(ends[0]);
    waitpid(child, nullptr, 0);
    add_lines(loot_, lines, "user namespace: ");
}

/// What must go on working: with a child of its own.
bool rules_over_own_child() {
    const pid_t child = fork();
    if (child == 0) {
        std::strcpy(g_secret, "of the child");
        raise(SIGSTOP);
        pause();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, WUNTRACED);
    char bytes[16] = {};
    iovec here{bytes, 12}, there{g_secret, 12};
    const bool reads = process_vm_readv(child, &here, 1, &there, 1, 0) == 12 &&
                       std::strcmp(bytes, "of the child") == 0;
    const bool sees = !slurp("/proc/" + std::to_string(child) + "/environ").empty();
    const bool traces = ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0;
    const bool kills = kill(child, SIGKILL) == 0;
    while (waitpid(child, &status, __WALL) == child && !WIFSIGNALED(status)) {
    }
    return WIFSIGNALED(status) && reads && sees && traces && kills;
}

std::string as_json(const std::map<std::string, std::uint64_t>& counts) {
    std::string json = "{";
    for (const auto& [name, count] : counts)
        json += (json.size() > 1 ? "," : "") + quoted(name) + ":" + std::to_string(count);
    return json + "}";
}

}  // namespace

int hold(const Arguments& arguments) {
    const auto argument = arguments.empty() ? std::string{} : arguments[0];
    const auto canary = argument.substr(0, argument.rfind('-'));
    const auto memory = canary + "-memory";
    std::memcpy(g_secret, memory.c_str(), std::min(memory.size(), sizeof g_secret - 1));
    const int file = open("/dev/shm/held", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (keep(memfd_create("held", MFD_CLOEXEC), canary + "-memfd") +
            keep(file, canary + "-deleted") + unlink("/dev/shm/held") !=
        0)
        return 1;
    say("ready");
    while (true)
        pause();
}

int prowl(const Arguments& arguments) {
    if (arguments.size() < 3) {
        say("usage: prowl SECONDS SECRET CANARY [kill]");
        return 2;
    }
    const bool kills = arguments.size() > 3;
    for (const int signal : {SIGTERM, SIGHUP, SIGIO})
        if (kills) ::signal(signal, SIG_IGN);
    Loot loot{arguments[1] + "-" + arguments[2]};
    Prowler prowler{loot, kills};
    const bool rules = rules_over_own_child();
    const double end = now() + std::strtod(arguments[0].c_str(), nullptr);
    do {
        prowler.go_round();
        prowler.go_round_in_user_namespace();
    } while (now() < end);
    say("{\"rounds\":" + std::to_string(prowler.rounds) +
        ",\"tries\":" + std::to_string(loot.tries) + ",\"rulesOwn\":" + (rules ? "true" : "false") +
        ",\"places\":" + quoted_list({loot.places.begin(), loot.places.end()}) +
        ",\"canaries\":" + as_json(loot.canaries) + ",\"reached\":" + as_json(loot.reached) +
        ",\"exists\":" + as_json(loot.exists) + "}");
    return 0;
}

}  // namespace probe
