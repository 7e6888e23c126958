// The spawner of a restricted container (docs/decisions/012) is in the container's domain with all
// of the host's rights, and so are the launchers that it forks: no process of the container may
// ever have a number for them.
//
// Seen before it was refused: in pid mode node the container was made, with a spawner in its sight.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "spec/tables.hpp"
#include "support/requires.hpp"
#include "sys/privileges.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <thread>

#include <sys/types.h>

using namespace covey;
using namespace covey::test;

namespace {

constexpr int kExecs = 60;
/// Without CAP_SYS_ADMIN (21), CAP_SYS_BOOT (22) and CAP_PERFMON (38).
constexpr const char* kAll = "1bfff9fffff";

/// All that restricted access goes with.
ContainerOptions thief_in(PidMode mode, const char* access) {
    auto options = in_mode(mode);
    options.access = access;
    const auto own = sys::get_capabilities().or_throw("read", "own capabilities").permitted;
    for (const auto& name : spec::capability_names_of(own))
        if (name != "CAP_SYS_ADMIN" && name != "CAP_SYS_BOOT" && name != "CAP_PERFMON")
            options.add_capabilities.push_back(name);
    return options;
}

/// The session (field 6 of /proc/PID/stat) of every process of that name.
std::vector<pid_t> sessions_of(const std::string& comm) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        if (text_of(entry.path() / "stat").find("(" + comm + ")") == std::string::npos) continue;
        // Once more: the kernel reads the session first and the name at last, and a session was
        // made before the name.
        const auto text = text_of(entry.path() / "stat");
        const auto close = text.rfind(')');
        if (close == std::string::npos) continue;
        std::istringstream rest{text.substr(close + 1)};
        std::string state;
        pid_t parent = 0, group = 0, session = 0;
        rest >> state >> parent >> group >> session;
        found.push_back(session);
    }
    return found;
}

}  // namespace

TEST_CASE("a restricted container in the host's PID namespace is refused by name") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    for (const char* access : {"private", "observer"}) {
        const auto error =
            lab.refused(probe_bundle({"sleep", "forever"}), thief_in(PidMode::node, access));
        CHECK(error.code() == Code::invalid_argument);
        CHECK(error.detail().find("pid mode node") != std::string::npos);
        CHECK(error.fix().find("nested") != std::string::npos);
    }
    CHECK(sessions_of("covey:spawner").empty());
}

TEST_CASE("a restricted container with all that access allows finds nothing of its execs' makers") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    const auto canary = lab.folder() + "/canary";
    std::filesystem::create_directory(canary);
    auto host = lab.start("host", probe_bundle({"sleep", "forever"}), in_mode(PidMode::nested));
    int round = 0;
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container, PidMode::target})
        for (const char* access : {"private", "observer"}) {
            INFO(round << " " << access);
            auto options = thief_in(mode, access);
            if (mode == PidMode::target) options.target = "host";
            const auto out = lab.folder() + "/hunt" + std::to_string(++round);
            options.stdout_ = "file:" + out;
            auto thief =
                lab.start("thief", probe_bundle({"hostile", "1000", canary, kAll}), options);
            const auto spawners = sessions_of("covey:spawner").size();
            CHECK(spawners == 1);
            for (int i = 0; i < kExecs; ++i)
                (void)exec(thief, {"kill", "-1", "0"});
            // Nobody of theirs was hit, and it answers.
            CHECK(sessions_of("covey:spawner").size() == spawners);
            CHECK(exec(thief, {"exit", "7"}).status.exit_code == 7);
            thief.kill(SIGTERM);
            const auto status = thief.wait(kLong);
            REQUIRE(status.has_value());
            Outcome hunt;
            hunt.out = text_of(out);
            INFO(hunt.out);
            for (const char* what : {"/hostRoots", "/hostCwds", "/hostFds", "/excessCaps"})
                CHECK(hunt.at(what) == "0");
            CHECK(std::stol(hunt.at("/newborns")) > 5);
            thief.remove();
        }
}

// A newborn is in its launcher's process group until it has a session of its own. Whoever traces
// it then could have it signal the group: of the shim, of whoever called covey-runtime.
TEST_CASE("launchers are in sessions of their own, away from the shim's and the spawner's") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const char* access : {"open", "private"}) {
        if (std::string{access} == "private" && missing("landlock_scope")) continue;
        auto options = in_pod();
        options.access = access;
        auto container = lab.start("app", probe_bundle({"sleep", "forever"}), options);
        const auto shims = sessions_of("covey-shim");
        REQUIRE_FALSE(shims.empty());
        std::vector<pid_t> seen;
        std::atomic<bool> ends = false;
        std::thread watcher{[&] {
            while (!ends)
                for (const pid_t session : sessions_of("covey:launcher"))
                    seen.push_back(session);
        }};
        for (int i = 0; i < 100; ++i)
            (void)exec(container, {"exit", "0"});
        ends = true;
        watcher.join();
        CHECK(seen.size() > 3);
        for (const pid_t session : seen)
            CHECK(std::find(shims.begin(), shims.end(), session) == shims.end());
        container.remove(true);
    }
}
