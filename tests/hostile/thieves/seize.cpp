// `seize SECONDS`: seizes whoever in sight has CAP_SYS_ADMIN, as nobody in a pod
// of the tests has but a newborn that has not cut its privileges (SYS_PTRACE, and whoever is to
// hold it still away).
#include "kinds.hpp"
#include "thief.hpp"

#include <cstdlib>
#include <set>

#include <sys/ptrace.h>
#include <unistd.h>

namespace thief {
namespace {

constexpr unsigned kSysAdmin = 21;

std::string user_namespace(const std::string& who) {
    char name[64]{};
    const auto got = readlink(("/proc/" + who + "/ns/user").c_str(), name, sizeof name - 1);
    return got > 0 ? name : "";
}

bool is_unhampered(pid_t pid) {
    const auto status = slurp("/proc/" + std::to_string(pid) + "/status");
    const auto at = status.find("CapEff:");
    if (at == std::string::npos) return false;
    const bool has_ended = status.find("\nState:\tZ") != std::string::npos;
    // In a user namespace of its own anybody has it.
    return (std::strtoull(status.c_str() + at + 7, nullptr, 16) >> kSysAdmin & 1U) != 0 &&
           !has_ended && user_namespace(std::to_string(pid)) == user_namespace("self");
}

/// Whoever may trace runs, and one with all privileges is there.
void meet(pid_t pid, std::set<pid_t>& told) {
    if (!is_unhampered(pid) || !told.insert(pid).second) return;
    const bool seized = ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
    say("WON sight of " + std::to_string(pid) + " " + name_of(pid) +
        (seized ? ", seized" : ": " + errno_name()));
}

}  // namespace

int seize(const Arguments& words) {
    say("ready");
    std::set<pid_t> told;
    for (const double end = now() + static_cast<double>(number(words.at(0))); now() < end;)
        for (const auto pid : processes())
            if (pid != getpid()) meet(pid, told);
    say("TRIED to the end");
    return 0;
}

}  // namespace thief
