// covey-runtime's rule: linux.namespaces as it is written.
#include "catch.hpp"
#include "unit/plan/config.hpp"

using namespace covey::plan;
using namespace covey::plan::test;
using covey::spec::NamespaceType;
using covey::spec::PidMode;
using Source = NamespacePlan::Source;

namespace {

LaunchRequest by_spec() {
    auto with = request();
    with.namespaces = NamespaceRule::spec;
    return with;
}

Json with_spec_namespaces(const std::string& list,
                          const std::string& patch = R"({"hostname": null})") {
    auto json = config(patch);
    json["linux"]["namespaces"] = Json::parse(list);
    return json;
}

const NamespacePlan* entry_of(const LaunchPlan& plan, NamespaceType type) {
    for (const auto& entry : plan.namespaces)
        if (entry.type == type) return &entry;
    return nullptr;
}

std::string only_problem(const Json& json) {
    const auto lines = problems_of(json, by_spec());
    return lines.size() == 1 ? lines.front() : std::to_string(lines.size()) + " problems";
}

}  // namespace

TEST_CASE("by the spec's rule an absent namespace is inherited, and nobody is warned") {
    const auto plan = plan_of(with_spec_namespaces(R"([{"type":"mount"}])"), by_spec());
    REQUIRE(plan.namespaces.size() == 1);
    CHECK(plan.namespaces[0].type == NamespaceType::mount);
    CHECK(plan.namespaces[0].source == Source::create);
    CHECK(plan.pid_mode == PidMode::node);
    CHECK(plan.must_match_sandbox.empty());
    CHECK_FALSE(has_warning(plan, "namespace"));
}

TEST_CASE("by the spec's rule every type is made or joined") {
    for (const auto* name : {"pid", "network", "ipc", "uts", "cgroup", "time", "mount"}) {
        CAPTURE(name);
        const auto type = covey::spec::find_namespace(name)->type;
        auto list = Json::array({{{"type", name}}});
        if (type != NamespaceType::mount) list.push_back({{"type", "mount"}});
        const auto made = plan_of(with_spec_namespaces(list.dump()), by_spec());
        REQUIRE(entry_of(made, type) != nullptr);
        CHECK(entry_of(made, type)->source == Source::create);
        list[0]["path"] = "/some/file";
        const auto joined = plan_of(with_spec_namespaces(list.dump()), by_spec());
        REQUIRE(entry_of(joined, type) != nullptr);
        CHECK(entry_of(joined, type)->source == Source::path);
        CHECK(entry_of(joined, type)->path == "/some/file");
    }
}

TEST_CASE("by the spec's rule the pid mode of the request is not looked at") {
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::node}) {
        auto with = by_spec();
        with.pid_mode = mode;
        CHECK(
            plan_of(with_spec_namespaces(R"([{"type":"mount"},{"type":"pid"}])"), with).pid_mode ==
            PidMode::container);
        CHECK(
            plan_of(with_spec_namespaces(R"([{"type":"mount"},{"type":"pid","path":"/x"}])"), with)
                .pid_mode == PidMode::pod);
    }
}

TEST_CASE("without a mount namespace there is no root filesystem") {
    const auto line = only_problem(with_spec_namespaces(R"([{"type":"pid"}])"));
    CHECK(line.starts_with("/linux/namespaces: "));
    CHECK(line.find("without a private MNT namespace") != std::string::npos);
}

TEST_CASE("host names need a UTS namespace in the spec") {
    const auto* patch = R"({"hostname": "one", "domainname": "two"})";
    const auto plan =
        plan_of(with_spec_namespaces(R"([{"type":"mount"},{"type":"uts"}])", patch), by_spec());
    CHECK(plan.hostname == "one");
    CHECK(plan.domainname == "two");
    CHECK(plan_of(with_spec_namespaces(R"([{"type":"mount"},{"type":"uts","path":"/x"}])", patch),
                  by_spec())
              .hostname == "one");
    const auto lines = problems_of(with_spec_namespaces(R"([{"type":"mount"}])", patch), by_spec());
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("unable to set domainname without a private UTS namespace") !=
          std::string::npos);
    CHECK(lines[1].find("unable to set hostname without a private UTS namespace") !=
          std::string::npos);
}

TEST_CASE("a sysctl needs its namespace in the spec") {
    const auto sysctl = [](const std::string& key, const std::string& list) {
        auto json = with_spec_namespaces(R"([{"type":"mount"})" + list + "]");
        json["linux"]["sysctl"][key] = "1";
        return json;
    };
    const auto plan = plan_of(sysctl("net.ipv4.ip_forward", R"(,{"type":"network"})"), by_spec());
    REQUIRE(plan.sysctls.size() == 1);
    CHECK(plan.sysctls[0].first == "net.ipv4.ip_forward");
    CHECK(plan_of(sysctl("net/ipv4/conf/a.b/forwarding", R"(,{"type":"network","path":"/x"})"),
                  by_spec())
              .sysctls[0]
              .first == "net/ipv4/conf/a.b/forwarding");
    CHECK_FALSE(plan_of(sysctl("kernel.shmmax", R"(,{"type":"ipc"})"), by_spec()).sysctls.empty());
    CHECK_FALSE(
        plan_of(sysctl("kernel.domainname", R"(,{"type":"uts"})"), by_spec()).sysctls.empty());
    CHECK(only_problem(sysctl("net.ipv4.ip_forward", "")).find("hosts network namespace") !=
          std::string::npos);
    CHECK(only_problem(sysctl("fs.mqueue.msg_max", R"(,{"type":"uts"})"))
              .find("hosts ipc namespace") != std::string::npos);
    CHECK(only_problem(sysctl("kernel.domainname", "")).find("hosts uts namespace") !=
          std::string::npos);
    CHECK(only_problem(sysctl("kernel.hostname", R"(,{"type":"uts"})")).find("conflicts with") !=
          std::string::npos);
    CHECK(only_problem(sysctl("vm.swappiness", R"(,{"type":"ipc"})"))
              .find("not in a separate kernel namespace") != std::string::npos);
}

TEST_CASE("a relative destination of a mount is below the root") {
    auto json = config_with_mounts(R"([{"destination":"data/x","type":"tmpfs","source":"tmpfs"}])");
    const auto mounts = bodies<MountFilesystem>(plan_of(json));
    REQUIRE(mounts.size() == 1);
    CHECK(mounts[0].target == "/data/x");
    json["mounts"][0]["destination"] = "../../x";
    CHECK(bodies<MountFilesystem>(plan_of(json))[0].target == "/x");
}
