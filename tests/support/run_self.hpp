// Runs hidden cases of this very test program in a process of their own: how the test harness tests
// itself. Called by tests of tests/support only. Thread rule: the test thread. Blocks until it
// ends.
#pragma once

#include <array>
#include <cstdio>
#include <map>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {

struct SelfRun {
    int status = -1;
    std::string output;
};

/// `filter` is a Catch2 test specification such as "[leaky]"; `environment` is added to our own.
inline SelfRun run_self(const std::string& filter,
                        const std::map<std::string, std::string>& environment = {}) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        unsetenv("COVEY_NO_SKIP");
        for (const auto& [name, value] : environment)
            setenv(name.c_str(), value.c_str(), 1);
        execl("/proc/self/exe", "self", filter.c_str(), nullptr);
        _exit(127);
    }
    ::close(ends[1]);
    SelfRun run;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;)
        run.output.append(buffer.data(), static_cast<std::size_t>(got));
    ::close(ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status)) run.status = WEXITSTATUS(status);
    return run;
}

}  // namespace covey::test
