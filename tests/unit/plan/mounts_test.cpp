#include "catch.hpp"
#include "plan/mount_options.hpp"
#include "unit/plan/config.hpp"

#include <linux/mount.h>

using namespace covey::plan;
using namespace covey::plan::test;
using covey::spec::PidMode;
using Lines = std::vector<std::string>;

namespace {

struct Row {
    std::vector<std::string> options;
    MountFlags flags;
};

constexpr std::uint64_t kAtime = MOUNT_ATTR__ATIME;

MountFlags flags(std::uint64_t set, std::uint64_t clear = 0, std::uint64_t recursive_set = 0,
                 std::uint64_t recursive_clear = 0) {
    return {set, clear, recursive_set, recursive_clear, 0, false};
}

}  // namespace

TEST_CASE("mount options become attributes, later ones win") {
    const Row rows[] = {
        {{}, flags(0)},
        {{"defaults", "async", "loud", "silent", "norelatime"}, flags(0)},
        {{"ro"}, flags(MOUNT_ATTR_RDONLY)},
        {{"ro", "rw"}, flags(0, MOUNT_ATTR_RDONLY)},
        {{"rw", "ro"}, flags(MOUNT_ATTR_RDONLY)},
        {{"nosuid", "nodev", "noexec"},
         flags(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)},
        {{"suid", "dev", "exec"},
         flags(0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)},
        {{"noatime"}, flags(MOUNT_ATTR_NOATIME, kAtime)},
        {{"strictatime"}, flags(MOUNT_ATTR_STRICTATIME, kAtime)},
        {{"noatime", "strictatime"}, flags(MOUNT_ATTR_STRICTATIME, kAtime)},
        {{"strictatime", "relatime"}, flags(0, kAtime)},
        {{"noatime", "atime"}, flags(0, kAtime)},
        {{"strictatime", "nostrictatime"}, flags(0, kAtime)},
        {{"nodiratime"}, flags(MOUNT_ATTR_NODIRATIME)},
        {{"nodiratime", "diratime"}, flags(0, MOUNT_ATTR_NODIRATIME)},
        {{"nosymfollow"}, flags(MOUNT_ATTR_NOSYMFOLLOW)},
        {{"symfollow"}, flags(0, MOUNT_ATTR_NOSYMFOLLOW)},
        {{"rro"}, flags(0, 0, MOUNT_ATTR_RDONLY)},
        {{"rro", "rrw"}, flags(0, 0, 0, MOUNT_ATTR_RDONLY)},
        {{"rnosuid", "rnodev", "rnoexec", "rnodiratime", "rnosymfollow"},
         flags(0, 0,
               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME |
                   MOUNT_ATTR_NOSYMFOLLOW)},
        {{"rsuid", "rdev", "rexec", "rdiratime", "rsymfollow"},
         flags(0, 0, 0,
               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME |
                   MOUNT_ATTR_NOSYMFOLLOW)},
        {{"rnoatime"}, flags(0, 0, MOUNT_ATTR_NOATIME, kAtime)},
        {{"rstrictatime"}, flags(0, 0, MOUNT_ATTR_STRICTATIME, kAtime)},
        {{"rstrictatime", "rrelatime"}, flags(0, 0, 0, kAtime)},
        {{"rstrictatime", "rnostrictatime"}, flags(0, 0, 0, kAtime)},
        {{"rnoatime", "ratime", "rnorelatime"}, flags(0, 0, 0, kAtime)},
    };
    for (const auto& row : rows) {
        const auto got = read_mount_options(row.options);
        CAPTURE(row.options);
        CHECK(got.flags.set == row.flags.set);
        CHECK(got.flags.clear == row.flags.clear);
        CHECK(got.flags.recursive_set == row.flags.recursive_set);
        CHECK(got.flags.recursive_clear == row.flags.recursive_clear);
        CHECK(got.data.empty());
        CHECK(got.refusals.empty());
        CHECK_FALSE(got.bind);
    }
}

TEST_CASE("propagation has two forms of four kinds") {
    struct Kind {
        const char* name;
        std::uint64_t flag;
    };
    for (const auto& kind : {Kind{"shared", MS_SHARED}, Kind{"slave", MS_SLAVE},
                             Kind{"private", MS_PRIVATE}, Kind{"unbindable", MS_UNBINDABLE}}) {
        CHECK(read_mount_options({kind.name}).flags.propagation == kind.flag);
        CHECK_FALSE(read_mount_options({kind.name}).flags.propagation_recursive);
        const auto recursive = read_mount_options({std::string("r") + kind.name});
        CHECK(recursive.flags.propagation == kind.flag);
        CHECK(recursive.flags.propagation_recursive);
    }
}

