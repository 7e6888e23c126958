// The small sub-commands, and the table of all of them.
#include "probe.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace probe {
namespace {

std::string word(const Arguments& arguments, std::size_t index) {
    return index < arguments.size() ? arguments[index] : "";
}

long number(const Arguments& arguments, std::size_t index) {
    return std::strtol(word(arguments, index).c_str(), nullptr, 0);
}

void wait_seconds(double seconds) {
    timespec time{static_cast<time_t>(seconds), 0};
    time.tv_nsec = static_cast<long>((seconds - static_cast<double>(time.tv_sec)) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &time) == EINTR) {
    }
}

int sleep_command(const Arguments& arguments) {
    if (word(arguments, 0) == "forever")
        while (true)
            pause();
    wait_seconds(std::strtod(word(arguments, 0).c_str(), nullptr));
    return 0;
}

int exit_command(const Arguments& arguments) {
    std::fflush(nullptr);
    _exit(static_cast<int>(number(arguments, 0)));
}

std::string joined(const Arguments& arguments) {
    std::string line;
    for (const auto& argument : arguments)
        line += (line.empty() ? "" : " ") + argument;
    return line;
}

int echo(const Arguments& arguments) {
    say(joined(arguments));
    return 0;
}

int echo_error(const Arguments& arguments) {
    std::fprintf(stderr, "%s\n", joined(arguments).c_str());
    return 0;
}

