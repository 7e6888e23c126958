#include "catch.hpp"
#include "plan/resources.hpp"
#include "unit/plan/config.hpp"

using namespace covey::plan;
using namespace covey::plan::test;

TEST_CASE("what is not acted on is refused by name, each at its place") {
    struct Row {
        const char* patch;
        const char* pointer;
    };
    const Row rows[] = {
        {R"({"hooks":{"prestart":[{"path":"/x"}]}})", "/hooks/prestart"},
        {R"({"hooks":{"createRuntime":[{"path":"/x"}]}})", "/hooks/createRuntime"},
        {R"({"hooks":{"createContainer":[{"path":"/x"}]}})", "/hooks/createContainer"},
        {R"({"hooks":{"startContainer":[{"path":"/x"}]}})", "/hooks/startContainer"},
        {R"({"hooks":{"poststart":[{"path":"/x"}]}})", "/hooks/poststart"},
        {R"({"hooks":{"poststop":[{"path":"/x"}]}})", "/hooks/poststop"},
        {R"({"linux":{"intelRdt":{"closID":"x"}}})", "/linux/intelRdt"},
        {R"({"linux":{"resources":{"memory":{"useHierarchy":false}}}})",
         "/linux/resources/memory/useHierarchy"},
    };
    Json all = Json::object();
    for (const auto& row : rows) {
        CAPTURE(row.patch);
        CHECK(pointer_of(config(row.patch)) == row.pointer);
        all.merge_patch(Json::parse(row.patch));
    }
    // All at once, in one error.
    CHECK(problems_of(config(all.dump())).size() == std::size(rows));
}

TEST_CASE("mappings and offsets are refused with their namespaces") {
    auto json = config(R"({"linux":{"uidMappings":[{"containerID":0,"hostID":1000,"size":1}],
        "gidMappings":[{"containerID":0,"hostID":1000,"size":1}],"timeOffsets":{"monotonic":{"secs":1}}}})");
    json["linux"]["namespaces"].push_back({{"type", "user"}});
    json["linux"]["namespaces"].push_back({{"type", "time"}});
    const auto lines = problems_of(json);
    REQUIRE(lines.size() == 5);
    for (const auto* pointer : {"/linux/uidMappings", "/linux/gidMappings", "/linux/timeOffsets",
                                "/linux/namespaces/5", "/linux/namespaces/6"})
        CHECK(std::any_of(lines.begin(), lines.end(),
                          [&](const auto& line) { return line.starts_with(pointer); }));
}

TEST_CASE("values that ask for nothing are no reason to refuse") {
    CHECK(
        problems_of(config(R"({"hooks":{"poststop":[]},"linux":{"resources":{"blockIO":{"weight":0},
        "network":{},"memory":{"disableOOMKiller":false,"useHierarchy":true},
        "cpu":{"realtimePeriod":0,"realtimeRuntime":0,"idle":0,"burst":0},"hugepageLimits":[]}}})"))
            .empty());
}

TEST_CASE("limits go to the cgroup, what means no limit costs nothing") {
    const auto limits = plan_of(config(R"({"linux":{"resources":{"pids":{"limit":64},
        "memory":{"limit":1048576,"reservation":4096,"swap":2097152},
        "cpu":{"shares":512,"quota":50000,"period":100000,"cpus":"0-1","mems":"0"},
        "unified":{"memory.high":"900000"}}}})"))
                            .limits;
    CHECK(limits.pids_max == 64);
    CHECK(limits.memory_max == 1048576);
    CHECK(limits.memory_reservation == 4096);
    CHECK(limits.memory_swap == 2097152);
    CHECK(limits.cpu_shares == 512U);
    CHECK(limits.cpu_quota == 50000);
    CHECK(limits.cpu_period == 100000U);
    CHECK(limits.cpuset_cpus == "0-1");
    CHECK(limits.cpuset_mems == "0");
    CHECK(limits.unified.at("memory.high") == "900000");
    const auto none = plan_of(config(R"({"linux":{"resources":{"pids":{"limit":-1},
        "memory":{"limit":-1,"swap":-1},"cpu":{"shares":0,"quota":-1}}}})"));
    CHECK_FALSE(none.limits.pids_max);
    CHECK_FALSE(none.limits.memory_max);
    CHECK_FALSE(none.limits.memory_swap);
    CHECK_FALSE(none.limits.cpu_shares);
    CHECK_FALSE(none.limits.cpu_quota);
}

TEST_CASE("no process at all is a limit since 1.3, and no limit before") {
    for (const char* version : {"1.3.0", "1.3.0-rc.1", "1.10.2"}) {
        const auto patch = R"({"linux":{"resources":{"pids":{"limit":0}}},"ociVersion":")" +
                           std::string{version} + "\"}";
        CHECK(plan_of(config(patch)).limits.pids_max == 1);
    }
    for (const char* version : {"1.0.2-dev", "1.2.1"}) {
        const auto patch = R"({"linux":{"resources":{"pids":{"limit":0}}},"ociVersion":")" +
                           std::string{version} + "\"}";
        CHECK_FALSE(plan_of(config(patch)).limits.pids_max);
    }
}