TEST_CASE("what is no option of mount(8) is the filesystem's own") {
    const auto got = read_mount_options(
        {"mode=755", "newinstance", "size=", "sync", "dirsync", "lazytime", "context=a=b"});
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    CHECK(got.data ==
          Pairs{{"mode", "755"}, {"newinstance", ""}, {"size", ""}, {"context", "a=b"}});
    CHECK(got.superblock == Lines{"sync", "dirsync", "lazytime"});
}

TEST_CASE("options that cannot be kept are refused where they stand") {
    for (const auto* option : {"idmap=uids=0-1-2", "mand", "iversion", "=x", ""}) {
        CAPTURE(option);
        auto json = config_with_mounts(R"([{"destination":"/x","type":"tmpfs","source":"tmpfs"}])");
        json["mounts"][0]["options"] = {"ro", option};
        CHECK(read_mount_options({"ro", option}).refusals.size() == 1);
        CHECK(read_mount_options({"ro", option}).refusals.at(0).index == 1);
        if (*option != '\0') CHECK(pointer_of(json) == "/mounts/0/options/1");
    }
}

TEST_CASE("a remount changes a mount of the list that stands before it") {
    const auto plan = plan_of(config_with_mounts(R"([
        {"destination":"/a","type":"tmpfs","source":"tmpfs","options":["nosuid"]},
        {"destination":"/b","type":"bind","source":"/host"},
        {"destination":"/a/","type":"tmpfs","source":"tmpfs","options":["remount","ro","size=1m","sync"]},
        {"destination":"/b","options":["bind","remount","ro","rnodev","rprivate"]}])"));
    const auto remounts = bodies<Remount>(plan);
    REQUIRE(remounts.size() == 2);
    CHECK(describe(plan.operations.at(remounts[0].of)) == "mount tmpfs on /a");
    CHECK(remounts[0].flags.set == MOUNT_ATTR_RDONLY);
    CHECK(remounts[0].flags.clear == 0);  // nosuid stays
    CHECK(remounts[0].options.size() == 2);
    CHECK(describe(plan.operations.at(remounts[1].of)) == "bind /host to /b");
    CHECK(remounts[1].flags.recursive_set == MOUNT_ATTR_NODEV);
    CHECK(remounts[1].flags.propagation == MS_PRIVATE);
    for (
        const auto* mounts :
        {R"([{"destination":"/x","type":"tmpfs","options":["remount","ro"]}])",  // the image's
         R"([{"destination":"/x","type":"tmpfs"},{"destination":"/x/y","options":["remount"]}])",
         R"([{"destination":"/x","options":["remount"]},{"destination":"/x","type":"tmpfs"}])",
         R"([{"destination":"/x","type":"cgroup"},{"destination":"/x","options":["remount"]}])",
         // The filesystem is not the container's own.
         R"([{"destination":"/x","type":"bind","source":"/h"},{"destination":"/x","options":["remount","size=1m"]}])",
         R"([{"destination":"/proc","type":"proc"},{"destination":"/proc","options":["remount","hidepid=off"]}])",
         R"([{"destination":"/x","type":"sysfs"},{"destination":"/x","options":["remount","sync"]}])"}) {
        CAPTURE(mounts);
        const auto pointer = pointer_of(config_with_mounts(mounts));
        CHECK(pointer.starts_with("/mounts/"));
        CHECK(pointer.ends_with("/options"));
    }
    for (const auto* option : {"idmap", "tmpcopyup"}) {
        auto json =
            config_with_mounts(R"([{"destination":"/x","type":"tmpfs"},{"destination":"/x"}])");
        json["mounts"][1]["options"] = {"remount", option};
        CHECK(pointer_of(json) == "/mounts/1/options");
    }
}

