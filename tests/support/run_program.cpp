#include "support/run_program.hpp"

#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {
namespace {

[[noreturn]] void become(std::vector<std::string> argv,
                         const std::map<std::string, std::string>& environment, int output) {
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    for (const auto& [name, value] : environment)
        setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> words;
    for (auto& word : argv)
        words.push_back(word.data());
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(127);
}

}  // namespace

ProgramRun run_program(const std::vector<std::string>& argv,
                       const std::map<std::string, std::string>& environment) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const pid_t child = fork();
    if (child == 0) become(argv, environment, ends[1]);
    ::close(ends[1]);
    ProgramRun run;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;)
        run.output.append(buffer.data(), static_cast<std::size_t>(got));
    ::close(ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status)) run.status = WEXITSTATUS(status);
    return run;
}

ProgramRun run_self(const std::string& filter,
                    const std::map<std::string, std::string>& environment) {
    auto all = environment;
    all.try_emplace("COVEY_NO_SKIP", "");
    return run_program({"/proc/self/exe", filter}, all);
}

}  // namespace covey::test
