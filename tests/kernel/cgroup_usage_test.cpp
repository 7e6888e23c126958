// What the kernel counts for a group, and how it tells of memory that ran out.
#include "catch.hpp"
#include "cgroup/oci_group.hpp"
#include "cgroup/oom_watch.hpp"
#include "cgroup/usage.hpp"
#include "cgroup_tree.hpp"

#include <cstring>

#include <poll.h>
#include <sys/mman.h>

using covey::cgroup::Limits;
using covey::cgroup::make_container_group;
using covey::cgroup::OomWatch;
using covey::cgroup::read_usage;
using covey::cgroup::Rights;
using covey::test::CgroupTree;

namespace {

int use_memory(std::size_t bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return 1;
    std::memset(memory, 1, bytes);
    return 0;
}

bool wakes(const OomWatch& watch, int milliseconds) {
    pollfd waiting{watch.fd().get(), watch.poll_events(), 0};
    return ::poll(&waiting, 1, milliseconds) == 1;
}

}  // namespace

TEST_CASE("a container's time, memory and processes are counted") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = make_container_group(tree.host(), tree.path("c1"), Rights::root, {});
    REQUIRE(group);
    Limits limits;
    limits.memory_max = 64 << 20;
    limits.pids_max = 20;
    limits.cpuset_cpus = "0";
    group->apply(limits);
    const pid_t child = CgroupTree::spawn(*group, [] {
        (void)use_memory(4 << 20);
        const auto start = std::clock();
        while (std::clock() - start < CLOCKS_PER_SEC / 20) {
        }
        return CgroupTree::sleep_for_ever();
    });
    CHECK(CgroupTree::eventually(
        [&] { return read_usage(tree.host(), *group).cpu.total > 40'000'000; }));
    const auto usage = read_usage(tree.host(), *group);
    CHECK(usage.memory.usage.limit == (64 << 20));
    CHECK(usage.memory.usage.usage > (3 << 20));
    CHECK(usage.memory.swap.usage > (3 << 20));
    CHECK(usage.memory.raw.size() > 10);
    CHECK(usage.pids == 1);
    CHECK(usage.pids_limit == 20);
    CHECK(usage.cpuset.cpus == std::vector<std::uint16_t>{0});
    CHECK(usage.cpuset.mems == std::vector<std::uint16_t>{0});
    CHECK(usage.cpuset.sched_load_balance == 1);
    group->kill();
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
    group->remove();
    CHECK(read_usage(tree.host(), *group).pids == 0);
}

TEST_CASE("memory that runs out is told to who watches, and so is the group's end") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = make_container_group(tree.host(), tree.path("c1"), Rights::root, {});
    REQUIRE(group);
    Limits limits;
    limits.memory_max = limits.memory_swap = 16 << 20;
    group->apply(limits);
    OomWatch watch{tree.host(), *group};
    CHECK_FALSE(wakes(watch, 0));
    CHECK(watch.take() == 0);
    const pid_t child = CgroupTree::spawn(*group, [] { return use_memory(64 << 20); });
    CHECK(wakes(watch, 10'000));
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
    CHECK(CgroupTree::eventually([&, seen = std::uint64_t{0}]() mutable {
        seen += watch.take();
        return seen > 0;
    }));
    CHECK_FALSE(watch.is_over());
    group->remove();
    CHECK(watch.is_over());
    CHECK(wakes(watch, 10'000));
    CHECK(watch.take() == 0);
}