TEST_CASE("a mount is a bind by option or type, recursive only when asked") {
    const auto plan = plan_of(config_with_mounts(R"([
        {"destination":"/a","type":"bind","source":"data"},
        {"destination":"/b","source":"/host","options":["rbind","ro"]},
        {"destination":"/c","type":"none","source":"/host","options":["bind","rprivate"]},
        {"destination":"/d","type":"proc","source":"/proc","options":["bind"]}])"));
    const auto binds = bodies<BindMount>(plan);
    REQUIRE(binds.size() == 4);
    CHECK(binds[0].host_source == "/bundle/data");
    CHECK_FALSE(binds[0].recursive);
    CHECK(binds[1].recursive);
    CHECK(binds[1].flags.set == MOUNT_ATTR_RDONLY);
    CHECK(binds[2].flags.propagation == MS_PRIVATE);
    CHECK_FALSE(binds[2].recursive);
    CHECK(bodies<MountProc>(plan).empty());
}

TEST_CASE("filesystem options do not go with a bind mount") {
    CHECK(
        problems_of(config_with_mounts(
            R"([{"destination":"/a","type":"bind","source":"/x","options":["nosiud"]}])")) ==
        Lines{
            "/mounts/0/options/0: 'nosiud' is no option of a bind mount (did you mean 'nosuid'?)"});
    CHECK(pointer_of(config_with_mounts(
              R"([{"destination":"/a","type":"cgroup","options":["ro","nsdelegate"]}])")) ==
          "/mounts/0/options/1");
    const auto plan = plan_of(config_with_mounts(
        R"([{"destination":"/a","type":"bind","source":"/x","options":["sync","mode=755"]}])"));
    CHECK(has_warning(plan, "/a: 'sync' is not applied"));
    CHECK(has_warning(plan, "/a: 'mode=755' is not applied"));
}

TEST_CASE("filesystems keep their options; the source's default is the type") {
    const auto plan = plan_of(config_with_mounts(
        R"([{"destination":"/a/","type":"tmpfs","options":["mode=1777","sync","tmpcopyup","nodev"]}])"));
    const auto mounts = bodies<MountFilesystem>(plan);
    REQUIRE(mounts.size() == 1);
    CHECK(mounts[0].target == "/a");
    CHECK(mounts[0].source == "tmpfs");
    CHECK(mounts[0].copy_up);
    CHECK(mounts[0].options.size() == 2);
    CHECK(mounts[0].options[1].first == "sync");
    CHECK(mounts[0].flags.set == MOUNT_ATTR_NODEV);
}

TEST_CASE("impossible mounts are named") {
    CHECK(pointer_of(config_with_mounts(R"([{"destination":"/","type":"tmpfs"}])")) ==
          "/mounts/0/destination");
    CHECK(pointer_of(config_with_mounts(R"([{"destination":"/a/..","type":"tmpfs"}])")) ==
          "/mounts/0/destination");
    CHECK(pointer_of(config_with_mounts(R"([{"destination":"/a","source":"/x"}])")) ==
          "/mounts/0/type");
    CHECK(pointer_of(config_with_mounts(R"([{"destination":"/a","options":["bind"]}])")) ==
          "/mounts/0/source");
    CHECK(pointer_of(config_with_mounts(
              R"([{"destination":"/a","type":"sysfs","options":["tmpcopyup"]}])")) ==
          "/mounts/0/options");
}

TEST_CASE("in every pid mode mounts stand in the spec's order, protections after them") {
    auto json = config_with_mounts(R"([
        {"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/data","type":"tmpfs"},
        {"destination":"/proc/uptime","type":"bind","source":"/x"},
        {"destination":"/processes","type":"tmpfs"},
        {"destination":"/second/./proc/","type":"proc"}])");
    json["linux"]["maskedPaths"] = {"/proc/kcore", "/sys/firmware", "/second/proc/keys"};
    json["linux"]["readonlyPaths"] = {"/proc/sys"};
    json["root"]["readonly"] = true;
    const Lines expected{"mount proc on /proc",        "mount tmpfs on /data",
                         "bind /x to /proc/uptime",    "mount tmpfs on /processes",
                         "mount proc on /second/proc", "mask /proc/kcore",
                         "mask /sys/firmware",         "mask /second/proc/keys",
                         "make /proc/sys read-only",   "make / read-only"};
    CHECK(described(plan_of(json)) == expected);
    for (const auto mode : {PidMode::pod, PidMode::node})
        CHECK(described(plan_of(json, request(mode))) == expected);
}

