// covey tree, from the daemon's answers to the text: golden files beside this one.
#include "ctl/tree.hpp"

#include "catch.hpp"
#include "ctl/answers.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

using namespace covey::ctl;

namespace {

std::string read(const std::string& name) {
    std::ifstream file(std::string{COVEY_CTL_TEST_DATA} + "/" + name);
    REQUIRE(file.good());
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TreeFacts facts() {
    // Two minutes after the fixtures' start times.
    return {decode_sandbox(read("sandbox.json")), decode_containers(read("containers.json")),
            decode_processes(read("processes.json")), 1'769'853'720'000'000};
}

void check_golden(const std::string& name, const std::string& text) {
    if (std::getenv("COVEY_UPDATE_GOLDEN") != nullptr)
        std::ofstream(std::string{COVEY_CTL_TEST_DATA} + "/" + name) << text;
    CHECK(text == read(name));
}

}  // namespace

TEST_CASE(
    "the tree shows pause first, then each container with its processes below their parents") {
    check_golden("tree.txt", draw_tree(facts(), {}));
}

TEST_CASE("a narrow terminal cuts the tree's lines and loses none") {
    check_golden("tree_60_columns.txt", draw_tree(facts(), {.width = 60}));
}

TEST_CASE("a sandbox without containers is its pause alone") {
    TreeFacts only_pause = facts();
    only_pause.containers.clear();
    only_pause.sandbox.containers.clear();
    only_pause.processes.resize(1);
    check_golden("tree_pause.txt", draw_tree(only_pause, {}));
}

TEST_CASE("processes of a container that is gone already are shown under its name") {
    TreeFacts late = facts();
    late.containers.clear();
    late.sandbox.containers.clear();
    CHECK(draw_tree(late, {}).find("├─ nginx") != std::string::npos);
}

TEST_CASE("processes that claim to be each other's parents are each drawn once") {
    TreeFacts odd = facts();
    for (auto& process : odd.processes)
        process.ppid = process.pid;
    const std::string text = draw_tree(odd, {});
    for (const auto& process : odd.processes)
        CHECK(text.find(std::to_string(process.pid)) != std::string::npos);
}

// Seen failing before the tree knew debuggers.
TEST_CASE("a debugger is told from the pod's own containers") {
    TreeFacts facts_with_one = facts();
    auto& one = facts_with_one.containers.front();
    one.debug = DebugAnswer{"", "2999-01-01T00:00:00Z"};
    CHECK(draw_tree(facts_with_one, {}).find(", debugger, ") != std::string::npos);
    one.debug = DebugAnswer{"shell", "1999-01-01T00:00:00Z"};
    CHECK(draw_tree(facts_with_one, {}).find(", debugger of shell, 0s left") != std::string::npos);
    one.debug.reset();
    CHECK(draw_tree(facts_with_one, {}).find("debugger") == std::string::npos);
}

TEST_CASE("capabilities are told against the default") {
    const std::vector<std::string> normal{
        "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER",          "CAP_FSETID",
        "CAP_KILL",    "CAP_SETGID",       "CAP_SETUID",          "CAP_SETPCAP",
        "CAP_SETFCAP", "CAP_SYS_CHROOT",   "CAP_NET_BIND_SERVICE"};
    CHECK(capability_text({}) == "–");
    CHECK(capability_text(normal) == "default");
    auto more = normal;
    more.push_back("CAP_SYS_PTRACE");
    CHECK(capability_text(more) == "+SYS_PTRACE");
    more.erase(more.begin());
    CHECK(capability_text(more) == "+SYS_PTRACE,-CHOWN");
    CHECK(capability_text({"CAP_KILL"}) == "1 caps");
    CHECK(capability_text(std::vector<std::string>(41, "CAP_KILL")) == "all");
}

TEST_CASE("a container's state says how it ended") {
    ContainerAnswer container;
    container.state = "running";
    CHECK(state_text(container) == "running");
    container.state = "stopped";
    container.exit = ExitAnswer{3, "", "", false, ""};
    CHECK(state_text(container) == "stopped (3)");
    container.exit = ExitAnswer{137, "SIGKILL", "", true, ""};
    CHECK(state_text(container) == "stopped (137, SIGKILL, out of memory)");
}
