// Device rules of a container in a group that was delegated to a user: podman without root.
#include "catch.hpp"
#include "cgroup_tree.hpp"
#include "launch/device_rules.hpp"
#include "support/requires.hpp"

#include <unistd.h>

using namespace covey;
using covey::test::CgroupTree;

namespace {

constexpr uid_t kNobody = 65534;

/// The exit status of `body` in a child that is `uid` in a user namespace of the host's.
int as_user(uid_t uid, const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0) ::_exit(99);
        try {
            ::_exit(body());
        } catch (const std::exception&) {
            ::_exit(98);
        }
    }
    return CgroupTree::wait_for(child);
}

}  // namespace

TEST_CASE("a user who may not attach device rules is warned, and has his container") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v2");
    const CgroupTree tree;
    auto group = tree.create("delegated");
    REQUIRE(::chown(group.identity_dir().c_str(), kNobody, kNobody) == 0);
    plan::LaunchPlan plan;
    plan.device_rules = {{false, 'a', {}, {}, "rwm"}};
    CHECK(as_user(kNobody, [&] {
              return launch::apply_device_rules(group, plan).has_value() ? 7 : 0;
          }) == 7);
    // Root, who may, has them in force and no warning.
    CHECK_FALSE(launch::apply_device_rules(group, plan).has_value());
}