// Seen failing: what lies in it could not be made (EROFS).
TEST_CASE("a read-only tmpfs is read-only after all that is mounted and made in it") {
    auto json = config_with_mounts(R"([
        {"destination":"/dev","type":"tmpfs","options":["nosuid","ro"]},
        {"destination":"/mnt","type":"tmpfs","options":["rro"]},
        {"destination":"/mnt/etc","type":"bind","source":"/etc"},
        {"destination":"/data","type":"ext4","source":"/dev/sda","options":["ro"]}])");
    json["root"]["readonly"] = true;
    const auto plan = plan_of(json);
    CHECK(described(plan).back() == "make / read-only");
    const auto mounts = bodies<MountFilesystem>(plan);
    CHECK(mounts.at(0).flags.set == MOUNT_ATTR_NOSUID);
    CHECK(mounts.at(1).flags.recursive_set == 0);
    CHECK(mounts.at(2).flags.set == MOUNT_ATTR_RDONLY);  // it may be anybody's
    REQUIRE(plan.protections.size() == 3);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto later = std::get<Remount>(plan.protections[i]);
        CHECK(later.of == i);
        CHECK(later.flags.set == MOUNT_ATTR_RDONLY);
        CHECK(later.flags.recursive_set == 0);
    }
    json["mounts"].push_back(
        Json::parse(R"({"destination":"/mnt","type":"tmpfs","options":["remount","rw"]})"));
    CHECK(plan_of(json).protections.size() == 2);
}

TEST_CASE("a tmpfs takes several options in one text") {
    const auto json = config_with_mounts(R"([{"destination":"/a","type":"tmpfs",
        "options":["size=1m,mode=700,,noswap","nosuid","mpol=bind:0-2,5,huge=never"]},
        {"destination":"/b","type":"overlay","options":["lowerdir=/x,y"]}])");
    const auto mounts = bodies<MountFilesystem>(plan_of(json));
    using Options = std::vector<std::pair<std::string, std::string>>;
    CHECK(mounts.at(0).options == Options{{"size", "1m"},
                                          {"mode", "700"},
                                          {"noswap", ""},
                                          {"mpol", "bind:0-2,5"},
                                          {"huge", "never"}});
    CHECK(mounts.at(1).options == Options{{"lowerdir", "/x,y"}});
}

TEST_CASE("a path is masked or made read-only once") {
    auto json = config_with_mounts("[]");
    json["linux"]["maskedPaths"] = {"/proc/keys", "/proc//keys", "/proc/kcore", "/proc/keys/"};
    json["linux"]["readonlyPaths"] = {"/proc/keys", "/proc/sys", "/proc/sys"};
    CHECK(plan_of(json).protections.size() == 4);
}

// Seen failing: what lay below the mount was bound.
TEST_CASE("a bind's source in the root is cloned in its turn when something is mounted there") {
    const auto inner = [](const std::string& source, const std::string& before) {
        auto json = config_with_mounts("[" + before + R"({"destination":"/v","type":"bind"}])");
        json["mounts"].back()["source"] = source;
        return bodies<BindMount>(plan_of(json)).back().inner_source;
    };
    const std::string at_mnt = R"({"destination":"/mnt","type":"tmpfs"},)";
    CHECK(inner("/bundle/rootfs/mnt", at_mnt) == "/mnt");
    CHECK(inner("/bundle/rootfs/mnt/a/..//b", at_mnt) == "/mnt/b");
    CHECK(inner("rootfs", at_mnt) == "/");
    CHECK(inner("/bundle/rootfs/mnt", "").empty());
    CHECK(inner("/bundle/rootfs/mntx", at_mnt).empty());
    CHECK(inner("/bundle/rootfs2/mnt", at_mnt).empty());
    CHECK(inner("/mnt", at_mnt).empty());
}

TEST_CASE("what lies on a procfs is known by its target") {
    auto json = config_with_mounts(R"([
        {"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/processes","type":"tmpfs"},
        {"destination":"/proc/uptime","type":"bind","source":"/x"}])");
    json["linux"]["maskedPaths"] = {"/proc/kcore", "/sys/firmware"};
    json["root"]["readonly"] = true;
    const auto plan = plan_of(json);
    Lines waiting;
    for (const auto* list : {&plan.operations, &plan.protections})
        for (const auto& operation : *list)
            if (lies_on_proc(plan, operation)) waiting.push_back(describe(operation));
    CHECK(waiting == Lines{"mount proc on /proc", "bind /x to /proc/uptime", "mask /proc/kcore"});
}