TEST_CASE("network devices need a network namespace, and are not the API's") {
    const auto with = [](const char* more) {
        return config(std::string{R"({"linux":{"netDevices":{"eth1":{}})"} + more + "}}");
    };
    CHECK(pointer_of(with("")) == "/linux/netDevices");
    auto by_spec = request();
    by_spec.namespaces = NamespaceRule::spec;
    CHECK(problems_of(with(""), by_spec).empty());
    CHECK(pointer_of(with(R"(,"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"uts"}])"),
                     by_spec) == "/linux/netDevices");
}

TEST_CASE("every limit of the specification reaches the cgroup") {
    const auto limits = plan_of(config(R"({"linux":{"resources":{
        "memory":{"kernelTCP":8192,"swappiness":0,"disableOOMKiller":true,"checkBeforeUpdate":true},
        "cpu":{"burst":1000,"quota":50000,"idle":1,"realtimePeriod":1000000,"realtimeRuntime":9000},
        "blockIO":{"weight":10,"leafWeight":20,"weightDevice":[{"major":8,"minor":0,"weight":500},
            {"major":8,"minor":1,"weight":0}],
            "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],
            "throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":700}],
            "throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":0}],
            "throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":800}]},
        "hugepageLimits":[{"pageSize":"2MB","limit":0}],
        "network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]},
        "rdma":{"mlx5_1":{"hcaHandles":3}}}}})"))
                            .limits;
    CHECK(limits.memory_kernel_tcp == 8192);
    CHECK(limits.memory_swappiness == 0U);
    CHECK(limits.oom_killer_off == true);
    CHECK_FALSE(limits.check_usage);  // nothing is used yet
    CHECK(limits.cpu_burst == 1000U);
    CHECK(limits.cpu_idle == 1);
    CHECK(limits.realtime_period == 1'000'000U);
    CHECK(limits.realtime_runtime == 9000);
    CHECK(limits.io.weight == 10);
    CHECK(limits.io.leaf_weight == 20);
    REQUIRE(limits.io.devices.size() == 1);
    CHECK(limits.io.devices[0].weight == 500);
    CHECK(limits.io.read_bps.at(0).rate == 600);
    CHECK(limits.io.write_bps.at(0).rate == 700);
    CHECK(limits.io.read_iops.empty());
    CHECK(limits.io.write_iops.at(0).rate == 800);
    CHECK(limits.hugepages.at("2MB") == 0);
    CHECK(limits.network_class == 1'048'577U);
    CHECK(limits.network_priorities.at("eth0") == 500);
    CHECK(limits.rdma.at("mlx5_1").handles == 3U);
    CHECK_FALSE(limits.rdma.at("mlx5_1").objects);
}

TEST_CASE("an update can lift what a new group does not have") {
    covey::spec::Resources resources;
    resources.memory.emplace();
    resources.memory->limit = -1;
    resources.memory->disable_oom_killer = false;
    resources.memory->check_before_update = true;
    resources.cpu.emplace();
    resources.cpu->quota = -1;
    resources.cpu->shares = 0;
    resources.cpu->idle = 0;
    resources.pids_limit = -1;
    const auto update = limits_of(resources, LimitsFor::update).limits;
    CHECK(update.memory_max == -1);
    CHECK(update.oom_killer_off == false);
    CHECK(update.check_usage);
    CHECK(update.cpu_quota == -1);
    CHECK_FALSE(update.cpu_shares);
    CHECK(update.cpu_idle == 0);
    CHECK(update.pids_max == -1);
    CHECK(limits_of(resources, LimitsFor::new_group).limits.empty());
}

TEST_CASE("removed kernel features and engines' paths are warned about") {
    CHECK(has_warning(plan_of(config(R"({"linux":{"resources":{"memory":{"kernel":1048576}}}})")),
                      "Linux has removed"));
    CHECK(
        has_warning(plan_of(config(R"({"linux":{"cgroupsPath":"/kubepods/x"}})")), "/kubepods/x"));
}

TEST_CASE("unified names only files of controllers") {
    for (const auto* name : {"cgroup.procs", "../x.y", "a/b.c", ".hidden.x"}) {
        auto json = config();
        json["linux"]["resources"]["unified"][name] = "1";
        std::string first;
        try {
            const auto lines = problems_of(json);
            first = lines.empty() ? "" : lines.front();
        } catch (const covey::spec::SpecError& error) {  // the specification refuses it already
            first = error.problems().front().pointer;
        }
        CAPTURE(name);
        CHECK(first.starts_with("/linux/resources/unified/"));
    }
}

TEST_CASE("the plan has the spec's device rules, the cgroup adds the defaults") {
    const auto rules = plan_of(config(R"({"linux":{"resources":{"devices":[
        {"allow":false,"access":"rwm"},
        {"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}}})"))
                           .device_rules;
    REQUIRE(rules.size() == 2);
    CHECK_FALSE(rules[0].allow);
    CHECK(rules[0].type == 'a');
    CHECK(rules[1].allow);
    CHECK(rules[1].type == 'c');
    CHECK(rules[1].major == 10);
    CHECK(rules[1].minor == 229);
    CHECK(rules[1].access == "rw");
    CHECK(plan_of(config(R"({"linux":{"resources":null}})")).device_rules.empty());
}
