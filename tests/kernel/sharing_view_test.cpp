// One container's root shown in another, and a container that only holds: what a debugger is made
// of.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>

using namespace covey;
using namespace covey::test;

namespace {

const BundleOptions kViewSleeper = probe_bundle({"sleep", "forever"});

ContainerOptions viewing(const std::string& id, PidMode mode = PidMode::pod) {
    auto options = in_mode(mode);
    options.view = id;
    return options;
}

}  // namespace

TEST_CASE("a container's root is shown in another one, in every mode of both") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        auto app = lab.start("app", probe_bundle({"sleep", "forever"}), in_mode(mode));
        CHECK(exec(app, {"mkdir", "/dev/shm-of-app"}).status.exit_code == 0);
        for (const auto own : {PidMode::pod, PidMode::nested, PidMode::container}) {
            auto viewer = lab.start("viewer", kViewSleeper, viewing("app", own));
            const auto& seen = exec(viewer, {"ls", "/target/dev"}).out;
            INFO(seen);
            CHECK(seen.find("shm-of-app") != std::string::npos);
            CHECK(exec(viewer, {"ls", "/dev"}).out.find("shm-of-app") == std::string::npos);
            // Its processes, by its own /proc.
            CHECK(exec(viewer, {"ls", "/target/proc"}).out.find("\"1\"") != std::string::npos);
            viewer.remove(true);
        }
        app.remove(true);
    }
}

TEST_CASE("what is shown is read-only, without set-user-id and devices, all the way down") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto app = lab.start("app", kViewSleeper);
    auto viewer = lab.start("viewer", kViewSleeper, viewing("app"));
    for (const char* path : {"/target/new", "/target/dev/new", "/target/dev/pts/new"})
        CHECK(exec(viewer, {"mkdir", path}).out.find("EROFS") != std::string::npos);
    int mounts = 0;
    std::string text = text_of("/proc/" + std::to_string(viewer.pid()) + "/mountinfo");
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
         at = end + 1) {
        const auto line = text.substr(at, end - at);
        if (line.find(" /target") == std::string::npos) continue;
        INFO(line);
        ++mounts;
        CHECK(line.find(" ro,nosuid,nodev") != std::string::npos);
        CHECK(line.find("shared:") == std::string::npos);
        CHECK(line.find("master:") == std::string::npos);
    }
    CHECK(mounts > 3);
    // The one that is shown is as it was.
    CHECK(exec(app, {"mkdir", "/dev/still"}).status.exit_code == 0);
}

TEST_CASE("what is shown outlives the one that it was of") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto app = lab.start("app", kViewSleeper, in_mode(PidMode::nested));
    auto viewer = lab.start("viewer", kViewSleeper, viewing("app"));
    app.remove(true);
    CHECK(exec(viewer, {"ls", "/target/dev"}).out.find("null") != std::string::npos);
}

TEST_CASE("what cannot be shown is refused, and nothing is left") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto refused = [&](const ContainerOptions& options) {
        return lab.refused_cleanly(kViewSleeper, options);
    };
    CHECK(refused(viewing("nobody")) == Code::not_found);
    CHECK(refused(viewing("refused")) == Code::not_found);
    auto app = lab.start("app", probe_bundle({"exit", "0"}));
    REQUIRE(app.wait(kLong));
    CHECK(refused(viewing("app")) == Code::failed_precondition);
}

TEST_CASE("a fault while a root is opened leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    ::setenv("COVEY_FAIL_AT", "launch.show_root:1", 1);
    Lab lab;
    ::unsetenv("COVEY_FAIL_AT");
    auto app = lab.start("app", kViewSleeper);
    const auto error = lab.refused(kViewSleeper, viewing("app"));
    CHECK(error.detail().find("launch.show_root") != std::string::npos);
    CHECK(processes_of("refused.ctr").empty());
    CHECK(exec(app, {"exit", "3"}).status.exit_code == 3);
}

TEST_CASE("a container that holds runs nothing of its root, and takes execs") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        auto options = in_mode(mode);
        options.holds = true;
        auto holder = lab.start("holder", {.args = {"/no/such/program"}}, options);
        const auto proc = "/proc/" + std::to_string(holder.pid());
        CHECK(text_of(proc + "/cmdline").find("/no/such/program") == 0);
        // Standard streams and nothing else.
        const std::filesystem::directory_iterator open{proc + "/fd"}, end;
        CHECK(std::distance(open, end) == 3);
        CHECK(exec(holder, {"exit", "4"}).status.exit_code == 4);
        CHECK(holder.state() == "running");
        holder.kill(mode == PidMode::pod ? SIGTERM : SIGKILL);
        REQUIRE(holder.wait(kLong));
        holder.remove();
    }
}
