// thief SUB-COMMAND [WORD...]: see thief.hpp.
#include "kinds.hpp"
#include "thief.hpp"

#include <csignal>
#include <cstdio>
#include <map>

#include <unistd.h>

namespace {

/// What others need who have no shell: a program that stays.
int stay(const thief::Arguments& /*arguments*/) {
    thief::say("ready");
    while (true)
        pause();
}

}  // namespace

int main(int count, char** words) {
    std::map<std::string, thief::Command> commands{
        {"stay", stay},
        {"children", thief::children},
        {"inflight", thief::inflight},
        {"keyring", thief::keyring},
        {"quota", thief::quota},
        {"secret", thief::secret},
        {"theft", thief::theft},
        {"tick", thief::tick},
        {"trace", thief::trace},
        {"unfreezable", thief::unfreezable},
    };
    commands.insert(thief::kinds().begin(), thief::kinds().end());
    const auto found = count > 1 ? commands.find(words[1]) : commands.end();
    if (found == commands.end()) {
        std::fputs("usage: thief SUB-COMMAND [WORD...]\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return found->second({words + 2, words + count});
}
