// The controllers of io_limits.cpp and other_limits.cpp, and what v1 and v2 do not have in common,
// as the lines that would be written.
#include "catch.hpp"
#include "cgroup/settings.hpp"
#include "covey/error.hpp"
#include "fake_tree.hpp"

#include <map>

using namespace covey::cgroup;
using covey::Error;
using covey::test::FakeTree;

namespace {

using Lines = std::vector<std::string>;
using Files = std::map<std::string, std::string>;

Lines settings(Version version, Controller controller, const Limits& limits,
               const Files& files = {}) {
    const Reader reader = [&](const std::string& name) -> std::optional<std::string> {
        const auto found = files.find(name);
        if (found == files.end()) return std::nullopt;
        return found->second;
    };
    Lines text;
    for (const auto& setting : version == Version::v1 ? settings_v1(controller, limits, reader)
                                                      : settings_v2(controller, limits, reader))
        text.push_back(setting.file + "=" + setting.value);
    return text;
}

Limits disk() {
    Limits limits;
    limits.io.weight = 100;
    limits.io.devices = {{8, 0, 500, {}}};
    limits.io.read_bps = {{8, 0, 1000}};
    limits.io.write_bps = {{8, 0, 0}};
    limits.io.read_iops = {{8, 16, 10}};
    limits.io.write_iops = {{8, 16, 20}};
    return limits;
}

}  // namespace

TEST_CASE("blkio weights go to BFQ's files where it has them, else to CFQ's names") {
    const Lines throttles{
        "blkio.throttle.read_bps_device=8:0 1000", "blkio.throttle.write_bps_device=8:0 0",
        "blkio.throttle.read_iops_device=8:16 10", "blkio.throttle.write_iops_device=8:16 20"};
    Lines bfq{"blkio.bfq.weight=100", "blkio.bfq.weight_device=8:0 500"};
    bfq.insert(bfq.end(), throttles.begin(), throttles.end());
    CHECK(settings(Version::v1, Controller::io, disk(), {{"blkio.bfq.weight", "100"}}) == bfq);
    Lines cfq{"blkio.weight=100", "blkio.weight_device=8:0 500"};
    cfq.insert(cfq.end(), throttles.begin(), throttles.end());
    CHECK(settings(Version::v1, Controller::io, disk()) == cfq);
}

