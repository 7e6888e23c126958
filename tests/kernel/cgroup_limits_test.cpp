#include "catch.hpp"
#include "cgroup_tree.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <sys/mman.h>

using covey::Code;
using covey::Error;
using covey::cgroup::Group;
using covey::cgroup::Host;
using covey::cgroup::Limits;
using covey::test::CgroupTree;
using namespace std::chrono_literals;

namespace {

bool on_v2(const Host& host, const std::string& controller) {
    const auto& offered = host.unified_controllers;
    return std::find(offered.begin(), offered.end(), controller) != offered.end();
}

/// What the kernel says in the group's control file, wherever the controller is.
std::string control(const Host& host, const Group& group, const std::string& controller,
                    const std::string& v2_file, const std::string& v1_file) {
    const auto path = on_v2(host, controller)
                          ? host.unified + group.path() + "/" + v2_file
                          : host.v1.at(controller) + group.path() + "/" + v1_file;
    auto text = covey::sys::read_file(path).or_throw("read", path);
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

Limits pids(std::int64_t most) {
    Limits limits;
    limits.pids_max = most;
    return limits;
}

/// Forks until the kernel refuses, at most 200 times; says how many children there were.
int count_forks() {
    int children = 0;
    while (children < 200) {
        const pid_t child = ::fork();
        if (child < 0) break;
        if (child == 0) CgroupTree::sleep_for_ever();
        ++children;
    }
    return children;
}

/// Every process forks for ever. Only ever under a pids limit.
[[noreturn]] void fork_bomb() {
    while (true) {
        if (::fork() < 0) {
            const timespec pause{0, 100'000};
            ::nanosleep(&pause, nullptr);
        }
    }
}

}  // namespace

TEST_CASE("a pids limit is in force from the first fork on") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/nginx.ctr");
    group.apply(pids(10));
    CHECK(control(tree.host(), group, "pids", "pids.max", "pids.max") == "10");
    CHECK(CgroupTree::wait_for(CgroupTree::spawn(group, count_forks)) == 9);
    CHECK(group.stats().pids_current == 9U);
    group.kill();
    CHECK(group.wait_empty(5s));
}

TEST_CASE("an exec in a group below is counted against its container's limit") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto container = tree.create("web.pod/nginx.ctr");
    container.apply(pids(10));
    const auto exec = tree.create("web.pod/nginx.ctr/e1.exec");
    const pid_t init = CgroupTree::spawn(container, CgroupTree::sleep_for_ever);
    REQUIRE(init > 0);
    CHECK(CgroupTree::wait_for(CgroupTree::spawn(exec, count_forks)) == 8);
    container.kill();
    CHECK(container.wait_empty(5s));
}

TEST_CASE("a fork bomb under a pids limit is cleared by one kill") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/bomb.ctr");
    group.apply(pids(64));
    const pid_t child = CgroupTree::spawn(group, []() -> int { fork_bomb(); });
    CHECK(CgroupTree::eventually([&] { return group.processes().size() >= 60; }));
    CHECK(group.stats().pids_current.value_or(1000) <= 64U);
    group.kill();
    CHECK(group.wait_empty(10s));
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
    CgroupTree::reap();
    CHECK_NOTHROW(group.remove());
}

