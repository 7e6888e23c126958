// Mounts as a spec can ask for them: id-mapped, recursive attributes, propagation, devices in the
// root filesystem.
#include "catch.hpp"
#include "kernel/spec_lab.hpp"
#include "support/requires.hpp"

#include <filesystem>

#include <sys/mount.h>
#include <sys/stat.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

/// A tmpfs of the test's own on the host, with another one below it.
class HostTree {
  public:
    explicit HostTree(const std::string& path) : path_(path) {
        for (const auto& place : {path_, path_ + "/below"}) {
            fs::create_directories(place);
            REQUIRE(::mount("test", place.c_str(), "tmpfs", 0, "size=1m") == 0);
        }
        write_text(path_ + "/file", "x");
        write_text(path_ + "/below/file", "x");
    }
    HostTree(const HostTree&) = delete;
    HostTree& operator=(const HostTree&) = delete;
    ~HostTree() { ::umount2(path_.c_str(), MNT_DETACH); }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::string with_mounts(const std::string& mounts, const std::string& linux_part = "") {
    return R"({"root":{"readonly":false},"hostname":null,"linux":{"namespaces":[{"type":"mount"},
        {"type":"pid"}])" +
           linux_part + R"(},"mounts":[{"destination":"/proc","type":"proc","source":"proc"})" +
           (mounts.empty() ? "" : "," + mounts) + "]}";
}

std::string bound_at(const std::string& source, const std::string& options,
                     const std::string& rest = "") {
    return R"({"destination":"/data","type":"bind","source":")" + source + R"(","options":[)" +
           options + "]" + rest + "}";
}

/// Options of what is mounted at a path, by the container's own mountinfo.
std::string options_at(const std::string& mounts, const std::string& path) {
    const auto at = mounts.find(R"("mountPoint":")" + path + '"');
    if (at == std::string::npos) return "(no mount at " + path + ")";
    const auto begin = mounts.find(R"("options":")", at) + 11;
    return mounts.substr(begin, mounts.find('"', begin) - begin);
}

constexpr const char* kMaps =
    R"(,"uidMappings":[{"containerID":0,"hostID":5000,"size":10}],
       "gidMappings":[{"containerID":0,"hostID":6000,"size":10}])";

}  // namespace

TEST_CASE("an id-mapped mount shows other owners, alone or with what is mounted below") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const HostTree tree{lab.folder() + "/tree"};
    const auto owner = [&](const std::string& path, const std::string& options) {
        const auto seen =
            lab.run({"stat", path}, with_mounts(bound_at(tree.path(), options, kMaps)));
        return seen.at("/uid") + ":" + seen.at("/gid");
    };
    CHECK(owner("/data/file", R"("rbind","idmap")") == "5000:6000");
    CHECK(owner("/data/below/file", R"("rbind","idmap")") == "0:0");
    CHECK(owner("/data/below/file", R"("rbind","ridmap")") == "5000:6000");
    CHECK(owner("/data/file", R"("bind")") == "5000:6000");
    // What cannot be mapped is said.
    const auto refused = lab.refused(with_mounts(bound_at("/proc", R"("rbind","idmap")", kMaps)));
    CHECK(refused.detail().find("map the ids of /proc") != std::string::npos);
    CHECK(refused.fix().find("does not support") != std::string::npos);
}

TEST_CASE("an id-mapped mount without maps of its own has the container's") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    ::chmod(lab.bundle().path().c_str(), 0755);
    const HostTree tree{lab.folder() + "/tree"};
    auto patch = with_mounts(bound_at(tree.path(), R"("bind","idmap")") +
                                 R"(,{"destination":"/dev","type":"tmpfs","source":"tmpfs"})",
                             R"(,"uidMappings":[{"containerID":0,"hostID":200000,"size":1000}],
        "gidMappings":[{"containerID":0,"hostID":200000,"size":1000}])");
    patch.replace(patch.find(R"({"type":"pid"})"), 14, R"({"type":"pid"},{"type":"user"})");
    REQUIRE(::chown(lab.bundle().rootfs().c_str(), 200000, 200000) == 0);
    // On disk it is root's; root of the container sees it as its own, and may write it.
    const auto seen = lab.run({"stat", "/data/file", "--", "write", "/data/file", "y"}, patch);
    INFO(seen.out << seen.err);
    CHECK(seen.out.find(R"("uid":0,"gid":0)") != std::string::npos);
    CHECK(seen.out.find("ok") != std::string::npos);
}