TEST_CASE("v2 converts weights for io.weight but not for BFQ, and spells no limit 'max'") {
    const Lines throttles{"io.max=8:0 rbps=1000", "io.max=8:0 wbps=max", "io.max=8:16 riops=10",
                          "io.max=8:16 wiops=20"};
    Lines bfq{"io.bfq.weight=100", "io.bfq.weight=8:0 500"};
    bfq.insert(bfq.end(), throttles.begin(), throttles.end());
    CHECK(settings(Version::v2, Controller::io, disk(), {{"io.bfq.weight", "default 100"}}) == bfq);
    Lines cost{"io.weight=910", "io.weight=8:0 4950"};
    cost.insert(cost.end(), throttles.begin(), throttles.end());
    CHECK(settings(Version::v2, Controller::io, disk()) == cost);
    CHECK(io_weight(10) == 1);
    CHECK(io_weight(1000) == 10'000);
}

TEST_CASE("a leaf weight is a file that the kernel will say it has not") {
    Limits limits;
    limits.io.leaf_weight = 10;
    limits.io.devices = {{8, 0, {}, 20}};
    CHECK(settings(Version::v1, Controller::io, limits) ==
          Lines{"blkio.leaf_weight=10", "blkio.leaf_weight_device=8:0 20"});
    CHECK(settings(Version::v2, Controller::io, limits) ==
          Lines{"io.leaf_weight=10", "io.leaf_weight_device=8:0 20"});
}

TEST_CASE("huge pages are limited in use and, where the kernel counts it, in reservation") {
    Limits limits;
    limits.hugepages = {{"1GB", 0}, {"2MB", 4'194'304}};
    CHECK(settings(Version::v1, Controller::hugetlb, limits) ==
          Lines{"hugetlb.1GB.limit_in_bytes=0", "hugetlb.1GB.rsvd.limit_in_bytes=0",
                "hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes=4194304"});
    CHECK(settings(Version::v2, Controller::hugetlb, limits) ==
          Lines{"hugetlb.1GB.max=0", "hugetlb.1GB.rsvd.max=0", "hugetlb.2MB.max=4194304",
                "hugetlb.2MB.rsvd.max=4194304"});
    const auto settings = settings_v2(Controller::hugetlb, limits, {});
    CHECK_FALSE(settings.at(0).may_be_missing);
    CHECK(settings.at(1).may_be_missing);
    CHECK(settings.at(0).field == "hugepageLimits[1GB]");
}

TEST_CASE("rdma, network class and priorities are written as their files want them") {
    Limits limits;
    limits.rdma = {{"mlx5_0", {3, 10'000}}, {"mlx5_1", {{}, 7}}};
    limits.network_class = 0x100001;
    limits.network_priorities = {{"eth0", 5}, {"lo", 0}};
    const Lines rdma{"rdma.max=mlx5_0 hca_handle=3 hca_object=10000",
                     "rdma.max=mlx5_1 hca_object=7"};
    CHECK(settings(Version::v1, Controller::rdma, limits) == rdma);
    CHECK(settings(Version::v2, Controller::rdma, limits) == rdma);
    CHECK(settings(Version::v1, Controller::net_cls, limits) == Lines{"net_cls.classid=1048577"});
    CHECK(settings(Version::v1, Controller::net_prio, limits) ==
          Lines{"net_prio.ifpriomap=eth0 5", "net_prio.ifpriomap=lo 0"});
}

TEST_CASE("network classes on v2 are refused by name") {
    const FakeTree tree{{{"/cg/covey/a.ctr/cgroup.controllers", ""}}};
    Host host;
    host.unified = tree.root() + "/cg";
    auto group = Group::open(host, "/covey/a.ctr");
    Limits cls, prio;
    cls.network_class = 1;
    prio.network_priorities = {{"lo", 1}};
    for (const auto& limits : {cls, prio}) {
        try {
            group.apply(limits);
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.code() == covey::Code::unsupported_by_host);
            CHECK(error.detail().starts_with("network."));
            CHECK(error.detail().find("missing: ") != std::string::npos);
            CHECK(error.fix().find("v2 has no network") != std::string::npos);
        }
    }
}

TEST_CASE(
    "an idle group has no shares: idle comes before them when it ends, after when it begins") {
    Limits on, off;
    on.cpu_shares = off.cpu_shares = 1024;
    on.cpu_idle = 1;
    off.cpu_idle = 0;
    CHECK(settings(Version::v1, Controller::cpu, on) == Lines{"cpu.shares=1024", "cpu.idle=1"});
    CHECK(settings(Version::v1, Controller::cpu, off) == Lines{"cpu.idle=0", "cpu.shares=1024"});
    CHECK(settings(Version::v2, Controller::cpu, on) == Lines{"cpu.weight=100", "cpu.idle=1"});
    CHECK(settings(Version::v2, Controller::cpu, off) == Lines{"cpu.idle=0", "cpu.weight=100"});
}

TEST_CASE("a burst may have to wait for its quota") {
    Limits limits;
    limits.cpu_burst = 5000;
    limits.cpu_quota = 20'000;
    CHECK(settings(Version::v1, Controller::cpu, limits) ==
          Lines{"cpu.cfs_burst_us=5000", "cpu.cfs_quota_us=20000"});
    CHECK(settings(Version::v2, Controller::cpu, limits) ==
          Lines{"cpu.max.burst=5000", "cpu.max=20000"});
    CHECK(settings_v1(Controller::cpu, limits, {}).at(0).may_come_later);
}

TEST_CASE("real-time limits are v1's") {
    Limits limits;
    limits.realtime_period = 1'000'000;
    limits.realtime_runtime = 5000;
    const Lines want{"cpu.rt_period_us=1000000", "cpu.rt_runtime_us=5000"};
    CHECK(settings(Version::v1, Controller::cpu, limits) == want);
    // On v2 too, so that the missing file is what the error names.
    CHECK(settings(Version::v2, Controller::cpu, limits) == want);
}

TEST_CASE("v1's memory controller has more files") {
    Limits limits;
    limits.memory_kernel_tcp = 4096;
    limits.memory_swappiness = 0;
    limits.oom_killer_off = true;
    const Files on{{"memory.oom_control", "oom_kill_disable 0\nunder_oom 0"}};
    const Files off{{"memory.oom_control", "oom_kill_disable 1\nunder_oom 0"}};
    CHECK(settings(Version::v1, Controller::memory, limits, on) ==
          Lines{"memory.kmem.tcp.limit_in_bytes=4096", "memory.swappiness=0",
                "memory.oom_control=1"});
    CHECK(settings(Version::v1, Controller::memory, limits, off) ==
          Lines{"memory.kmem.tcp.limit_in_bytes=4096", "memory.swappiness=0"});
    Limits killer;
    killer.oom_killer_off = false;
    CHECK(settings(Version::v1, Controller::memory, killer, on).empty());
    CHECK(settings(Version::v1, Controller::memory, killer, off) == Lines{"memory.oom_control=0"});
    CHECK(settings(Version::v2, Controller::memory, killer).empty());
}

TEST_CASE("on v2 checkBeforeUpdate refuses a limit below what is used") {
    Limits limits;
    limits.memory_max = 1000;
    const Files used{{"memory.current", "2000"}};
    CHECK(settings(Version::v2, Controller::memory, limits, used) == Lines{"memory.max=1000"});
    limits.check_usage = true;
    CHECK_THROWS_AS(settings(Version::v2, Controller::memory, limits, used), Error);
    limits.memory_max = 3000;
    CHECK(settings(Version::v2, Controller::memory, limits, used) == Lines{"memory.max=3000"});
}

TEST_CASE("what cannot be kept is refused before anything is written") {
    const FakeTree tree{{{"/cg/covey/a.ctr/cgroup.controllers", "pids hugetlb"},
                         {"/cg/covey/a.ctr/pids.max", "max"},
                         {"/cg/covey/a.ctr/hugetlb.2MB.max", "max"}}};
    Host host;
    host.unified = tree.root() + "/cg";
    host.unified_controllers = {"pids", "hugetlb"};
    auto group = Group::open(host, "/covey/a.ctr");
    Limits limits;
    limits.pids_max = 7;
    limits.hugepages = {{"3MB", 0}};
    try {
        group.apply(limits);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.detail().starts_with("hugepageLimits[3MB]: missing: "));
    }
    CHECK(tree.read("/cg/covey/a.ctr/pids.max") == "max");
    limits.hugepages = {{"2MB", 0}};
    group.apply(limits);
    CHECK(tree.read("/cg/covey/a.ctr/pids.max") == "7ax");
    CHECK(tree.read("/cg/covey/a.ctr/hugetlb.2MB.max") == "0ax");
}