TEST_CASE("memory, cpu and cpuset limits reach the kernel's files") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/nginx.ctr");
    Limits limits;
    limits.memory_max = 64 << 20;
    limits.memory_reservation = 32 << 20;
    limits.cpu_shares = 512;
    limits.cpu_quota = 20'000;
    limits.cpu_period = 50'000;
    limits.cpuset_cpus = "0";
    limits.cpuset_mems = "0";
    group.apply(limits);
    const auto& host = tree.host();
    CHECK(control(host, group, "memory", "memory.max", "memory.limit_in_bytes") == "67108864");
    CHECK(control(host, group, "memory", "memory.low", "memory.soft_limit_in_bytes") == "33554432");
    CHECK(control(host, group, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0");
    CHECK(control(host, group, "cpuset", "cpuset.mems", "cpuset.mems") == "0");
    if (on_v2(host, "cpu")) {
        CHECK(control(host, group, "cpu", "cpu.weight", "") == "59");
        CHECK(control(host, group, "cpu", "cpu.max", "") == "20000 50000");
    } else {
        CHECK(control(host, group, "cpu", "", "cpu.shares") == "512");
        CHECK(control(host, group, "cpu", "", "cpu.cfs_quota_us") == "20000");
        CHECK(control(host, group, "cpu", "", "cpu.cfs_period_us") == "50000");
    }
    const pid_t child = CgroupTree::spawn(group, CgroupTree::sleep_for_ever);
    CHECK(child > 0);
    group.kill();
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
}

TEST_CASE("limits can be raised, lowered, changed one by one and lifted while a process runs") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = tree.create("web.pod/nginx.ctr");
    const auto set = [&](const std::function<void(Limits&)>& change) {
        Limits limits;
        change(limits);
        group.apply(limits);
    };
    set([](Limits& limits) { limits.memory_max = limits.memory_swap = 64 << 20; });
    set([](Limits& limits) { limits.memory_max = limits.memory_swap = 256 << 20; });
    CHECK(control(host, group, "memory", "memory.max", "memory.limit_in_bytes") == "268435456");
    set([](Limits& limits) { limits.memory_max = limits.memory_swap = 32 << 20; });
    CHECK(control(host, group, "memory", "memory.max", "memory.limit_in_bytes") == "33554432");
    set([](Limits& limits) { limits.memory_max = -1; });
    CHECK(control(host, group, "memory", "memory.max", "memory.limit_in_bytes") ==
          (on_v2(host, "memory") ? "max" : "9223372036854771712"));

    set([](Limits& limits) { limits.cpu_quota = 50'000; });
    set([](Limits& limits) { limits.cpu_period = 200'000; });
    set([](Limits& limits) {
        limits.cpu_quota = 1'500;
        limits.cpu_period = 1'000;
    });
    if (on_v2(host, "cpu")) {
        CHECK(control(host, group, "cpu", "cpu.max", "") == "1500 1000");
    } else {
        CHECK(control(host, group, "cpu", "", "cpu.cfs_quota_us") == "1500");
        CHECK(control(host, group, "cpu", "", "cpu.cfs_period_us") == "1000");
    }
    set([](Limits& limits) { limits.cpu_quota = -1; });
    CHECK(control(host, group, "cpu", "cpu.max", "cpu.cfs_quota_us") ==
          (on_v2(host, "cpu") ? "max 1000" : "-1"));
    set([](Limits& limits) { limits.pids_max = -1; });
    CHECK(control(host, group, "pids", "pids.max", "pids.max") == "max");
}

TEST_CASE("a memory hog is ended by its own limit, and counted") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/hog.ctr");
    Limits limits;
    limits.memory_max = limits.memory_swap = 16 << 20;
    group.apply(limits);
    const pid_t child = CgroupTree::spawn(group, [] {
        constexpr std::size_t kSize = 64U << 20U;
        void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) return 1;
        std::memset(memory, 1, kSize);
        return 0;
    });
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
    const auto stats = group.stats();
    CHECK(stats.oom_kills == 1U);
    CHECK(stats.memory_peak.value_or(0) > (8U << 20U));
}

TEST_CASE("the time that a group's processes took is counted where the host counts it") {
    COVEY_REQUIRES("root");
    const CgroupTree tree;
    const auto group = tree.create("web.pod/busy.ctr");
    const pid_t child = CgroupTree::spawn(group, [] {
        const auto start = std::clock();
        while (std::clock() - start < CLOCKS_PER_SEC / 50) {
        }
        return 0;
    });
    CHECK(CgroupTree::wait_for(child) == 0);
    const auto stats = group.stats();
    if (tree.host().layout == covey::cgroup::Layout::v1) return;
    CHECK(stats.cpu_usage_us.value_or(0) >= 15'000U);
    CHECK(stats.cpu_usage_us.value_or(0) < 5'000'000U);
}

TEST_CASE("a limit that the host cannot keep is refused by name, with the file and a remedy") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v2");
    const CgroupTree tree;
    auto group = tree.create("web.pod/nginx.ctr");
    Limits limits;
    limits.unified["nothing.max"] = "1";
    try {
        group.apply(limits);
        FAIL("a file that is not there was accepted");
    } catch (const Error& error) {
        CHECK(error.code() == Code::unsupported_by_host);
        CHECK(error.detail().find("nothing.max") != std::string::npos);
        CHECK(error.detail().find("(ENOENT)") != std::string::npos);
        CHECK(error.detail().find("o such file") == std::string::npos);
        CHECK_FALSE(error.fix().empty());
    }
    for (const std::string file : {"cgroup.procs", "cgroup.freeze", "../memory.max", "tasks", ""}) {
        Limits bad;
        bad.unified[file] = "1";
        CHECK_THROWS_AS(group.apply(bad), Error);
    }
    Limits good;
    good.unified["cgroup.max.descendants"] = "3";
    group.apply(good);
    CHECK(covey::sys::read_file(group.identity_dir() + "/cgroup.max.descendants").value_or("") ==
          "3\n");
}

TEST_CASE("without limits no hierarchy but the identity's is touched") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_hybrid");
    const CgroupTree tree;
    auto group = tree.create("web.pod/nginx.ctr");
    group.apply({});
    for (const auto& [name, mount] : tree.host().v1)
        CHECK_FALSE(covey::sys::open_dir(mount + tree.path("web.pod")).has_value());
    group.apply(pids(5));
    CHECK(covey::sys::open_dir(tree.host().v1.at("pids") + group.path()).has_value());
    CHECK_FALSE(covey::sys::open_dir(tree.host().v1.at("memory") + group.path()).has_value());
}