TEST_CASE("recursive attributes reach what is mounted below, plain ones do not") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const HostTree tree{lab.folder() + "/tree"};
    const auto flags = [&](const std::string& options) {
        const auto mounts = lab.run({"mounts"}, with_mounts(bound_at(tree.path(), options))).out;
        return std::pair{options_at(mounts, "/data"), options_at(mounts, "/data/below")};
    };
    for (const std::string name : {"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"}) {
        CAPTURE(name);
        const auto plain = flags(R"("rbind",")" + name + '"');
        CHECK(plain.first.find(name) != std::string::npos);
        CHECK(plain.second.find(name) == std::string::npos);
        const auto recursive = flags(R"("rbind","r)" + name + '"');
        CHECK(recursive.first.find(name) != std::string::npos);
        CHECK(recursive.second.find(name) != std::string::npos);
    }
    const auto back = flags(R"("rbind","rro","rw")");
    CHECK(back.second.find("ro") == 0);
    CHECK(flags(R"("rbind","rro","rrw")").second.find("rw") == 0);
}

TEST_CASE("a remount changes the container's own mount and nothing of the host's") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const HostTree host{lab.folder() + "/host"};
    const auto at = [](const std::string& place, const std::string& options) {
        return R"({"destination":")" + place + R"(","options":["remount",)" + options + "]}";
    };
    // A mount over the first one's place: the one that was named is changed, not what covers it.
    const auto seen = lab.run(
        {"mounts", "--", "write", "/tmp/x", "x", "--", "write", "/data/file", "y"},
        with_mounts(R"({"destination":"/tmp","type":"tmpfs","options":["nosuid","size=64k"]},)" +
                    bound_at(host.path(), R"("rbind")") + "," +
                    at("/tmp", R"("noexec","size=128k")") + "," + at("/data", R"("bind","ro")") +
                    "," + at("/proc", R"("ro")")));
    INFO(seen.out << seen.err);
    CHECK(options_at(seen.out, "/tmp") == "rw,nosuid,noexec,relatime");
    CHECK(seen.out.find("size=128k") != std::string::npos);
    CHECK(options_at(seen.out, "/data").starts_with("ro,"));
    CHECK(options_at(seen.out, "/data/below").starts_with("rw,"));
    CHECK(options_at(seen.out, "/proc").starts_with("ro,"));
    CHECK(seen.out.ends_with("ok\nEROFS\n"));
    write_text(host.path() + "/file", "still writable");
    CHECK(text_of(host.path() + "/file") == "still writable");
    // The kernel's refusal is told.
    const auto refused =
        lab.refused(with_mounts(R"({"destination":"/tmp","type":"tmpfs","options":["size=64k"]},)" +
                                at("/tmp", R"("nonsense=1")")));
    CHECK(refused.detail().find("remount /tmp") != std::string::npos);
    CHECK(refused.detail().find("nonsense=1") != std::string::npos);
}

TEST_CASE("the root has the propagation that the spec gives it") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto optional = [&](const char* name) {
        const auto mounts = lab.run({"mounts"}, with_mounts("", R"(,"rootfsPropagation":")" +
                                                                    std::string{name} + '"'))
                                .out;
        const auto at = mounts.find(R"("mountPoint":"/")");
        const auto begin = mounts.find(R"("optional":[)", at) + 12;
        return mounts.substr(begin, mounts.find(']', begin) - begin);
    };
    CHECK(optional("private").empty());
    CHECK(optional("rprivate").empty());
    CHECK(optional("shared").find("shared:") != std::string::npos);
    CHECK(optional("unbindable").find("unbindable") != std::string::npos);
}

TEST_CASE("without a mount on /dev the default devices are made in the root filesystem") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto device =
        R"(,"devices":[{"path":"/some/fuse","type":"c","major":10,"minor":229,"fileMode":384,
        "uid":7,"gid":8},{"path":"/dev/pipe","type":"p"},{"path":"/dev/block","type":"b",
        "major":7,"minor":1}])";
    const auto seen =
        lab.run({"stat", "/dev/null", "--", "stat", "/some/fuse", "--", "stat", "/dev/pipe", "--",
                 "stat", "/dev/block", "--", "readlink", "/dev/fd"},
                with_mounts("", device));
    INFO(seen.out);
    for (const char* part :
         {R"("mode":"020666","uid":0,"gid":0)", R"("mode":"020600","uid":7,"gid":8)",
          R"("mode":"010666")", R"("mode":"060666")", R"("major":10,"minor":229)", "/proc/self/fd"})
        CHECK(seen.out.find(part) != std::string::npos);
}
