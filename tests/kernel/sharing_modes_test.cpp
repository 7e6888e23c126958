// Pid modes nested and target: who is whom in which namespace, who sees whom, how they end.
#include "catch.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <csignal>
#include <set>

using namespace covey;
using namespace covey::test;

namespace {

const BundleOptions kSleeper = probe_bundle({"sleep", "forever"});

ContainerOptions on_target(const std::string& id) {
    auto options = in_mode(PidMode::target);
    options.target = id;
    return options;
}

/// The numbers among the entries of the container's /proc.
std::set<std::string> seen_by(Container& container) {
    std::set<std::string> numbers;
    std::string word;
    for (const char c : exec(container, {"ls", "/proc"}).out + " ") {
        if (c >= '0' && c <= '9') {
            word += c;
        } else {
            if (!word.empty()) numbers.insert(word);
            word.clear();
        }
    }
    return numbers;
}

/// By the group's own files: it is told to freeze, or has frozen (for a group above it, too).
bool is_frozen(const std::string& container) {
    static const auto host = cgroup::detect();
    const auto group = host.identity_mount() + "/covey/lab.pod/" + container + ".ctr/";
    REQUIRE(text_of(group + (host.unified.empty() ? "" : "main/") + "cgroup.procs") != "");
    if (host.unified.empty()) return text_of(group + "freezer.state") != "THAWED\n";
    return text_of(group + "cgroup.freeze") != "0\n" ||
           text_of(group + "cgroup.events").find("frozen 0\n") == std::string::npos;
}

}  // namespace

TEST_CASE("a nested container is PID 1 of its own, and visible in the pod") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto nested = lab.start("app", kSleeper, in_mode(PidMode::nested));
    auto sibling = lab.start("sibling", kSleeper, in_mode(PidMode::nested));
    auto observer = lab.start("observer", kSleeper, in_pod());
    const auto ids = exec(nested, {"ids"});
    INFO(ids.out << ids.err);
    CHECK(ids.at("/pid") != "1");
    CHECK(text_of("/proc/" + std::to_string(nested.pid()) + "/status").find("\t1\n") !=
          std::string::npos);
    CHECK(nested.pod_pid() > 1);
    CHECK(namespace_of(nested.pid(), "pid") != namespace_of(observer.pid(), "pid"));
    CHECK(shim_of(lab.sandbox()) > 0);
    // The monitor is its parent: nothing stands between any more.
    CHECK(text_of("/proc/" + std::to_string(nested.pid()) + "/stat")
              .find(" S " + std::to_string(shim_of(lab.sandbox())) + " ") != std::string::npos);
    CHECK(processes_of("app.ctr").size() == 1);

    const auto own = seen_by(nested);
    CHECK(own.contains("1"));
    CHECK(own.size() == 2);  // itself and the exec
    const auto all = seen_by(observer);
    CHECK(all.contains("1"));
    CHECK(all.contains(std::to_string(nested.pod_pid())));
    CHECK(all.contains(std::to_string(sibling.pod_pid())));
    CHECK_FALSE(own.contains(std::to_string(observer.pod_pid())));
    // /proc is whole and as protected as elsewhere.
    CHECK(exec(nested, {"readlink", "/proc/1/exe"}).out.find("/bin/probe") != std::string::npos);
    CHECK(exec(nested, {"write", "/proc/sys/kernel/hostname", "x"}).out.find("EROFS") !=
          std::string::npos);
    CHECK(lab.run({"ids"}, "{}", in_mode(PidMode::nested)).at("/pid") == "1");
    CHECK(lab.run({"ids"}, "{}", in_mode(PidMode::nested)).at("/ppid") == "0");
}

TEST_CASE("a nested PID 1 without handlers ends by SIGKILL alone, with all its processes") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto app =
        lab.start("app", probe_bundle({"daemonise", "sleep", "forever", "--", "sleep", "forever"}),
                  in_mode(PidMode::nested));
    REQUIRE(eventually([] { return processes_of("app.ctr").size() == 2; }));
    app.kill(SIGTERM);
    app.kill(SIGINT);
    CHECK_FALSE(app.wait(std::chrono::milliseconds{100}));
    app.kill(SIGKILL);
    const auto status = app.wait(kLong);
    REQUIRE(status);
    CHECK(status->signal == SIGKILL);
    CHECK(processes_of("app.ctr").empty());
    app.remove();
}

