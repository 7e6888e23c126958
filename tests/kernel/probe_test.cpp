// The tests' own tester: a probe that finds nothing must be one that would have found something.
#include "catch.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"

#include <filesystem>
#include <string>

#include <unistd.h>

using covey::test::run_program;

namespace {

/// Test programs and the probe stand side by side.
std::string probe_program() {
    return std::filesystem::read_symlink("/proc/self/exe").replace_filename("probe").string();
}

/// In a PID namespace with a neighbour that has the host's root, a folder open, and comes and goes.
std::string hunt(const std::string& canary, const std::string& mask) {
    const auto run =
        run_program({"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c",
                     "(exec 5< /; exec sleep 20) & (while :; do sleep 0.05; done) & exec " +
                         probe_program() + " hostile 1 " + canary + " " + mask});
    CHECK(run.status == 0);
    return run.output;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "the hostile neighbour sees a host root, a folder and capabilities where there are some") {
    COVEY_REQUIRES("root");
    const auto report = hunt("/proc/version", "0");
    INFO(report);
    REQUIRE(has(report, "\"hostRoots\":"));
    for (const auto* what : {"hostRoots", "hostFds", "directoryFds", "excessCaps", "seized"})
        CHECK_FALSE(has(report, std::string{"\""} + what + "\":0,"));
    CHECK(has(report, "is a folder: /"));
}

TEST_CASE("the hostile neighbour accuses nobody of what is not there") {
    COVEY_REQUIRES("root");
    const auto report = hunt("/covey-canary-that-is-not-there", "ffffffffffffffff");
    INFO(report);
    for (const auto* what : {"hostRoots", "hostCwds", "hostFds", "excessCaps"})
        CHECK(has(report, std::string{"\""} + what + "\":0,"));
    CHECK_FALSE(has(report, "\"seized\":0,"));
}

TEST_CASE("the probe tells its state in one JSON line, runs several sub-commands, names errnos") {
    const auto run =
        run_program({probe_program(), "state", "--", "open", "/no/such", "--", "exit", "7"},
                    {{"COVEY_MARK", "a \"b\""}});
    CHECK(run.status == 7);
    CHECK(has(run.output, "\"COVEY_MARK=a \\\"b\\\"\""));
    CHECK(has(run.output, "\"uid\":" + std::to_string(getuid()) + ","));
    CHECK(has(run.output, "}\nENOENT\n"));
    CHECK(run_program({probe_program(), "frobnicate"}).status == 2);
}
