// A container's group as an OCI runtime makes it: at a path that an engine chose, in all v1
// hierarchies, taken or refused if it is there.
#include "catch.hpp"
#include "cgroup/oci_group.hpp"
#include "cgroup_tree.hpp"

#include <algorithm>
#include <set>

#include <fcntl.h>

using covey::Code;
using covey::Error;
using covey::cgroup::DeviceRule;
using covey::cgroup::Forbidden;
using covey::cgroup::Group;
using covey::cgroup::Host;
using covey::cgroup::Limits;
using covey::cgroup::make_container_group;
using covey::cgroup::Placement;
using covey::cgroup::processes_folder;
using covey::cgroup::Rights;
using covey::test::CgroupTree;
using namespace std::chrono_literals;

namespace {

bool is_there(const std::string& dir) {
    return covey::sys::open_dir(dir).has_value();
}

std::string file_text(const std::string& path) {
    return covey::sys::read_file(path).value_or("");
}

/// How many lines of /proc/<pid>/cgroup end in `path`.
std::size_t hierarchies_with(pid_t pid, const std::string& path) {
    const auto text = file_text("/proc/" + std::to_string(pid) + "/cgroup");
    std::size_t count = 0;
    for (std::size_t at = text.find(path + "\n"); at != std::string::npos;
         at = text.find(path + "\n", at + 1))
        ++count;
    return count;
}

std::size_t v1_mounts(const Host& host) {
    std::set<std::string> mounts;
    for (const auto& [name, mount] : host.v1)
        mounts.insert(mount);
    return mounts.size();
}

Code refusal_code(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.code();
    }
    return Code::internal;
}

}  // namespace

TEST_CASE("a container of an OCI runtime is in every hierarchy, and leaves none behind") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = make_container_group(host, tree.path("engine/c1"), Rights::root, {});
    REQUIRE(group);
    const pid_t child = CgroupTree::spawn(*group, CgroupTree::sleep_for_ever);
    const auto want = v1_mounts(host) + (host.unified.empty() ? 0 : 1);
    const auto below = hierarchies_with(child, group->path() + "/main");
    CHECK(below > 0);
    CHECK(hierarchies_with(child, group->path()) + below == want);
    for (const auto& [name, mount] : host.v1)
        CHECK(file_text(processes_folder(mount, group->path()) + "/cgroup.procs") ==
              std::to_string(child) + "\n");
    CHECK(group->processes() == std::vector<pid_t>{child});
    group->kill();
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
    group->remove();
    for (const auto& [name, mount] : host.v1) {
        CHECK_FALSE(is_there(mount + tree.path("engine/c1")));
        CHECK(is_there(mount + tree.path("engine")));  // parents stay, as with runc
    }
    CHECK_FALSE(covey::cgroup::find_container_group(host, tree.path("engine/c1")));
}

TEST_CASE("limits hold above the processes of an engine's container, and can be read beside them") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto& host = tree.host();
    auto group = make_container_group(host, tree.path("engine/c1"), Rights::root, {});
    REQUIRE(group);
    group->pass_on_controllers();
    struct File {
        std::string v1_controller, v1, v2;
    };
    const std::vector<File> files{{"pids", "pids.max", "pids.max"},
                                  {"memory", "memory.limit_in_bytes", "memory.max"},
                                  {"cpu", "cpu.cfs_quota_us", "cpu.max"}};
    // Less, more, less again: v1's quota must never be more below than above.
    for (const std::int64_t factor : {4, 1, 8, 2}) {
        Limits limits;
        limits.pids_max = 10 * factor;
        limits.memory_max = (factor * 16) << 20;
        limits.cpu_quota = 10'000 * factor;
        limits.cpu_period = 100'000;
        group->apply(limits);
        for (const auto& file : files) {
            const auto v1 = host.v1.find(file.v1_controller);
            const auto& mount = v1 == host.v1.end() ? host.unified : v1->second;
            const auto& name = v1 == host.v1.end() ? file.v2 : file.v1;
            const auto above = file_text(mount + group->path() + "/" + name);
            CAPTURE(mount, name, factor);
            CHECK(above != "");
            CHECK(above != "max\n");
            CHECK(file_text(mount + group->path() + "/main/" + name) == above);
        }
    }
    // What is written there lifts nothing.
    const auto pids = host.v1.find("pids");
    const auto mount = pids == host.v1.end() ? host.unified : pids->second;
    covey::sys::write_existing(mount + group->path() + "/main/pids.max", "max").or_throw("write");
    CHECK(file_text(mount + group->path() + "/pids.max") == "20\n");
    group->remove();
}

TEST_CASE("an empty group that is there is taken, one with processes is refused") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    {
        auto made = tree.create("engine/c1/left");
        made.extend_to_v1();
        auto group = make_container_group(tree.host(), tree.path("engine/c1"), Rights::root, {});
        REQUIRE(group);
    }
    const auto left = Group::open(tree.host(), tree.path("engine/c1/left"));
    const pid_t child = CgroupTree::spawn(left, CgroupTree::sleep_for_ever);
    CHECK(refusal_code([&] {
              (void)make_container_group(tree.host(), tree.path("engine/c1"), Rights::root, {});
          }) == Code::failed_precondition);
    left.kill();
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
}

