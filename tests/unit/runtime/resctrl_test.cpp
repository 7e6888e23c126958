// Intel RDT on a folder that plays resctrl: the kernel's part, the files of a new group, is played
// by the test.
#include "runtime/resctrl.hpp"

#include "base/json.hpp"
#include "catch.hpp"
#include "core/container_record.hpp"
#include "covey/error.hpp"
#include "unit/cgroup/fake_tree.hpp"

#include <functional>

#include <sys/wait.h>
#include <unistd.h>

using namespace covey;
using namespace covey::runtime;
using covey::test::FakeTree;

namespace {

struct Classes : FakeTree {
    Classes()
        : FakeTree({{"/info/L3/num_closids", "4\n"},
                    {"/info/MB/num_closids", "4\n"},
                    {"/info/L3_MON/mon_features", "llc_occupancy\nmbm_total_bytes\n"},
                    {"/info/last_cmd_status", "ok\n"},
                    {"/tasks", ""},
                    {"/schemata", "    L3:0=fff;1=fff\n    MB:0=100;1=100\n"},
                    {"/gold/tasks", ""},
                    {"/gold/schemata", "    L3:0=0f0;1=00f\n    MB:0= 20;1= 70\n"},
                    {"/gold/mon_groups/other/tasks", ""}}) {}

    /// What resctrl has in a group from its mkdir(2) on.
    void populate(const std::string& group) const {
        add(group + "/tasks", "");
        add(group + "/schemata", "    L3:0=fff;1=fff\n    MB:0=100;1=100\n");
        (void)sys::mkdir_at(sys::kCwd, root() + group + "/mon_groups", 0755);
    }
    /// A real group's rmdir(2) takes the kernel's files along.
    void forget_files(const std::string& group) const {
        for (const char* name : {"/tasks", "/schemata"})
            (void)sys::unlink_at(sys::kCwd, root() + group + name);
        (void)sys::rmdir_at(sys::kCwd, root() + group + "/mon_groups");
    }
    [[nodiscard]] bool has(const std::string& path) const {
        return sys::stat_at(sys::kCwd, root() + path).has_value();
    }
    [[nodiscard]] Resctrl resctrl() const { return Resctrl{root()}; }
};

spec::IntelRdt rdt(std::string clos, std::string l3 = "", std::string bandwidth = "") {
    spec::IntelRdt wanted;
    wanted.clos_id = std::move(clos);
    wanted.l3_cache_schema = std::move(l3);
    wanted.mem_bw_schema = std::move(bandwidth);
    return wanted;
}

Error error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return {Code::internal, ""};
}

}  // namespace

TEST_CASE("without a closID the class has the container's id and goes with it") {
    const Classes classes;
    const auto wanted = rdt("", "L3:0=f0", "MB:0=20");
    const auto place = classes.resctrl().choose(wanted, "web");
    CHECK(place.group == classes.root() + "/web");
    CHECK(place.is_made);
    CHECK_FALSE(classes.has("/web"));  // an intent comes first
    classes.resctrl().make(place);
    REQUIRE(classes.has("/web"));
    classes.populate("/web");
    classes.resctrl().configure(place, wanted);
    CHECK(classes.read("/web/schemata").starts_with("L3:0=f0\nMB:0=20\n"));
    join_class(place, 4711);
    CHECK(classes.read("/web/tasks") == "4711");
    join_class({}, 4712);  // no class: nothing is touched
    CHECK(classes.read("/tasks").empty());
    classes.forget_files("/web");
    remove_own_class(place);
    CHECK_FALSE(classes.has("/web"));
    CHECK_NOTHROW(remove_own_class(place));
    // One of that name that is there is somebody's.
    classes.populate("/web");
    CHECK(error_of([&] { (void)classes.resctrl().choose(wanted, "web"); }).code() ==
          Code::already_exists);
}

