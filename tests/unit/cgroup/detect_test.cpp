#include "cgroup/detect.hpp"

#include "catch.hpp"
#include "cgroup/unmounted.hpp"
#include "covey/error.hpp"
#include "fake_tree.hpp"

using covey::Error;
using covey::cgroup::detect_with;
using covey::cgroup::Layout;
using covey::cgroup::unmounted_hierarchies;
using covey::test::FakeTree;

namespace {

constexpr std::uint64_t kV1 = CGROUP_SUPER_MAGIC;
constexpr std::uint64_t kV2 = CGROUP2_SUPER_MAGIC;

const std::string kPureV2 =
    "22 1 0:20 / / rw shared:1 - ext4 /dev/vda rw\n"
    "31 22 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

const std::string kHybrid =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

const std::vector<std::pair<std::string, std::uint64_t>> kV1Mounts = {
    {"/sys/fs/cgroup/cpu,cpuacct", kV1},
    {"/sys/fs/cgroup/memory", kV1},
    {"/sys/fs/cgroup/freezer", kV1},
    {"/sys/fs/cgroup/systemd", kV1}};

}  // namespace

TEST_CASE("a host with one v2 tree is v2, with the controllers that its root offers") {
    const FakeTree tree{{{"/proc/self/mountinfo", kPureV2},
                         {"/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n"}}};
    const auto host = detect_with(tree.root(), tree.types({{"/sys/fs/cgroup", kV2}}));
    CHECK(host.layout == Layout::v2);
    CHECK(host.unified == tree.root() + "/sys/fs/cgroup");
    CHECK(host.unified_controllers ==
          std::vector<std::string>{"cpuset", "cpu", "io", "memory", "pids"});
    CHECK(host.v1.empty());
    CHECK(host.identity_mount() == host.unified);
    CHECK(host.identity_root.empty());
}

TEST_CASE("v1 controllers beside a v2 tree are hybrid, and the identity is in the v2 tree") {
    const FakeTree tree{{{"/proc/self/mountinfo", kHybrid},
                         {"/sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n"}}};
    auto mounts = kV1Mounts;
    mounts.emplace_back("/sys/fs/cgroup/unified", kV2);
    const auto host = detect_with(tree.root(), tree.types(mounts));
    CHECK(host.layout == Layout::hybrid);
    CHECK(host.unified == tree.root() + "/sys/fs/cgroup/unified");
    CHECK(host.unified_controllers == std::vector<std::string>{"hugetlb"});
    CHECK(host.v1.at("cpu") == tree.root() + "/sys/fs/cgroup/cpu,cpuacct");
    CHECK(host.v1.at("cpuacct") == host.v1.at("cpu"));
    CHECK(host.v1.contains("name=systemd"));
    CHECK(host.v1.size() == 5);
    CHECK(host.identity_mount() == host.unified);
}

TEST_CASE("a tmpfs over the v2 tree leaves v1 alone, whatever mountinfo says") {
    const FakeTree tree{{{"/proc/self/mountinfo", kHybrid}}};
    const auto host = detect_with(tree.root(), tree.types(kV1Mounts));
    CHECK(host.layout == Layout::v1);
    CHECK(host.unified.empty());
    CHECK(host.identity_mount() == tree.root() + "/sys/fs/cgroup/freezer");
}

TEST_CASE("nsdelegate is an option of the v2 tree, and no part of another one's name") {
    using covey::cgroup::has_nsdelegate;
    const std::string v1 = "30 1 0:20 / /sys/fs/cgroup/cpu rw - cgroup nsdelegate rw,cpu\n";
    CHECK(has_nsdelegate(
        "31 1 0:21 / /sys/fs/cgroup rw - cgroup2 c rw,nsdelegate,memory_recursiveprot\n"));
    CHECK(has_nsdelegate(v1 + "31 1 0:21 / /sys/fs/cgroup rw - cgroup2 c rw,nsdelegate\n"));
    CHECK_FALSE(has_nsdelegate("31 1 0:21 / /sys/fs/cgroup rw - cgroup2 nsdelegate rw\n"));
    CHECK_FALSE(has_nsdelegate(v1 + "31 1 0:21 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n"));
    CHECK_FALSE(has_nsdelegate(v1));
    CHECK_FALSE(has_nsdelegate(""));
}

TEST_CASE("a host without any usable hierarchy is refused with a remedy") {
    const FakeTree tree{{{"/proc/self/mountinfo", kHybrid}}};
    const auto refusal = [&](std::vector<std::pair<std::string, std::uint64_t>> mounts) {
        try {
            (void)detect_with(tree.root(), tree.types(std::move(mounts)));
        } catch (const Error& error) {
            CHECK(error.code() == covey::Code::unsupported_by_host);
            CHECK(error.fix().find("mount -t cgroup2") != std::string::npos);
            return error.detail();
        }
        return std::string{"accepted"};
    };
    CHECK(refusal({}) == "no cgroup hierarchy is mounted");
    CHECK(refusal({{"/sys/fs/cgroup/memory", kV1}}).find("freezer") != std::string::npos);
}

TEST_CASE("a container's copy of the tree is not mistaken for the host's, in either order") {
    const std::string copy =
        "90 22 0:28 /docker/x /srv/rootfs/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    for (const auto& mountinfo : {kPureV2 + copy, copy + kPureV2}) {
        const FakeTree tree{{{"/proc/self/mountinfo", mountinfo}}};
        const auto host = detect_with(
            tree.root(), tree.types({{"/sys/fs/cgroup", kV2}, {"/srv/rootfs/sys/fs/cgroup", kV2}}));
        CHECK(host.unified == tree.root() + "/sys/fs/cgroup");
        CHECK(host.identity_root.empty());
    }
}

TEST_CASE("hierarchies that the kernel has and nobody has mounted here are told of") {
    covey::cgroup::Host host;
    host.unified = "/sys/fs/cgroup/unified";
    host.v1 = {{"cpu", "/c"}, {"cpuacct", "/c"}, {"name=systemd", "/s"}};
    const std::string own = "4:net_cls,net_prio:/\n3:name=systemd:/a\n2:cpuacct,cpu:/\n0::/a:b\n";
    CHECK(unmounted_hierarchies(host, own) == std::vector<std::string>{"net_cls,net_prio"});
    CHECK(unmounted_hierarchies(host, "0::/\nno line\n").empty());
    host.v1.erase("name=systemd");
    CHECK(unmounted_hierarchies(host, own) ==
          std::vector<std::string>{"net_cls,net_prio", "name=systemd"});
}

TEST_CASE("mount points with spaces are read as they are written") {
    const FakeTree tree{
        {{"/proc/self/mountinfo",
          "31 22 0:28 / /srv/my\\040groups rw - cgroup2 cgroup2 rw\nnot a mount line\n31 22\n"}}};
    const auto host = detect_with(tree.root(), tree.types({{"/srv/my groups", kV2}}));
    CHECK(host.unified == tree.root() + "/srv/my groups");
}
