#include "catch.hpp"
#include "cgroup/devices.hpp"
#include "cgroup_tree.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"

#include <cstdlib>
#include <random>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

using covey::cgroup::DeviceRule;
using covey::cgroup::Group;
using covey::test::CgroupTree;

namespace {

/// Device nodes of the test's own, on the filesystem of /dev (others may be nodev).
class Nodes {
  public:
    Nodes() {
        char name[] = "/dev/covey-test-XXXXXX";
        if (::mkdtemp(name) == nullptr) std::abort();
        dir_ = name;
    }
    Nodes(const Nodes&) = delete;
    Nodes& operator=(const Nodes&) = delete;
    ~Nodes() { (void)covey::sys::remove_tree_at(covey::sys::kCwd, dir_); }

    /// Made by the test itself, outside every restricted group.
    [[nodiscard]] std::string make(mode_t type, unsigned major, unsigned minor) const {
        const auto path = dir_ + "/" + std::to_string(type) + "-" + std::to_string(major) + "-" +
                          std::to_string(minor);
        if (::mknod(path.c_str(), type | 0600, makedev(major, minor)) != 0) std::abort();
        return path;
    }
    [[nodiscard]] const std::string& dir() const { return dir_; }

  private:
    std::string dir_;
};

/// errno of an open in a process of the group; 0 for success.
int open_in(const Group& group, const std::string& path, int flags) {
    return CgroupTree::wait_for(CgroupTree::spawn(group, [&] {
        const int fd = ::open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd >= 0 ? 0 : errno;
    }));
}

int mknod_in(const Group& group, const std::string& path, unsigned major, unsigned minor) {
    return CgroupTree::wait_for(CgroupTree::spawn(group, [&] {
        return ::mknod(path.c_str(), S_IFCHR | 0600, makedev(major, minor)) == 0 ? 0 : errno;
    }));
}

}  // namespace

TEST_CASE("a restricted group opens the default devices and no others, whatever nodes there are") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const Nodes nodes;
    auto group = tree.create("web.pod/nginx.ctr");
    const auto kmsg = nodes.make(S_IFCHR, 1, 11);
    REQUIRE(open_in(group, kmsg, O_RDONLY) == 0);
    group.restrict_devices({});
    CHECK(open_in(group, kmsg, O_RDONLY) == EPERM);
    CHECK(open_in(group, nodes.make(S_IFCHR, 1, 1), O_RDONLY) == EPERM);  // mem
    CHECK(open_in(group, nodes.make(S_IFBLK, 1, 3), O_RDONLY) == EPERM);  // ram3, not null
    CHECK(open_in(group, nodes.make(S_IFCHR, 1, 3), O_RDWR) == 0);
    CHECK(open_in(group, "/dev/null", O_RDWR) == 0);
    CHECK(open_in(group, "/dev/urandom", O_RDONLY) == 0);
    CHECK(open_in(group, "/dev/zero", O_RDWR) == 0);
    CHECK(open_in(group, "/dev/full", O_RDWR) == 0);
    // A node may be made, and then not opened.
    const auto made = nodes.dir() + "/made";
    CHECK(mknod_in(group, made, 1, 11) == 0);
    CHECK(open_in(group, made, O_RDONLY) == EPERM);
}

TEST_CASE("rules add single accesses, and hold for groups below") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const Nodes nodes;
    const auto kmsg = nodes.make(S_IFCHR, 1, 11);
    auto group = tree.create("web.pod/nginx.ctr");
    group.restrict_devices({{false, 'a', {}, {}, "rwm"}, {true, 'c', 1, 11, "r"}});
    const auto exec = tree.create("web.pod/nginx.ctr/e1.exec");
    CHECK(open_in(group, kmsg, O_RDONLY) == 0);
    CHECK(open_in(group, kmsg, O_WRONLY) == EPERM);
    CHECK(open_in(group, kmsg, O_RDWR) == EPERM);
    CHECK(open_in(exec, kmsg, O_RDONLY) == 0);
    CHECK(open_in(exec, kmsg, O_WRONLY) == EPERM);
}

TEST_CASE("new rules replace the old ones, wider or narrower") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const Nodes nodes;
    const auto kmsg = nodes.make(S_IFCHR, 1, 11);
    auto group = tree.create("web.pod/nginx.ctr");
    group.restrict_devices({});
    CHECK(open_in(group, kmsg, O_RDONLY) == EPERM);
    group.restrict_devices({{true, 'a', {}, {}, "rwm"}});
    CHECK(open_in(group, kmsg, O_RDONLY) == 0);
    group.restrict_devices({{true, 'a', {}, {}, "rwm"}, {false, 'c', 1, 11, "rw"}});
    CHECK(open_in(group, kmsg, O_RDONLY) == EPERM);
    CHECK(mknod_in(group, nodes.dir() + "/again", 1, 11) == 0);
}

TEST_CASE("the kernel's verifier takes the program of any rules") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v2");
    const CgroupTree tree;
    auto group = tree.create("web.pod/nginx.ctr");
    std::mt19937 random{20240608};
    const auto any_number = [&]() -> std::optional<std::int64_t> {
        return random() % 3 == 0 ? std::nullopt : std::optional<std::int64_t>{random() % 3};
    };
    for (int round = 0; round < 100; ++round) {
        std::vector<DeviceRule> rules;
        for (auto count = random() % 12; count > 0; --count)
            rules.push_back({random() % 2 == 0, "abc" [random() % 3], any_number(), any_number(),
                             std::string { "rwmrwm" }.substr(random() % 3, 1 + random() % 3)});
        INFO("round " << round);
        CHECK_NOTHROW(group.restrict_devices(rules));
    }
    // As many as can be asked for.
    std::vector<DeviceRule> many;
    for (std::int64_t minor = 0; minor < 1000; ++minor)
        many.push_back({minor % 2 == 0, 'c', minor % 7, minor, minor % 3 == 0 ? "rw" : "rwm"});
    CHECK_NOTHROW(group.restrict_devices(many));
}
