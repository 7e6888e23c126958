// Every kind of limit against the real kernel, where it has the controller; where it has not, the
// refusal by name.
#include "catch.hpp"
#include "cgroup_tree.hpp"

#include <algorithm>
#include <filesystem>

#include <sys/sysmacros.h>

using covey::Code;
using covey::Error;
using covey::cgroup::Group;
using covey::cgroup::Host;
using covey::cgroup::Layout;
using covey::cgroup::Limits;
using covey::test::CgroupTree;
using covey::test::View;

namespace {

bool is_on_v2(const Host& host, const std::string& controller) {
    const auto& offered = host.unified_controllers;
    return std::find(offered.begin(), offered.end(), controller) != offered.end();
}

std::string control_text(const std::string& path) {
    auto text = covey::sys::read_file(path).value_or("(not there)");
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

/// What is in the group's file, v2's or v1's, wherever the controller is.
std::string control_of(const Host& host, const Group& group, const std::string& v2,
                       const std::string& v2_file, const std::string& v1,
                       const std::string& v1_file) {
    if (is_on_v2(host, v2)) return control_text(host.unified + group.path() + "/" + v2_file);
    return control_text(host.v1.at(v1) + group.path() + "/" + v1_file);
}

/// The error's text when `limits` are refused; "" when they are not.
std::string refusal(Group& group, const Limits& limits) {
    try {
        group.apply(limits);
    } catch (const Error& error) {
        CHECK(error.code() == Code::unsupported_by_host);
        CHECK(error.detail().find("o such file") == std::string::npos);
        CHECK_FALSE(error.fix().empty());
        return error.detail();
    }
    return "";
}

/// Device number of some disk of this machine, "8:0".
std::optional<std::pair<unsigned, unsigned>> some_disk() {
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
        const auto number = control_text(entry.path() / "dev");
        const auto colon = number.find(':');
        if (colon == std::string::npos) continue;
        return std::pair{static_cast<unsigned>(std::stoul(number.substr(0, colon))),
                         static_cast<unsigned>(std::stoul(number.substr(colon + 1)))};
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("burst and idle reach the cpu controller, whatever was there before") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = tree.create("web.pod/nginx.ctr");
    const auto cpu = [&](const char* v2, const char* v1) {
        return control_of(host, group, "cpu", v2, "cpu", v1);
    };
    Limits limits;
    limits.cpu_burst = 10'000;  // EINVAL until the quota is there
    limits.cpu_quota = 20'000;
    group.apply(limits);
    CHECK(cpu("cpu.max.burst", "cpu.cfs_burst_us") == "10000");
    limits.cpu_burst = 1'000;  // must be lowered before the quota
    limits.cpu_quota = 5'000;
    group.apply(limits);
    CHECK(cpu("cpu.max.burst", "cpu.cfs_burst_us") == "1000");

    Limits idle;
    idle.cpu_shares = 2048;
    idle.cpu_idle = 1;
    group.apply(idle);
    CHECK(cpu("cpu.idle", "cpu.idle") == "1");
    idle.cpu_idle = 0;
    group.apply(idle);
    CHECK(cpu("cpu.idle", "cpu.idle") == "0");
    CHECK(cpu("cpu.weight", "cpu.shares") == (is_on_v2(host, "cpu") ? "174" : "2048"));
}

TEST_CASE("disk rates are held where there is a disk") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    const auto disk = some_disk();
    if (!disk || (!is_on_v2(host, "io") && !host.v1.contains("blkio"))) return;
    const auto number = std::to_string(disk->first) + ":" + std::to_string(disk->second);
    auto group = tree.create("web.pod/nginx.ctr");
    const auto rate = [&](const char* v1) {
        return control_of(host, group, "io", "io.max", "blkio", v1);
    };
    Limits limits;
    limits.io.read_bps = {{disk->first, disk->second, 1'048'576}};
    limits.io.write_iops = {{disk->first, disk->second, 100}};
    group.apply(limits);
    if (is_on_v2(host, "io")) {
        CHECK(rate("") == number + " rbps=1048576 wbps=max riops=max wiops=100");
    } else {
        CHECK(rate("blkio.throttle.read_bps_device") == number + " 1048576");
        CHECK(rate("blkio.throttle.write_iops_device") == number + " 100");
    }
    limits.io.read_bps[0].rate = limits.io.write_iops[0].rate = 0;
    group.apply(limits);
    CHECK(rate("blkio.throttle.read_bps_device").empty());
}

TEST_CASE("a leaf weight is refused by the name of its file") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/nginx.ctr");
    Limits limits;
    limits.io.leaf_weight = 100;
    const auto why = refusal(group, limits);
    CHECK(why.starts_with("blockIO.leafWeight"));
    CHECK(why.find("missing: ") != std::string::npos);
}

