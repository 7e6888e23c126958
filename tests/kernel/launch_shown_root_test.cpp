// Opening another mount namespace's root by the pidfd of who is in there: never by whoever has its
// number now, and never staying there.
#include "catch.hpp"
#include "covey/error.hpp"
#include "launch/sources.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/process.hpp"

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

using namespace covey;

namespace {

sys::NamespaceId own_mount_namespace() {
    const auto file = sys::open("/proc/self/ns/mnt", O_RDONLY).or_throw("open", "mnt");
    return sys::namespace_id(file).or_throw("stat", "mnt");
}

/// A process that waits for its end.
sys::Child waiting_child() {
    auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "child");
    if (child.pid == 0)
        for (;;)
            ::pause();
    return child;
}

plan::LaunchPlan plan_that_shows() {
    plan::LaunchPlan plan;
    plan.root.host_path = "/tmp";
    plan.operations.emplace_back(plan::ShowRoot{"/target"});
    return plan;
}

}  // namespace

TEST_CASE("a root is opened by the pidfd of who is in there, and the caller is back at home") {
    COVEY_REQUIRES("root");
    const auto child = waiting_child();
    const auto before = own_mount_namespace();
    const auto sources =
        launch::open_sources(plan_that_shows(), spec::kOpen, child.pidfd, FdRef{-1});
    CHECK(sources.binds.at(0).valid());
    CHECK(own_mount_namespace() == before);
    CHECK(sys::stat_at(sources.binds.at(0), "etc").has_value());
    sys::pidfd_send_signal(child.pidfd, SIGKILL).or_throw("kill", "child");
    (void)sys::wait_process(child.pidfd).or_throw("wait for", "child");
}

TEST_CASE("the root of a process that has ended is refused, reaped or not") {
    COVEY_REQUIRES("root");
    const auto child = waiting_child();
    sys::pidfd_send_signal(child.pidfd, SIGKILL).or_throw("kill", "child");
    REQUIRE(sys::wait_ended(child.pidfd, 10'000));
    const auto before = own_mount_namespace();
    for (const bool is_reaped : {false, true}) {
        if (is_reaped) (void)sys::wait_process(child.pidfd).or_throw("wait for", "child");
        try {
            (void)launch::open_sources(plan_that_shows(), spec::kOpen, child.pidfd, FdRef{-1});
            FAIL("opened");
        } catch (const Error& error) {
            INFO(error.detail());
            CHECK(error.code() == Code::failed_precondition);
            CHECK(error.detail().find("has ended") != std::string::npos);
        }
        CHECK(own_mount_namespace() == before);
    }
}
