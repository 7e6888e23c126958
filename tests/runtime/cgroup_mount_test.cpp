// A mount of type cgroup, read from inside: the container's own groups, whatever the host's layout,
// and nothing above them. COVEY_RUNTIME=runc shows the same, but for the `unified` folder.
#include "base/json.hpp"
#include "catch.hpp"
#include "support/bundle.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"
#include "sys/file.hpp"

#include <cstdlib>
#include <map>

#include <unistd.h>

using namespace covey::test;
using Json = nlohmann::json;

namespace {

constexpr const char* kMount =
    R"([{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/sys","type":"sysfs","source":"sysfs","options":["ro"]},
        {"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup",
         "options":["nosuid","noexec","nodev","relatime")";

std::string id() {
    return "covey-mount-" + std::to_string(::getpid());
}

std::string patch(bool read_only, bool own_namespace) {
    std::string namespaces = R"({"type":"pid"},{"type":"mount"},{"type":"ipc"})";
    if (own_namespace) namespaces += R"(,{"type":"cgroup"})";
    return R"({"linux":{"cgroupsPath":"/)" + id() + R"(","namespaces":[)" + namespaces +
           R"(]},"hostname":null,"mounts":)" + kMount + (read_only ? R"(,"ro"]}]})" : "]}]}");
}

/// What the probe's words print in a container.
std::string run(const std::vector<std::string>& words, const std::string& change) {
    std::vector<std::string> args{"/bin/probe"};
    args.insert(args.end(), words.begin(), words.end());
    const Bundle bundle{{args, change}};
    const TemporaryFolder folder;
    const auto ran = run_program(
        {runtime_program(), "--root", folder.path(), "run", "--bundle", bundle.path(), id()});
    INFO(ran.output);
    REQUIRE(ran.status == 0);
    return ran.output;
}

bool is_v2_only() {
    return covey::sys::read_file("/sys/fs/cgroup/cgroup.controllers").has_value();
}

/// Mount point below the cgroup folder → its line of `probe mounts`.
std::map<std::string, Json> cgroup_mounts(const std::string& change) {
    std::map<std::string, Json> mounts;
    std::string text = run({"mounts"}, change);
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        const auto line = Json::parse(text.substr(at, end - at));
        const std::string target = line.at("mountPoint");
        if (target.starts_with("/sys/fs/cgroup")) mounts[target.substr(14)] = line;
        at = end + 1;
    }
    return mounts;
}

}  // namespace

TEST_CASE("each hierarchy of the host is a folder that holds the container's own group") {
    COVEY_REQUIRES("root");
    for (const bool own_namespace : {true, false}) {
        CAPTURE(own_namespace);
        const auto change = patch(true, own_namespace);
        if (is_v2_only()) {
            CHECK(run({"ls", "/sys/fs/cgroup"}, change).find("cgroup.procs") != std::string::npos);
            CHECK(run({"read", "/sys/fs/cgroup/cgroup.procs"}, change) == "1\n");
            continue;
        }
        for (const char* controller : {"memory", "pids", "cpu", "freezer", "devices"}) {
            CAPTURE(controller);
            const auto folder = std::string{"/sys/fs/cgroup/"} + controller;
            // Only the container is in it: the host's root would list many, and none as 1.
            CHECK(run({"read", folder + "/cgroup.procs"}, change) == "1\n");
        }
        if (std::getenv("COVEY_RUNTIME") == nullptr)
            CHECK(run({"read", "/sys/fs/cgroup/unified/cgroup.procs"}, change) == "1\n");
    }
}

TEST_CASE("the folders are read-only as the options say, and only then") {
    COVEY_REQUIRES("root");
    if (is_v2_only()) return;
    for (const bool read_only : {true, false}) {
        const auto mounts = cgroup_mounts(patch(read_only, true));
        CAPTURE(read_only, Json(mounts).dump());
        REQUIRE(mounts.contains("/memory"));
        REQUIRE(mounts.contains("/pids"));
        CHECK(mounts.at("").at("fsType") == "tmpfs");
        CHECK(mounts.at("/memory").at("fsType") == "cgroup");
        CHECK(mounts.at("/memory").at("root") == "/");
        const std::string options = mounts.at("/memory").at("options");
        CHECK(options.starts_with(read_only ? "ro" : "rw"));
        CHECK(options.find("nosuid") != std::string::npos);
    }
}
