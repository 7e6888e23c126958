#include "catch.hpp"
#include "unit/plan/config.hpp"

using namespace covey::plan;
using namespace covey::plan::test;
using covey::spec::NamespaceType;
using covey::spec::PidMode;
using Source = NamespacePlan::Source;

namespace {

Source source_of(const LaunchPlan& plan, NamespaceType type) {
    auto found = Source::inherit;
    int count = 0;
    for (const auto& entry : plan.namespaces)
        if (entry.type == type) {
            found = entry.source;
            ++count;
        }
    CHECK(count <= 1);
    return found;
}

Json with_namespaces(const std::string& list) {
    auto json = config(R"({"hostname": null})");
    json["linux"]["namespaces"] = Json::parse(list);
    return json;
}

}  // namespace

TEST_CASE(
    "the sandbox's net, ipc and uts replace the spec's, mount and cgroup are the container's") {
    for (const auto* list : {R"([{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"}])",
                             R"([{"type":"pid"},{"type":"mount"},{"type":"cgroup"}])"}) {
        const auto plan = plan_of(with_namespaces(list));
        CHECK(source_of(plan, NamespaceType::network) == Source::sandbox);
        CHECK(source_of(plan, NamespaceType::ipc) == Source::sandbox);
        CHECK(source_of(plan, NamespaceType::uts) == Source::sandbox);
        CHECK(source_of(plan, NamespaceType::mount) == Source::create);
        CHECK(source_of(plan, NamespaceType::cgroup) == Source::create);
        CHECK(source_of(plan, NamespaceType::user) == Source::inherit);
        CHECK(plan.must_match_sandbox.empty());
    }
}

TEST_CASE("a spec that asks for the host's namespaces is told that it gets the sandbox's") {
    const auto plan = plan_of(with_namespaces(R"([{"type":"mount"}])"));
    for (const auto* name : {"host's network", "host's ipc", "host's uts", "host's pid"})
        CHECK(has_warning(plan, name));
    CHECK(plan.warnings.size() == 4 + 1);  // and ambient capabilities
}

TEST_CASE("a sandbox on the host's network gives the host's, and says so") {
    auto with = request();
    with.sandbox.has_net = false;
    const auto plan = plan_of(config(), with);
    CHECK(source_of(plan, NamespaceType::network) == Source::inherit);
    CHECK(has_warning(plan, "asks for a network namespace; the container gets the host's"));
}

TEST_CASE("an entry with a path must be the sandbox's own namespace") {
    const auto plan = plan_of(
        with_namespaces(
            R"([{"type":"pid","path":"/proc/7/ns/pid"},{"type":"network","path":"/run/netns/a"}])"),
        request(PidMode::pod));
    REQUIRE(plan.must_match_sandbox.size() == 2);
    CHECK(plan.must_match_sandbox[0].type == NamespaceType::network);
    CHECK(plan.must_match_sandbox[0].path == "/run/netns/a");
    CHECK(plan.must_match_sandbox[1].path == "/proc/7/ns/pid");
    CHECK(source_of(plan, NamespaceType::network) == Source::sandbox);
}

TEST_CASE("the PID namespace follows the pid mode") {
    CHECK(source_of(plan_of(config(), request(PidMode::pod)), NamespaceType::pid) ==
          Source::sandbox);
    CHECK(source_of(plan_of(config()), NamespaceType::pid) == Source::create);
    CHECK(source_of(plan_of(config(), request(PidMode::node)), NamespaceType::pid) ==
          Source::inherit);
    const auto joined = with_namespaces(R"([{"type":"pid","path":"/proc/7/ns/pid"},
        {"type":"network"},{"type":"ipc"},{"type":"uts"}])");
    CHECK(pointer_of(joined) == "/linux/namespaces/0/path");
    CHECK(pointer_of(joined, request(PidMode::node)) == "/linux/namespaces/0/path");
    CHECK(problems_of(joined, request(PidMode::pod)).empty());
}

TEST_CASE("nested and target begin with a namespace that is there") {
    for (const auto mode : {PidMode::nested, PidMode::target}) {
        const auto plan = plan_of(config(), request(mode));
        CHECK(source_of(plan, NamespaceType::pid) == NamespacePlan::Source::sandbox);
        const auto waits =
            std::any_of(plan.operations.begin(), plan.operations.end(),
                        [&](const auto& operation) { return lies_on_proc(plan, operation); });
        CHECK(waits);
    }
}