TEST_CASE("the pod's end is the end of its nested containers") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto app = lab.start("app", kSleeper, in_mode(PidMode::nested));
    ::kill(lab.sandbox().pid(), SIGKILL);
    const auto status = app.wait(kLong);
    REQUIRE(status);
    CHECK(status->signal == SIGKILL);
    CHECK(eventually([] { return processes_of("lab.pod").empty(); }));
}

// Seen failing with the thaw taken out.
TEST_CASE("neighbours run again after every nested launch, also one that failed") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto options = in_pod();
    options.add_capabilities = {"SYS_PTRACE"};  // who could not reach a newborn is not frozen
    auto neighbour = lab.start("neighbour", kSleeper, options);
    for (int i = 0; i < 10; ++i) {
        CHECK(lab.run({"exit", "5"}, "{}", in_mode(PidMode::nested)).status.exit_code == 5);
        REQUIRE_FALSE(is_frozen("neighbour"));
        CHECK(lab.refused({.args = {"/no/such"}}, in_mode(PidMode::nested)).code() ==
              Code::not_found);
        REQUIRE_FALSE(is_frozen("neighbour"));
    }
    CHECK(exec(neighbour, {"exit", "3"}).status.exit_code == 3);
}

TEST_CASE("a container in mode target joins the processes of the one it names") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        auto app = lab.start("app", kSleeper, in_mode(mode));
        auto debugger = lab.start("debugger", kSleeper, on_target("app"));
        CHECK(namespace_of(app.pid(), "pid") == namespace_of(debugger.pid(), "pid"));
        CHECK((debugger.pod_pid() > 0) == (mode != PidMode::container));
        const auto seen = seen_by(debugger);
        CHECK(seen.contains("1"));
        CHECK(seen.size() == (mode == PidMode::pod ? 4 : 3));
        // A target of a target is the same namespace.
        auto third = lab.start("third", kSleeper, on_target("debugger"));
        CHECK(namespace_of(app.pid(), "pid") == namespace_of(third.pid(), "pid"));
        third.remove(true);
        debugger.remove(true);
        app.remove(true);
    }
}

TEST_CASE("what a target container has of its target's end") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto reason_of = [&](const char* id) {
        const auto text = text_of(lab.state() + "/containers/" + id + "/container.json");
        const auto at = text.find("\"reason\":\"");
        return at == std::string::npos ? text
                                       : text.substr(at + 10, text.find('"', at + 10) - at - 10);
    };
    for (const auto mode : {PidMode::nested, PidMode::container}) {
        auto app = lab.start("app", kSleeper, in_mode(mode));
        auto debugger = lab.start("debugger", kSleeper, on_target("app"));
        auto killed = lab.start("killed", kSleeper, on_target("app"));
        killed.kill(SIGKILL);
        REQUIRE(killed.wait(kLong));
        CHECK(reason_of("killed").empty());
        app.kill(SIGKILL);
        const auto status = debugger.wait(kLong);
        REQUIRE(status);
        CHECK(status->signal == SIGKILL);
        CHECK(reason_of("debugger") == "target 'app' ended, and its PID namespace with it");
        REQUIRE(app.wait(kLong));
        CHECK(reason_of("app").empty());
        for (auto* one : {&killed, &debugger, &app})
            one->remove();
    }
    // In mode pod the namespace is pause's: the debugger survives the app.
    auto app = lab.start("app", kSleeper, in_pod());
    auto debugger = lab.start("debugger", kSleeper, on_target("app"));
    app.remove(true);
    CHECK(debugger.state() == "running");
    CHECK(exec(debugger, {"exit", "4"}).status.exit_code == 4);
}

TEST_CASE("a target that cannot be is refused by name") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto refused = [&](const ContainerOptions& options) {
        return lab.refused_cleanly(kSleeper, options);
    };
    CHECK(refused(on_target("nobody")) == Code::not_found);
    CHECK(refused(on_target("refused")) == Code::not_found);
    CHECK(refused(on_target("")) == Code::invalid_argument);
    auto without_mode = in_pod();
    without_mode.target = "app";
    CHECK(refused(without_mode) == Code::invalid_argument);
    auto app = lab.start("app", probe_bundle({"exit", "0"}), in_pod());
    REQUIRE(app.wait(kLong));
    CHECK(refused(on_target("app")) == Code::failed_precondition);
    auto node = lab.start("node", kSleeper, in_mode(PidMode::node));
    CHECK(refused(on_target("node")) == Code::invalid_argument);
}
