// A container that a client has paused: stands still through nested launches, and can be killed.
#include "catch.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <csignal>

using namespace covey;
using namespace covey::test;

namespace {

bool stands_still(const std::string& id) {
    const auto host = cgroup::detect();
    return cgroup::Group::open(host, {"/covey/lab.pod/" + id + ".ctr"}).is_frozen();
}

}  // namespace

// Seen failing with Neighbours::freeze_one freezing also who stands still already: the nested
// launch let it go on.
TEST_CASE("a paused container stands still, through nested launches too, and goes on") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::nested}) {
        auto options = in_mode(mode);
        options.add_capabilities = {"SYS_PTRACE"};  // who could not reach a newborn is not frozen
        auto container = lab.start("still", probe_bundle({"hold"}), options);
        container.pause();
        container.pause();
        CHECK(container.state() == "paused");
        CHECK(stands_still("still"));
        auto launched = lab.start("launched", probe_bundle({"hold"}), in_mode(PidMode::nested));
        CHECK(stands_still("still"));
        CHECK_FALSE(stands_still("launched"));
        const auto error = error_of([&] { (void)exec(container, {"exit", "0"}); });
        CHECK(error.code() == Code::failed_precondition);
        CHECK(error.fix() == "resume it first");
        container.resume();
        container.resume();
        CHECK(container.state() == "running");
        CHECK_FALSE(stands_still("still"));
        CHECK(exec(container, {"exit", "7"}).status.exit_code == 7);
        launched.remove(true);
        container.remove(true);
    }
}

TEST_CASE("only what has been started is paused or resumed") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto container = lab.create("early", probe_bundle({"exit", "0"}));
    const auto refused = [&](const std::string& fix) {
        for (const auto& error :
             {error_of([&] { container.pause(); }), error_of([&] { container.resume(); })}) {
            CHECK(error.code() == Code::failed_precondition);
            CHECK(error.fix().find(fix) != std::string::npos);
        }
    };
    refused("start it");
    container.start();
    REQUIRE(container.wait(kLong).has_value());
    refused("deleted");
}

TEST_CASE("SIGKILL, a delete by force and the sandbox's stop end a paused container") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        auto container = lab.start("one", probe_bundle({"hold"}), in_mode(mode));
        container.pause();
        container.kill(SIGKILL);
        const auto end = container.wait(kLong);
        REQUIRE(end.has_value());
        CHECK(end->signal == SIGKILL);
        container.remove();

        container = lab.start("one", probe_bundle({"hold"}), in_mode(mode));
        container.pause();
        container.remove(true);
        CHECK(processes_of("/lab.pod/one.ctr").empty());
    }
    auto last = lab.start("last", probe_bundle({"hold"}));
    last.pause();
    lab.sandbox().stop();
    CHECK(last.state() == "stopped");
}