TEST_CASE("mount and cgroup namespaces cannot be joined, user namespaces not used") {
    CHECK(pointer_of(with_namespaces(R"([{"type":"mount","path":"/proc/7/ns/mnt"}])")) ==
          "/linux/namespaces/0/path");
    CHECK(pointer_of(with_namespaces(R"([{"type":"cgroup","path":"/proc/7/ns/cgroup"}])")) ==
          "/linux/namespaces/0/path");
    CHECK(pointer_of(with_namespaces(R"([{"type":"user"}])")) == "/linux/namespaces/0");
}

TEST_CASE("a sandbox's user namespace is every container's, and the spec's must be the same") {
    auto in_user = request(PidMode::pod);
    in_user.sandbox.has_user = true;
    in_user.sandbox.uid_mappings = {{0, 100000, 65536}};
    in_user.sandbox.gid_mappings = {{0, 200000, 65536}};
    for (const char* list : {R"([{"type":"mount"}])", R"([{"type":"user"}])"}) {
        const auto plan = plan_of(with_namespaces(list), in_user);
        CHECK(source_of(plan, NamespaceType::user) == Source::sandbox);
        CHECK(plan.process.user_namespace);
        CHECK(plan.uid_mappings == in_user.sandbox.uid_mappings);
        CHECK(plan.gid_mappings == in_user.sandbox.gid_mappings);
    }
    const auto by_path =
        plan_of(with_namespaces(R"([{"type":"user","path":"/proc/7/ns/user"}])"), in_user);
    REQUIRE(by_path.must_match_sandbox.size() == 1);
    CHECK(by_path.must_match_sandbox[0].type == NamespaceType::user);
    auto with_maps = with_namespaces(R"([{"type":"user"}])");
    with_maps["linux"]["uidMappings"] =
        Json::parse(R"([{"containerID":0,"hostID":100000,"size":65536}])");
    CHECK(problems_of(with_maps, in_user).empty());
    with_maps["linux"]["gidMappings"] = with_maps["linux"]["uidMappings"];
    CHECK(pointer_of(with_maps, in_user) == "/linux/gidMappings");
    in_user.pid_mode = PidMode::node;
    CHECK_THROWS_AS(plan_of(with_namespaces(R"([{"type":"mount"}])"), in_user), covey::Error);
}

TEST_CASE("an idmap option without mappings means the sandbox's") {
    auto in_user = request();
    in_user.sandbox.has_user = true;
    in_user.sandbox.uid_mappings = in_user.sandbox.gid_mappings = {{0, 100000, 65536}};
    auto json = with_namespaces(R"([{"type":"mount"}])");
    json["mounts"].push_back(Json::parse(
        R"({"destination":"/d","type":"none","source":"/tmp","options":["bind","idmap"]})"));
    const auto plan = plan_of(json, in_user);
    const auto* bind = std::get_if<BindMount>(&plan.operations.at(json["mounts"].size() - 1));
    REQUIRE(bind != nullptr);
    CHECK(bind->uid_mappings == in_user.sandbox.uid_mappings);
    CHECK_FALSE(problems_of(json).empty());
}

TEST_CASE("a time namespace is the sandbox's or refused") {
    const auto json = with_namespaces(R"([{"type":"time"}])");
    CHECK(pointer_of(json) == "/linux/namespaces/0");
    auto with = request();
    with.sandbox.has_time = true;
    CHECK(source_of(plan_of(json, with), NamespaceType::time) == Source::sandbox);
    CHECK(source_of(plan_of(config(), with), NamespaceType::time) == Source::sandbox);
}

TEST_CASE("a hostname is the sandbox's business") {
    const auto plan = plan_of(config(R"({"hostname": "one", "domainname": "two"})"));
    CHECK_FALSE(plan.hostname);
    CHECK_FALSE(plan.domainname);
    CHECK(has_warning(plan, "hostname 'one'"));
    CHECK(has_warning(plan, "domainname 'two'"));
}

TEST_CASE("sysctls of the sandbox's namespaces are named, the host's are refused") {
    const auto plan = plan_of(config(R"({"linux": {"sysctl": {"net.ipv4.ip_forward": "1",
        "net/ipv4/conf/eth0.1/forwarding": "1", "kernel.msgmax": "65536", "fs.mqueue.msg_max": "9",
        "kernel.domainname": "x"}}})"));
    CHECK(plan.sysctls.empty());
    for (const auto* key : {"net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding",
                            "kernel.msgmax", "fs.mqueue.msg_max", "kernel.domainname"})
        CHECK(has_warning(plan, std::string("sysctl ") + key + " is not applied"));
    CHECK(pointer_of(config(R"({"linux": {"sysctl": {"kernel.core_pattern": "|/x"}}})")) ==
          "/linux/sysctl/kernel.core_pattern");
    CHECK(pointer_of(config(R"({"linux": {"sysctl": {"kernel/core_pattern": "|/x"}}})")) ==
          "/linux/sysctl/kernel~1core_pattern");
}