int copy(int from) {
    char buffer[65536];
    ssize_t got = 0;
    while ((got = read(from, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0; done < got;) {
            const ssize_t put =
                write(STDOUT_FILENO, buffer + done, static_cast<std::size_t>(got - done));
            if (put < 0) return 1;
            done += put;
        }
    }
    return got == 0 ? 0 : 1;
}

int cat(const Arguments&) {
    return copy(STDIN_FILENO);
}

int write_command(const Arguments& arguments) {
    const auto text = word(arguments, 1);
    const int fd = ::open(word(arguments, 0).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const long put = fd < 0 ? -1 : write(fd, text.data(), text.size());
    const int status = say_result(put);
    if (fd >= 0) close(fd);
    return status;
}

int read_command(const Arguments& arguments) {
    const int fd = ::open(word(arguments, 0).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return say_result(fd);
    const int status = copy(fd);
    close(fd);
    return status;
}

int open_command(const Arguments& arguments) {
    const int mode = word(arguments, 1) == "w" ? O_WRONLY : O_RDONLY;
    const int fd = ::open(word(arguments, 0).c_str(), mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const int status = say_result(fd);
    if (fd >= 0) close(fd);
    return status;
}

int mkdir_command(const Arguments& arguments) {
    return say_result(mkdir(word(arguments, 0).c_str(), 0755));
}

int mknod_command(const Arguments& arguments) {
    const auto kind = word(arguments, 1);
    const mode_t type = kind == "b" ? S_IFBLK : kind == "c" ? S_IFCHR : S_IFIFO;
    const auto device = makedev(static_cast<unsigned>(number(arguments, 2)),
                                static_cast<unsigned>(number(arguments, 3)));
    return say_result(mknod(word(arguments, 0).c_str(), type | 0666, device));
}

int socket_command(const Arguments& arguments) {
    static const std::map<std::string, int> families{{"unix", AF_UNIX},       {"inet", AF_INET},
                                                     {"inet6", AF_INET6},     {"packet", AF_PACKET},
                                                     {"netlink", AF_NETLINK}, {"vsock", AF_VSOCK}};
    const auto known = families.find(word(arguments, 0));
    const int family =
        known != families.end() ? known->second : static_cast<int>(number(arguments, 0));
    const int type = family == AF_PACKET || family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM;
    const int fd = socket(family, type | SOCK_CLOEXEC, 0);
    const int status = say_result(fd);
    if (fd >= 0) close(fd);
    return status;
}

int signal_number(const std::string& name) {
    const auto bare = name.rfind("SIG", 0) == 0 ? name.substr(3) : name;
    for (int signal = 1; signal < NSIG; ++signal) {
        const char* known = sigabbrev_np(signal);
        if (known != nullptr && bare == known) return signal;
    }
    return static_cast<int>(std::strtol(bare.c_str(), nullptr, 10));
}

int kill_command(const Arguments& arguments) {
    return say_result(
        kill(static_cast<pid_t>(number(arguments, 0)), signal_number(word(arguments, 1))));
}

/// Keeps its children, as a fork bomb does, but ends after N.
int fork_command(const Arguments& arguments) {
    long made = 0;
    const char* error = "";
    for (; made < number(arguments, 0); ++made) {
        const pid_t child = fork();
        if (child == 0)
            while (true)
                pause();
        if (child < 0) {
            error = strerrorname_np(errno);
            break;
        }
    }
    say("{\"forked\":" + std::to_string(made) + ",\"errno\":" + quoted(error) + "}");
    while (true)
        pause();
}

int daemonise(const Arguments& arguments) {
    const pid_t first = fork();
    if (first < 0) return say_result(first);
    if (first > 0) {
        waitpid(first, nullptr, 0);
        return 0;
    }
    setsid();
    if (fork() != 0) _exit(0);
    _exit(run(arguments));
}

/// N processes that lose their parent at once and end a little later.
int spawn_orphans(const Arguments& arguments) {
    const pid_t parent = fork();
    if (parent == 0) {
        for (long i = 0; i < number(arguments, 0); ++i) {
            if (fork() == 0) {
                wait_seconds(0.05);
                _exit(0);
            }
        }
        _exit(0);
    }
    int status = 0;
    waitpid(parent, &status, 0);
    return say_result(status);
}

/// Handles every signal that can be: says "ready", then each name. With N it ends after N of them.
int signals(const Arguments& arguments) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    say("ready");
    for (long left = arguments.empty() ? -1 : number(arguments, 0); left != 0; --left) {
        int signal = 0;
        if (sigwait(&all, &signal) != 0) continue;
        const char* name = sigabbrev_np(signal);
        say(name != nullptr ? std::string{"SIG"} + name : std::to_string(signal));
    }
    return 0;
}

int ptrace_command(const Arguments& arguments) {
    const auto pid = static_cast<pid_t>(number(arguments, 0));
    return say_result(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr));
}

int readlink_command(const Arguments& arguments) {
    const auto target = link_target(word(arguments, 0));
    say(target[0] == '?' ? target.substr(1) : target);
    return target[0] == '?' ? 1 : 0;
}

int ls(const Arguments& arguments) {
    const int fd = ::open(word(arguments, 0).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return say_result(fd);
    close(fd);
    say(quoted_list(list(word(arguments, 0))));
    return 0;
}

int stat_command(const Arguments& arguments) {
    struct stat status {};
    if (lstat(word(arguments, 0).c_str(), &status) != 0) return say_result(-1);
    char json[256];
    std::snprintf(json, sizeof json,
                  "{\"mode\":\"%06o\",\"uid\":%u,\"gid\":%u,\"size\":%lld,\"inode\":%llu,"
                  "\"major\":%u,\"minor\":%u}",
                  status.st_mode, status.st_uid, status.st_gid,
                  static_cast<long long>(status.st_size),
                  static_cast<unsigned long long>(status.st_ino), major(status.st_rdev),
                  minor(status.st_rdev));
    say(json);
    return 0;
}

/// sd_notify(3) to NOTIFY_SOCKET.
int notify_command(const Arguments& arguments) {
    const char* path = getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path != nullptr) std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto text = word(arguments, 0);
    return say_result(::sendto(fd, text.data(), text.size(), 0,
                               reinterpret_cast<sockaddr*>(&address), sizeof address));
}

int tty(const Arguments&) {
    winsize size{};
    const bool is_terminal = ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0;
    say(std::string{"{\"tty\":"} + (is_terminal ? "true" : "false") +
        ",\"name\":" + quoted(link_target("/proc/self/fd/0")) +
        ",\"rows\":" + std::to_string(size.ws_row) + ",\"columns\":" + std::to_string(size.ws_col) +
        ",\"foreground\":" + std::to_string(tcgetpgrp(STDIN_FILENO)) + "}");
    return 0;
}

/// Arguments are numbers in C notation, or "@text" for a pointer to that text.
int syscall_command(const Arguments& arguments) {
    long values[7] = {};
    for (std::size_t i = 0; i < 7 && i < arguments.size(); ++i) {
        const auto& argument = arguments[i];
        values[i] = argument.rfind('@', 0) == 0
                        ? reinterpret_cast<long>(argument.c_str() + 1)
                        : static_cast<long>(std::strtoull(argument.c_str(), nullptr, 0));
    }
    const long result =
        syscall(values[0], values[1], values[2], values[3], values[4], values[5], values[6]);
    if (result == -1) return say_result(result);
    say(std::to_string(result));
    return 0;
}

using Command = int (*)(const Arguments&);
const std::map<std::string, Command>& commands() {
    static const std::map<std::string, Command> table{
        {"burden", burden},
        {"cat", cat},
        {"daemonise", daemonise},
        {"deep-groups", deep_groups},
        {"echo", echo},
        {"echo-error", echo_error},
        {"exit", exit_command},
        {"fork", fork_command},
        {"hold", hold},
        {"hostile", hostile},
        {"ids", ids},
        {"key", key},
        {"kill", kill_command},
        {"ls", ls},
        {"mkdir", mkdir_command},
        {"mknod", mknod_command},
        {"mounts", mounts},
        {"notify", notify_command},
        {"open", open_command},
        {"own-cgroups", own_cgroups},
        {"own-proc", own_proc},
        {"prowl", prowl},
        {"ptrace", ptrace_command},
        {"read", read_command},
        {"readlink", readlink_command},
        {"signals", signals},
        {"sleep", sleep_command},
        {"socket", socket_command},
        {"spawn-orphans", spawn_orphans},
        {"stat", stat_command},
        {"state", state},
        {"syscall", syscall_command},
        {"traced-thread", traced_thread},
        {"tty", tty},
        {"two-threads", two_threads},
        {"undying", undying},
        {"unfreezable", unfreezable},
        {"wide-groups", wide_groups},
        {"write", write_command},
    };
    return table;
}

}  // namespace

int run(const Arguments& words) {
    const auto command = words.empty() ? commands().end() : commands().find(words[0]);
    if (command == commands().end()) {
        std::fprintf(stderr, "probe: unknown sub-command '%s'\n", word(words, 0).c_str());
        return 2;
    }
    return command->second({words.begin() + 1, words.end()});
}

}  // namespace probe

int main(int argc, char** argv) {
    probe::remember_argv(argc, argv);
    int status = 2;
    probe::Arguments words;
    for (int i = 1; i <= argc; ++i) {
        if (i < argc && std::strcmp(argv[i], "--") != 0) {
            words.emplace_back(argv[i]);
            continue;
        }
        status = probe::run(words);
        words.clear();
    }
    return status;
}