TEST_CASE("a closID without a schema names a class that is there, and it stays") {
    const Classes classes;
    const auto place = classes.resctrl().choose(rdt("gold"), "web");
    CHECK(place.group == classes.root() + "/gold");
    CHECK_FALSE(place.is_made);
    const auto before = classes.read("/gold/schemata");
    classes.resctrl().make(place);
    classes.resctrl().configure(place, rdt("gold"));
    CHECK(classes.read("/gold/schemata") == before);
    classes.forget_files("/gold");
    remove_own_class(place);
    CHECK(classes.has("/gold"));
    const auto error = error_of([&] { (void)classes.resctrl().choose(rdt("tin"), "web"); });
    CHECK(error.code() == Code::failed_precondition);
    CHECK(error.detail().find("/tin") != std::string::npos);
    CHECK_FALSE(error.fix().empty());
}

TEST_CASE("a closID with a schema is made, or must have that share") {
    const Classes classes;
    CHECK(classes.resctrl().choose(rdt("tin", "L3:0=1"), "web").is_made);
    for (const char* same : {"L3:0=f0;1=f", "L3:1=0f", "L3: 0 = 0F0"})
        CHECK_FALSE(classes.resctrl().choose(rdt("gold", same, "MB:1=70"), "web").is_made);
    for (const auto& other : {rdt("gold", "L3:0=f1"), rdt("gold", "", "MB:0=30"),
                              rdt("gold", "L3:2=f0"), rdt("gold", "L3:0=")}) {
        const auto error = error_of([&] { (void)classes.resctrl().choose(other, "web"); });
        CHECK(error.code() == Code::failed_precondition);
        CHECK(error.causes().front().find("L3:0=0f0") != std::string::npos);
    }
}

TEST_CASE("both schemas are written together, bandwidth from its own alone, schemata last") {
    CHECK(schemata_of(rdt("", "L3:0=f\nMB:0=10\nL3:1=f", "MB:0=20")) == "L3:0=f\nL3:1=f\nMB:0=20");
    auto wanted = rdt("", "L3:0=f", "MB:0=20");
    wanted.schemata = {"L2:0=1", "MB:0=30"};
    CHECK(schemata_of(wanted) == "L3:0=f\nMB:0=20\nL2:0=1\nMB:0=30");
    wanted = rdt("");
    wanted.schemata = {"L3:0=1"};
    CHECK(schemata_of(wanted) == "L3:0=1");
    CHECK(schemata_of(rdt("", "", "MB:0=20")) == "MB:0=20");
    CHECK(schemata_of(rdt("", "L3:0=f")) == "L3:0=f");
    CHECK(schemata_of(rdt("x")).empty());
}

TEST_CASE("the root's own class is joined by a slash, and never made or removed") {
    const Classes classes;
    auto wanted = rdt("/");
    wanted.enable_monitoring = true;
    const auto place = classes.resctrl().choose(wanted, "web");
    CHECK(place.group == classes.root());
    CHECK(place.monitor == classes.root() + "/mon_groups/web");
    CHECK_FALSE(place.is_made);
    classes.resctrl().make(place);
    join_class({place.group, "", false}, 4711);
    CHECK(classes.read("/tasks") == "4711");
}

TEST_CASE("schemata alone make a class, as the older fields do") {
    const Classes classes;
    auto wanted = rdt("tin");
    wanted.schemata = {"L3:0=1"};
    const auto place = classes.resctrl().choose(wanted, "web");
    CHECK(place.is_made);
    classes.resctrl().make(place);
    classes.populate("/tin");
    classes.resctrl().configure(place, wanted);
    CHECK(classes.read("/tin/schemata").starts_with("L3:0=1\n"));
    wanted.schemata = {"L9:0=1"};
    CHECK(error_of([&] { (void)classes.resctrl().choose(wanted, "web"); }).code() ==
          Code::unsupported_by_host);
}