TEST_CASE("a group that was left frozen starts nothing frozen") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto before = tree.create("engine/c1");
    before.freeze();
    CHECK(before.is_frozen());
    const auto group = make_container_group(tree.host(), tree.path("engine/c1"), Rights::root, {});
    REQUIRE(group);
    CHECK_FALSE(group->is_frozen());
}

TEST_CASE("a pause through v1's freezer is seen, and ended by thaw") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_hybrid");
    const CgroupTree tree;
    const auto group = make_container_group(tree.host(), tree.path("c1"), Rights::root, {});
    REQUIRE(group);
    const pid_t child = CgroupTree::spawn(*group, CgroupTree::sleep_for_ever);
    const auto state = tree.host().v1.at("freezer") + group->path() + "/freezer.state";
    covey::sys::write_existing(state, "FROZEN").or_throw("write", state);
    CHECK(group->is_frozen());
    group->thaw();
    CHECK_FALSE(group->is_frozen());
    CHECK(file_text(state) == "THAWED\n");
    group->freeze();
    CHECK(group->is_frozen());
    group->kill();
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
}

TEST_CASE("a placement may differ from hierarchy to hierarchy") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_hybrid");
    const CgroupTree tree;
    const auto& host = tree.host();
    const auto& memory = host.v1.at("memory");
    Placement placement{tree.path("c1")};
    placement.v1_paths[memory] = tree.path("elsewhere/c1");
    auto group = make_container_group(host, placement, Rights::root, {});
    REQUIRE(group);
    Limits limits;
    limits.memory_max = 64 << 20;
    limits.pids_max = 5;
    group->apply(limits);
    CHECK(file_text(memory + tree.path("elsewhere/c1/memory.limit_in_bytes")) == "67108864\n");
    CHECK(file_text(host.v1.at("pids") + tree.path("c1/pids.max")) == "5\n");
    CHECK_FALSE(is_there(memory + tree.path("c1")));
    const pid_t child = CgroupTree::spawn(*group, CgroupTree::sleep_for_ever);
    CHECK(hierarchies_with(child, tree.path("elsewhere/c1/main")) == 1);
    CHECK(group->stats().memory_current.has_value());
    group->kill();
    CHECK(CgroupTree::wait_for(child) == 128 + SIGKILL);
    group->remove();
    CHECK_FALSE(is_there(memory + tree.path("elsewhere/c1")));
    (void)covey::sys::remove_tree_at(covey::sys::kCwd, memory + tree.path("elsewhere"));
}

TEST_CASE("device rules of an extended group stand in v1's files, where tools look for them") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_hybrid");
    const CgroupTree tree;
    auto group = make_container_group(tree.host(), tree.path("c1"), Rights::root, {});
    REQUIRE(group);
    group->restrict_devices({{false, 'a', {}, {}, "rwm"}, {true, 'c', 10, 229, "rw"}});
    const auto list = file_text(tree.host().v1.at("devices") + group->path() + "/devices.list");
    CHECK(list.find("c 10:229 rw\n") != std::string::npos);
    CHECK(list.find("c 1:3 rwm\n") != std::string::npos);
    CHECK(list.find("a *:*") == std::string::npos);
    const auto opens = [&](const char* device) {
        return CgroupTree::wait_for(CgroupTree::spawn(
            *group, [device] { return covey::sys::open(device, O_RDONLY).has_value() ? 1 : 0; }));
    };
    CHECK(opens("/dev/null") == 1);
    CHECK(opens("/dev/kmsg") == 0);
    // v1 knows no exception to an exception: there the program on the v2 group says it.
    group->restrict_devices(
        {{true, 'a', {}, {}, "rwm"}, {false, 'c', 1, {}, "rwm"}, {true, 'c', 1, 11, "r"}});
    CHECK(opens("/dev/kmsg") == 1);
    group->restrict_devices({});
    CHECK(opens("/dev/null") == 1);
    CHECK(opens("/dev/kmsg") == 0);
}

TEST_CASE("a user without rights to cgroups has no group, unless limits need one") {
    COVEY_REQUIRES("root");
    const CgroupTree tree;
    const auto& host = tree.host();
    const auto as_nobody = [&](const std::function<int()>& body) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)
                ::_exit(99);
            try {
                ::_exit(body());
            } catch (const Error& error) {
                ::_exit(error.code() == Code::permission_denied ? 13 : 98);
            }
        }
        return CgroupTree::wait_for(child);
    };
    const auto path = tree.path("c1");
    CHECK(as_nobody(
              [&] { return make_container_group(host, path, Rights::rootless, {}) ? 1 : 0; }) == 0);
    Limits limits;
    limits.pids_max = 5;
    CHECK(as_nobody([&] {
              return make_container_group(host, path, Rights::rootless, limits) ? 1 : 0;
          }) == 13);
    CHECK(as_nobody([&] { return make_container_group(host, path, Rights::root, {}) ? 1 : 0; }) ==
          13);
}
