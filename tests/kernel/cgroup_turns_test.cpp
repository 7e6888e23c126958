// Killing, signalling and removing by turns (lib/cgroup/turns.hpp): each turn is short, whatever is
// in the group, and all of them together do what the blocking calls do.
#include "catch.hpp"
#include "cgroup/turns.hpp"
#include "cgroup_tree.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"

#include <set>

#include <sys/stat.h>

using covey::cgroup::Killing;
using covey::cgroup::Removal;
using covey::cgroup::Signalling;
using covey::cgroup::TurnClock;
using covey::cgroup::Walk;
using covey::test::CgroupTree;
using covey::test::View;
using namespace std::chrono_literals;

namespace {

constexpr int kWide = 1200, kDeep = 300;

/// Of the identity hierarchy; the deepest, or the last one that was made.
std::string make_many(const std::string& top, bool deep) {
    std::string path = top;
    for (int number = 0; number < (deep ? kDeep : kWide); ++number) {
        path = (deep ? path : top) + "/n" + std::to_string(number);
        REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    }
    return path;
}

/// Turns of one step each, until it is through; how many there were.
template <typename Turn>
int turns(const Turn& turn) {
    int count = 1;
    for (const auto end = TurnClock::now() + 30s; !turn(TurnClock::now()); ++count)
        REQUIRE(TurnClock::now() < end);
    return count;
}

int status_of(pid_t pid) {
    int status = 0;
    const bool ended =
        CgroupTree::eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, 3s);
    return ended && WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

}  // namespace

// Seen failing with the position of a page one too far: names were passed over.
TEST_CASE("a walk that is interrupted at each group visits them all, those of long lists too") {
    COVEY_REQUIRES("root");
    const CgroupTree tree;
    const bool deep = GENERATE(false, true);
    const auto group = tree.create("web.pod/app.ctr");
    make_many(group.identity_dir(), deep);
    const auto top = covey::sys::open_dir(group.identity_dir()).or_throw("open");
    std::set<std::string> names;
    for (auto walk = Walk::at(top); walk.next();)
        names.emplace(walk.here().name);
    CHECK(names.size() == static_cast<std::size_t>((deep ? kDeep : kWide) + 1));
}

TEST_CASE("who is in the last of many groups is signalled, and killed, by turns") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const bool deep = GENERATE(false, true), kills = GENERATE(false, true);
    const auto group = tree.create("web.pod/app.ctr");
    const auto last = make_many(group.identity_dir(), deep);
    const pid_t pid = CgroupTree::spawn(group, CgroupTree::sleep_for_ever);
    covey::sys::write_existing(last + "/cgroup.procs", std::to_string(pid)).or_throw("move", last);
    if (kills) {
        Killing killing{tree.host(), group.path()};
        // v2 ends it with the first, by cgroup.kill.
        (void)turns([&](auto until) { return killing.turn(until); });
        CHECK(status_of(pid) == SIGKILL);
    } else {
        const auto top = covey::sys::open_dir(group.identity_dir()).or_throw("open");
        Signalling signalling{top, SIGTERM};
        CHECK(turns([&](auto until) { return signalling.turn(until); }) > kDeep / 2);
        CHECK(status_of(pid) == SIGTERM);
    }
}

// Seen failing with a removal that begins at the top again with each turn: the deep one never ends.
TEST_CASE("a tree of groups is removed by turns, in every hierarchy, and processes are told of") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/app.ctr");
    group.extend_to_v1();
    const bool deep = GENERATE(false, true);
    const auto last = make_many(group.identity_dir(), deep);
    const pid_t pid = CgroupTree::spawn(group, CgroupTree::sleep_for_ever);
    covey::sys::write_existing(last + "/cgroup.procs", std::to_string(pid)).or_throw("move", last);
    Removal removal{tree.host(), group.path()};
    auto left = Removal::Left::groups;
    (void)turns([&](auto until) {
        left = removal.turn(until + 100us);
        return left != Removal::Left::groups;
    });
    CHECK(left == Removal::Left::processes);
    ::kill(pid, SIGKILL);
    CHECK(status_of(pid) == SIGKILL);
    (void)turns([&](auto until) { return removal.turn(until + 100us) == Removal::Left::nothing; });
    CHECK_FALSE(covey::sys::open_dir(group.identity_dir()));
    for (const auto& [controller, mount] : tree.host().v1)
        CHECK_FALSE(covey::sys::open_dir(mount + group.path()));
}

TEST_CASE("a group that is not there is killed and removed at once") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    (void)tree.create("web.pod");
    Killing killing{tree.host(), tree.path("web.pod/gone.ctr")};
    CHECK(killing.turn(TurnClock::now() + 1s));
    Removal removal{tree.host(), tree.path("web.pod/gone.ctr")};
    CHECK(removal.turn(TurnClock::now() + 1s) == Removal::Left::nothing);
}
