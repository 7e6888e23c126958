// `state`, `ids` and `mounts`: what a container's process is and sees.
#include "probe.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char** environ;

namespace probe {
namespace {

std::vector<std::string> g_argv;

std::string hex(std::uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "\"%016" PRIx64 "\"", value);
    return text;
}

/// By system calls, so that it works where there is no /proc.
std::string capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    syscall(SYS_capget, &header, data);
    const auto whole = [](std::uint32_t low, std::uint32_t high) {
        return hex(static_cast<std::uint64_t>(high) << 32U | low);
    };
    std::uint64_t bounding = 0;
    std::uint64_t ambient = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        if (prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1) bounding |= std::uint64_t{1} << bit;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, bit, 0, 0) == 1)
            ambient |= std::uint64_t{1} << bit;
    }
    return "{\"effective\":" + whole(data[0].effective, data[1].effective) +
           ",\"permitted\":" + whole(data[0].permitted, data[1].permitted) +
           ",\"inheritable\":" + whole(data[0].inheritable, data[1].inheritable) +
           ",\"bounding\":" + hex(bounding) + ",\"ambient\":" + hex(ambient) + "}";
}

std::string limits() {
    static const std::map<std::string, int> names{
        {"RLIMIT_AS", RLIMIT_AS},
        {"RLIMIT_CORE", RLIMIT_CORE},
        {"RLIMIT_CPU", RLIMIT_CPU},
        {"RLIMIT_DATA", RLIMIT_DATA},
        {"RLIMIT_FSIZE", RLIMIT_FSIZE},
        {"RLIMIT_LOCKS", RLIMIT_LOCKS},
        {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
        {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
        {"RLIMIT_NICE", RLIMIT_NICE},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE},
        {"RLIMIT_NPROC", RLIMIT_NPROC},
        {"RLIMIT_RSS", RLIMIT_RSS},
        {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
        {"RLIMIT_RTTIME", RLIMIT_RTTIME},
        {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
        {"RLIMIT_STACK", RLIMIT_STACK},
    };
    std::string json = "{";
    for (const auto& [name, number] : names) {
        rlimit64 limit{};
        if (syscall(SYS_prlimit64, 0, number, nullptr, &limit) != 0) continue;
        json += (json.size() > 1 ? "," : "") + quoted(name) +
                ":{\"soft\":" + std::to_string(limit.rlim_cur) +
                ",\"hard\":" + std::to_string(limit.rlim_max) + "}";
    }
    return json + "}";
}

/// Found by asking for each number, so that a hidden or missing /proc hides nothing.
std::string descriptors() {
    std::string json = "[";
    for (int fd = 0; fd < 4096; ++fd) {
        if (fcntl(fd, F_GETFD) < 0) continue;
        json += std::string{json.size() > 1 ? "," : ""} + "{\"fd\":" + std::to_string(fd) +
                ",\"target\":" + quoted(link_target("/proc/self/fd/" + std::to_string(fd))) + "}";
    }
    return json + "]";
}

std::string namespaces() {
    std::string json = "{";
    for (const auto& name : list("/proc/self/ns")) {
        const auto target = link_target("/proc/self/ns/" + name);  // "pid:[4026531836]"
        const auto open = target.find('[');
        if (open == std::string::npos) continue;
        json += (json.size() > 1 ? "," : "") + quoted(name) + ":" +
                target.substr(open + 1, target.size() - open - 2);
    }
    return json + "}";
}

std::string status_field(const std::string& name) {
    std::istringstream status{slurp("/proc/self/status")};
    for (std::string line; std::getline(status, line);) {
        if (line.rfind(name + ":", 0) != 0) continue;
        const auto start = line.find_first_not_of(" \t", name.size() + 1);
        return start == std::string::npos ? "" : line.substr(start);
    }
    return "";
}

std::string working_directory() {
    char path[4096];
    // Raw: libc's getcwd(3) hides the "(unreachable)" that a folder outside the root shows.
    const long length = syscall(SYS_getcwd, path, sizeof path);
    return length > 0 ? path : std::string{"?"} + std::to_string(errno);
}

std::string groups() {
    gid_t ids[1024];
    const int count = getgroups(1024, ids);
    std::string json = "[";
    for (int i = 0; i < count; ++i)
        json += (i > 0 ? "," : "") + std::to_string(ids[i]);
    return json + "]";
}

std::string or_null(const std::string& number) {
    return number.empty() ? "null" : number.substr(0, number.find('\n'));
}

std::string id_members() {
    return "\"pid\":" + std::to_string(getpid()) + ",\"ppid\":" + std::to_string(getppid()) +
           ",\"sid\":" + std::to_string(getsid(0)) + ",\"pgid\":" + std::to_string(getpgrp()) +
           ",\"uid\":" + std::to_string(getuid()) + ",\"euid\":" + std::to_string(geteuid()) +
           ",\"gid\":" + std::to_string(getgid()) + ",\"egid\":" + std::to_string(getegid()) +
           ",\"groups\":" + groups() + ",\"nsPid\":" + quoted(status_field("NSpid"));
}

}  // namespace

void remember_argv(int argc, char** argv) {
    g_argv.assign(argv, argv + argc);
}

int ids(const Arguments&) {
    say("{" + id_members() + "}");
    return 0;
}

int state(const Arguments&) {
    const mode_t mask = umask(0);
    umask(mask);
    char octal[8];
    std::snprintf(octal, sizeof octal, "%04o", mask);
    utsname names{};
    uname(&names);
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable)
        environment.emplace_back(*variable);

    std::string json = "{" + id_members();
    json += ",\"umask\":" + quoted(octal) + ",\"cwd\":" + quoted(working_directory());
    json += ",\"caps\":" + capabilities();
    json += ",\"noNewPrivs\":";
    json += prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "true" : "false";
    json += ",\"seccomp\":" + or_null(status_field("Seccomp"));
    json += ",\"rlimits\":" + limits();
    json += ",\"oomScoreAdj\":" + or_null(slurp("/proc/self/oom_score_adj"));
    json += ",\"env\":" + quoted_list(environment) + ",\"argv\":" + quoted_list(g_argv);
    json += ",\"hostname\":" + quoted(names.nodename);
    json += ",\"domainname\":" + quoted(names.domainname);
    json += ",\"fds\":" + descriptors() + ",\"namespaces\":" + namespaces();
    json += ",\"root\":" + quoted_list(list("/"));
    json += ",\"exe\":" + quoted(link_target("/proc/self/exe")) + "}";
    say(json);
    return 0;
}

/// proc_pid_mountinfo(5), a JSON object each line.
int mounts(const Arguments&) {
    std::istringstream table{slurp("/proc/self/mountinfo")};
    for (std::string row; std::getline(table, row);) {
        std::istringstream fields{row};
        std::string id, parent, device, root, point, options, word, type, source, super;
        std::vector<std::string> optional;
        fields >> id >> parent >> device >> root >> point >> options;
        while (fields >> word && word != "-")
            optional.push_back(word);
        fields >> type >> source >> super;
        say("{\"id\":" + id + ",\"parent\":" + parent + ",\"device\":" + quoted(device) +
            ",\"root\":" + quoted(root) + ",\"mountPoint\":" + quoted(point) +
            ",\"options\":" + quoted(options) + ",\"optional\":" + quoted_list(optional) +
            ",\"fsType\":" + quoted(type) + ",\"source\":" + quoted(source) +
            ",\"superOptions\":" + quoted(super) + "}");
    }
    return 0;
}

}  // namespace probe
