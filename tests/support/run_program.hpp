// Runs a program to its end and keeps what it printed; also hidden cases of this very test program,
// which is how the test harness tests itself. Called by tests. Thread rule: the test thread. Blocks
// until the program and whoever inherited its output have ended.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace covey::test {

struct ProgramRun {
    /// -1: it was ended by a signal, or never ran.
    int status = -1;
    /// stdout and stderr, as they came.
    std::string output;
};

/// argv[0] is looked up in the PATH; `environment` is added to our own. stdin is /dev/null.
[[nodiscard]] ProgramRun run_program(const std::vector<std::string>& argv,
                                     const std::map<std::string, std::string>& environment = {});
/// `filter` is a Catch2 test specification such as "[leaky]". COVEY_NO_SKIP is not inherited.
[[nodiscard]] ProgramRun run_self(const std::string& filter,
                                  const std::map<std::string, std::string>& environment = {});

}  // namespace covey::test