TEST_CASE("huge pages are limited for each size the kernel has, others are refused by name") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = tree.create("web.pod/nginx.ctr");
    Limits limits;
    limits.hugepages = {{"2MB", 0}};
    if (!is_on_v2(host, "hugetlb") && !host.v1.contains("hugetlb")) {
        CHECK(refusal(group, limits)
                  .starts_with("hugepageLimits[2MB] needs the cgroup controller 'hugetlb'"));
        return;
    }
    group.apply(limits);
    CHECK(control_of(host, group, "hugetlb", "hugetlb.2MB.max", "hugetlb",
                     "hugetlb.2MB.limit_in_bytes") == "0");
    limits.hugepages = {{"2MB", 4'194'304}, {"3MB", 0}};
    CHECK(refusal(group, limits).starts_with("hugepageLimits[3MB]: missing: "));
    CHECK(control_of(host, group, "hugetlb", "hugetlb.2MB.max", "hugetlb",
                     "hugetlb.2MB.limit_in_bytes") == "0");
}

TEST_CASE("what only v1's memory controller has is written there and refused on v2") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = tree.create("web.pod/nginx.ctr");
    Limits swappiness, killer, tcp;
    swappiness.memory_swappiness = 10;
    killer.oom_killer_off = true;
    tcp.memory_kernel_tcp = 1 << 20;
    if (is_on_v2(host, "memory")) {
        CHECK(refusal(group, swappiness).starts_with("memory.swappiness: missing: "));
        CHECK(refusal(group, killer).starts_with("memory.disableOOMKiller: missing: "));
        CHECK(refusal(group, tcp).starts_with("memory.kernelTCP: missing: "));
        return;
    }
    const auto dir = host.v1.at("memory") + group.path();
    for (const auto& limits : {swappiness, killer, tcp})
        group.apply(limits);
    CHECK(control_text(dir + "/memory.swappiness") == "10");
    CHECK(control_text(dir + "/memory.kmem.tcp.limit_in_bytes") == "1048576");
    CHECK(control_text(dir + "/memory.oom_control").starts_with("oom_kill_disable 1"));
    killer.oom_killer_off = false;
    group.apply(killer);
    CHECK(control_text(dir + "/memory.oom_control").starts_with("oom_kill_disable 0"));
}

TEST_CASE("real-time, network and rdma limits are kept or refused by name") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = tree.create("web.pod/nginx.ctr");
    Limits network, priorities, rdma, realtime;
    network.network_class = 0x100001;
    priorities.network_priorities = {{"lo", 3}};
    rdma.rdma = {{"nothing0", {1, {}}}};
    realtime.realtime_period = 500'000;
    if (host.v1.contains("net_cls")) {
        group.apply(network);
        CHECK(control_text(host.v1.at("net_cls") + group.path() + "/net_cls.classid") == "1048577");
    } else {
        CHECK(refusal(group, network).starts_with("network.classID needs the cgroup controller"));
    }
    if (!host.v1.contains("net_prio"))
        CHECK(refusal(group, priorities).starts_with("network.priorities needs the cgroup"));
    if (!host.v1.contains("rdma") && !is_on_v2(host, "rdma"))
        CHECK(refusal(group, rdma).starts_with("rdma[nothing0] needs the cgroup controller"));
    if (is_on_v2(host, "cpu"))
        CHECK(refusal(group, realtime).starts_with("cpu.realtimePeriod: missing: "));
}