TEST_CASE("a class in which a process lives is left alone") {
    const Classes classes;
    classes.resctrl().make({classes.root() + "/web", "", true});
    classes.add("/web/tasks", std::to_string(::getpid()) + "\n");
    const core::ResctrlPlace place{classes.root() + "/web", "", true};
    CHECK_NOTHROW(remove_own_class(place));
    CHECK(classes.has("/web"));
    // One that has ended and was not waited for is nobody: the folder is removed, as far as that
    // goes here.
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    classes.add("/web/tasks", std::to_string(child) + "\n");
    CHECK(error_of([&] { remove_own_class(place); }).errno_value() == ENOTEMPTY);
    ::waitpid(child, nullptr, 0);
}

TEST_CASE("counters are a group of the container's own in the class") {
    const Classes classes;
    auto wanted = rdt("gold");
    wanted.enable_cmt = true;
    const auto place = classes.resctrl().choose(wanted, "web");
    CHECK(place.monitor == classes.root() + "/gold/mon_groups/web");
    classes.resctrl().configure(place, wanted);
    classes.add("/gold/mon_groups/web/tasks", "");
    join_class(place, 4711);
    CHECK(classes.read("/gold/tasks") == "4711");
    CHECK(classes.read("/gold/mon_groups/web/tasks") == "4711");
    (void)sys::unlink_at(sys::kCwd, place.monitor + "/tasks");
    remove_own_class(place);
    CHECK_FALSE(classes.has("/gold/mon_groups/web"));
    CHECK(classes.has("/gold/mon_groups/other"));
    classes.add("/info/L3_MON/mon_features", "mbm_total_bytes\n");
    const auto error = error_of([&] { (void)classes.resctrl().choose(wanted, "web"); });
    CHECK(error.code() == Code::unsupported_by_host);
    CHECK(error.detail().find("enableCMT") != std::string::npos);
    wanted.enable_cmt = false;
    wanted.enable_mbm = true;
    CHECK_NOTHROW(classes.resctrl().choose(wanted, "web"));
    wanted.enable_mbm = false;
    wanted.enable_monitoring = true;
    CHECK(classes.resctrl().choose(wanted, "web").monitor ==
          classes.root() + "/gold/mon_groups/web");
    classes.add("/info/L3_MON/mon_features", "\n");
    CHECK(error_of([&] { (void)classes.resctrl().choose(wanted, "web"); })
              .detail()
              .find("enableMonitoring") != std::string::npos);
}

TEST_CASE("what the processor does not allot is named, and the kernel's own words are told") {
    const Classes classes;
    const auto error = error_of([&] { (void)classes.resctrl().choose(rdt("", "L2:0=f"), "web"); });
    CHECK(error.code() == Code::unsupported_by_host);
    CHECK(error.detail().find("no L2") != std::string::npos);
    classes.add("/info/last_cmd_status", "mask f1 has non-consecutive 1-bits\n");
    const core::ResctrlPlace gone{classes.root() + "/gone", "", true};
    const auto refused = error_of([&] { classes.resctrl().configure(gone, rdt("", "L3:0=f1")); });
    CHECK(refused.causes().front().find("non-consecutive") != std::string::npos);
    CHECK(refused.detail().find("L3:0=f1") != std::string::npos);
}

TEST_CASE("resctrl is found by its filesystem in mountinfo") {
    CHECK(
        resctrl_mount("22 1 0:5 / /proc rw - proc proc rw\n"
                      "40 22 0:37 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw\n") ==
        "/sys/fs/resctrl");
    CHECK(resctrl_mount("22 1 0:5 / /proc rw - proc resctrl rw\n").empty());
}

TEST_CASE("a record without a class, of an older version, is read") {
    core::ContainerRecord record;
    record.resctrl = {"/sys/fs/resctrl/gold", "/sys/fs/resctrl/gold/mon_groups/x", true};
    auto json = nlohmann::json::parse(core::encode_record(record));
    const auto same = core::decode_record(json.dump());
    CHECK(same.resctrl.group == record.resctrl.group);
    CHECK(same.resctrl.monitor == record.resctrl.monitor);
    CHECK(same.resctrl.is_made);
    for (const char* name : {"resctrlGroup", "resctrlMonitor", "resctrlMade"})
        REQUIRE(json.erase(name) == 1);
    CHECK(core::decode_record(json.dump()).resctrl.group.empty());
}
