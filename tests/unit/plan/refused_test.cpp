#include "catch.hpp"
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
        {R"({"process":{"apparmorProfile":"x"}})", "/process/apparmorProfile"},
        {R"({"process":{"selinuxLabel":"x"}})", "/process/selinuxLabel"},
        {R"({"process":{"scheduler":{"policy":"SCHED_BATCH"}}})", "/process/scheduler"},
        {R"({"process":{"ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":0}}})",
         "/process/ioPriority"},
        {R"({"process":{"execCPUAffinity":{"initial":"0"}}})", "/process/execCPUAffinity"},
        {R"({"linux":{"mountLabel":"x"}})", "/linux/mountLabel"},
        {R"({"linux":{"personality":{"domain":"LINUX"}}})", "/linux/personality"},
        {R"({"linux":{"intelRdt":{"closID":"x"}}})", "/linux/intelRdt"},
        {R"({"linux":{"resources":{"memory":{"swappiness":60}}}})",
         "/linux/resources/memory/swappiness"},
        {R"({"linux":{"resources":{"memory":{"disableOOMKiller":true}}}})",
         "/linux/resources/memory/disableOOMKiller"},
        {R"({"linux":{"resources":{"memory":{"useHierarchy":false}}}})",
         "/linux/resources/memory/useHierarchy"},
        {R"({"linux":{"resources":{"cpu":{"realtimeRuntime":1}}}})",
         "/linux/resources/cpu/realtimeRuntime"},
        {R"({"linux":{"resources":{"cpu":{"realtimePeriod":1}}}})",
         "/linux/resources/cpu/realtimePeriod"},
        {R"({"linux":{"resources":{"cpu":{"idle":1}}}})", "/linux/resources/cpu/idle"},
        {R"({"linux":{"resources":{"cpu":{"burst":1}}}})", "/linux/resources/cpu/burst"},
        {R"({"linux":{"resources":{"blockIO":{"weight":10}}}})", "/linux/resources/blockIO"},
        {R"({"linux":{"resources":{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}}})",
         "/linux/resources/hugepageLimits"},
        {R"({"linux":{"resources":{"network":{"classID":1}}}})", "/linux/resources/network"},
        {R"({"linux":{"resources":{"rdma":{"mlx5_1":{"hcaHandles":1}}}}})",
         "/linux/resources/rdma"},
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

TEST_CASE("id-mapped mounts are refused") {
    auto json = config_with_mounts(R"([{"destination":"/a","type":"bind","source":"/x",
        "uidMappings":[{"containerID":0,"hostID":1000,"size":1}],
        "gidMappings":[{"containerID":0,"hostID":1000,"size":1}]}])");
    const auto lines = problems_of(json);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("/mounts/0/gidMappings"));
    CHECK(lines[1].starts_with("/mounts/0/uidMappings"));
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
