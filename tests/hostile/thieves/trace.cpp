// `trace SECONDS CANARY`: traces whoever has the same parent as itself (in pid mode node: what
// Covey has left beside the container, such as its spawner and the launchers of execs), and looks
// through its eyes at the host. Siblings only: nobody else's processes are touched, whatever the
// container is allowed.
#include "thief.hpp"

#include <cstdlib>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <sys/ptrace.h>
#include <unistd.h>

namespace thief {
namespace {

std::string field_of(const std::string& text, const std::string& name) {
    const auto at = text.find("\n" + name + ":");
    if (at == std::string::npos) return "";
    std::istringstream rest{text.substr(at + name.size() + 2)};
    std::string word;
    rest >> word;
    return word;
}

bool is_sibling(const std::string& status) {
    return field_of(status, "PPid") == std::to_string(getppid());
}

void look_through(const std::string& folder, const std::string& who) {
    for (const char* way : {"/root", "/cwd"}) {
        const int fd = open((folder + way).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) continue;
        loot_folder(fd, std::string{"/proc/N"} + way + " of " + who);
        close(fd);
    }
}

}  // namespace

int trace(const Arguments& arguments) {
    if (arguments.size() != 2) {
        say("usage: trace SECONDS CANARY");
        return 2;
    }
    set_canary(arguments[1]);
    const auto own = field_of("\n" + slurp("/proc/self/status"), "CapEff");
    std::map<std::string, bool> done;
    say("ready");
    const double end = now() + std::strtod(arguments[0].c_str(), nullptr);
    for (; now() < end; wait_a_moment(5))
        for (const auto& name : list("/proc")) {
            const auto pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
            if (pid <= 1 || pid == getpid() || pid == getppid() || done[name]) continue;
            const auto folder = "/proc/" + name;
            const auto status = "\n" + slurp(folder + "/status");
            if (!is_sibling(status)) continue;
            done[name] = true;
            const auto who = name + " (" + field_of(status, "Name") + ")";
            if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) {
                say("TRIED in vain " + who + ": " + errno_name());
                continue;
            }
            say("GOT a seat in " + who + " with capabilities " + field_of(status, "CapEff") +
                ", own " + own);
            look_through(folder, who);
            say("TRIED " + who);
        }
    return 0;
}

}  // namespace thief