TEST_CASE("the root is below the bundle unless it is absolute, with its propagation") {
    CHECK(plan_of(config()).root.host_path == "/bundle/rootfs");
    CHECK(plan_of(config(R"({"root": {"path": "/images/a"}})")).root.host_path == "/images/a");
    CHECK(plan_of(config()).root.propagation == 0);
    const auto plan = plan_of(config(R"({"linux": {"rootfsPropagation": "rshared"}})"));
    CHECK(plan.root.propagation == MS_SHARED);
    CHECK(plan.root.propagation_recursive);
    CHECK(plan_of(config(R"({"linux": {"rootfsPropagation": "private"}})")).root.propagation ==
          MS_PRIVATE);
    CHECK(pointer_of(config(R"({"linux": {"maskedPaths": ["/"]}})")) == "/linux/maskedPaths/0");
}

TEST_CASE("an id-mapped bind has its own maps, or those of the container's new user namespace") {
    const auto* maps = R"([{"containerID":0,"hostID":1000,"size":10}])";
    auto json = config_with_mounts(R"([{"destination":"/a","type":"bind","source":"/x"}])");
    json["mounts"][0]["uidMappings"] = Json::parse(maps);
    json["mounts"][0]["gidMappings"] = Json::parse(maps);
    const auto own = bodies<BindMount>(plan_of(json)).at(0);
    REQUIRE(own.uid_mappings.size() == 1);
    CHECK(own.uid_mappings[0].host_id == 1000);
    CHECK_FALSE(own.idmap_recursive);
    json["mounts"][0]["options"] = Json::array({"rbind", "ridmap"});
    CHECK(bodies<BindMount>(plan_of(json)).at(0).idmap_recursive);

    auto of_container = config_with_mounts(
        R"([{"destination":"/a","type":"bind","source":"/x","options":["bind","idmap"]}])");
    CHECK(pointer_of(of_container) == "/mounts/0/options");
    of_container["linux"]["namespaces"] = Json::parse(R"([{"type":"mount"},{"type":"user"}])");
    of_container["linux"]["uidMappings"] = Json::parse(maps);
    of_container["linux"]["gidMappings"] = Json::parse(maps);
    of_container["hostname"] = nullptr;
    auto with = request();
    with.namespaces = NamespaceRule::spec;
    CHECK(bodies<BindMount>(plan_of(of_container, with)).at(0).gid_mappings.size() == 1);

    // Those of a namespace that is joined are not known here.
    of_container["linux"]["namespaces"][1]["path"] = "/proc/1/ns/user";
    of_container["linux"].erase("uidMappings");
    of_container["linux"].erase("gidMappings");
    const auto joined = bodies<BindMount>(plan_of(of_container, with)).at(0);
    CHECK(joined.idmap_of_joined);
    CHECK(joined.uid_mappings.empty());

    auto tmpfs = config_with_mounts(R"([{"destination":"/a","type":"tmpfs","source":"tmpfs"}])");
    tmpfs["mounts"][0]["uidMappings"] = Json::parse(maps);
    tmpfs["mounts"][0]["gidMappings"] = Json::parse(maps);
    CHECK(pointer_of(tmpfs) == "/mounts/0");
}

TEST_CASE("another container's root is shown behind all of the spec's mounts") {
    const auto json =
        config_with_mounts(R"([{"destination":"/proc","type":"proc","source":"proc"}])");
    CHECK(bodies<ShowRoot>(plan_of(json)).empty());
    auto with = request();
    with.shows_root = true;
    const auto plan = plan_of(json, with);
    REQUIRE(bodies<ShowRoot>(plan).size() == 1);
    CHECK(bodies<ShowRoot>(plan)[0].target == "/target");
    const auto lines = described(plan);
    const auto at = [&](const char* what) {
        return std::find(lines.begin(), lines.end(), what) - lines.begin();
    };
    CHECK(at("show the other container's root on /target") > at("mount proc on /proc"));
    CHECK(static_cast<std::size_t>(at("show the other container's root on /target")) <
          lines.size());
    CHECK_FALSE(has_warning(plan, "/target"));
    with.access = covey::spec::kPrivate;
    CHECK(has_warning(plan_of(json, with), "/target: the root filesystem alone"));
    // Its own /proc may be in it: that has nothing to do with this container's.
    CHECK_FALSE(lies_on_proc(plan, bodies<ShowRoot>(plan)[0]));
}
