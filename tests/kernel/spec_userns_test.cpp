// Containers in a user namespace: new with mappings, by path, rootless.
#include "catch.hpp"
#include "kernel/holder.hpp"
#include "kernel/spec_lab.hpp"
#include "support/requires.hpp"
#include "sys/privileges.hpp"

#include <filesystem>

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kFirstId = 200000;

/// The image belongs to the namespace's root, as engines arrange it.
void give_to(const std::string& path, std::uint32_t id) {
    REQUIRE(::lchown(path.c_str(), id, id) == 0);
    for (const auto& entry : fs::recursive_directory_iterator{path})
        REQUIRE(::lchown(entry.path().c_str(), id, id) == 0);
}

std::string maps(std::uint32_t first, std::uint32_t size) {
    const auto one = R"([{"containerID":0,"hostID":)" + std::to_string(first) + R"(,"size":)" +
                     std::to_string(size) + "}]";
    return R"("uidMappings":)" + one + R"(,"gidMappings":)" + one;
}

constexpr const char* kAllTypes =
    R"({"type":"user"},{"type":"mount"},{"type":"pid"},{"type":"network"},{"type":"ipc"},
       {"type":"uts"},{"type":"cgroup"})";

std::string in_user(const std::string& process = "{}", const std::string& linux_part = "") {
    return R"({"root":{"readonly":false},"hostname":"inside","process":)" + process +
           R"(,"linux":{)" + maps(kFirstId, 65536) + R"(,"namespaces":[)" + kAllTypes + "]" +
           linux_part + "}}";
}

struct UserLab : SpecLab {
    UserLab() {
        ::chmod(bundle().path().c_str(), 0755);
        give_to(bundle().rootfs(), kFirstId);
    }
};

std::string line_of(const std::string& text, const std::string& part) {
    const auto at = text.find(part);
    if (at == std::string::npos) return {};
    const auto begin = text.rfind('\n', at) == std::string::npos ? 0 : text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
}

}  // namespace

TEST_CASE("a container in a user namespace is root there and nobody outside") {
    COVEY_REQUIRES("root");
    UserLab lab;
    auto container =
        lab.start({"state", "--", "write", "/file", "x", "--", "sleep", "forever"}, in_user());
    REQUIRE(eventually([&] { return text_of(container.out).find("ok\n") != std::string::npos; }));
    const auto status = text_of("/proc/" + std::to_string(container.pid) + "/status");
    CHECK(line_of(status, "Uid:") == "Uid:\t200000\t200000\t200000\t200000");
    CHECK(line_of(status, "Gid:") == "Gid:\t200000\t200000\t200000\t200000");
    CHECK(line_of(status, "Groups:") == "Groups:\t ");
    CHECK(text_of("/proc/" + std::to_string(container.pid) + "/uid_map").find("200000") !=
          std::string::npos);
    struct stat file {};
    REQUIRE(::stat((lab.bundle().rootfs() + "/file").c_str(), &file) == 0);
    CHECK(file.st_uid == kFirstId);
    const Outcome seen{{}, line_of(text_of(container.out), "hostname"), {}};
    CHECK(seen.at("/uid") == "0");
    CHECK(seen.at("/hostname") == "inside");
    for (const char* type : {"user", "pid", "net", "ipc", "uts", "cgroup", "mnt"}) {
        CAPTURE(type);
        CHECK(seen.at("/namespaces/" + std::string{type}) !=
              std::to_string(namespace_of(::getpid(), type)));
    }
    lab.remove(container);
}

TEST_CASE("in a user namespace all the usual filesystems and devices are there") {
    COVEY_REQUIRES("root");
    UserLab lab;
    const auto seen =
        lab.run({"mounts", "--", "stat", "/dev/null", "--", "write", "/dev/null", "x", "--", "read",
                 "/proc/self/comm", "--", "ls", "/sys/class/net", "--", "write", "/dev/shm/x", "x"},
                in_user());
    INFO(seen.out << seen.err);
    for (const char* type : {"proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup2"})
        CHECK(seen.out.find(R"("fsType":")" + std::string{type}) != std::string::npos);
    CHECK(seen.out.find(R"("mode":"020666")") != std::string::npos);
    CHECK(seen.out.find("ok\nprobe\n[\"lo\"]\nok\n") != std::string::npos);
    CHECK(line_of(seen.out, R"("mountPoint":"/proc/sys")").find(R"("options":"ro,)") !=
          std::string::npos);
    CHECK(lab.run({"read", "/proc/keys"}, in_user()).out == "");
}

TEST_CASE("ids, groups and capabilities are the user namespace's") {
    COVEY_REQUIRES("root");
    UserLab lab;
    const auto seen = lab.run({"state"}, in_user(R"({"user":{"uid":1000,"gid":1001,
        "additionalGids":[5,7]},"oomScoreAdj":500})"));
    CHECK(seen.at("/uid") == "1000");
    CHECK(seen.at("/gid") == "1001");
    CHECK(seen.at("/groups") == "[5,7]");
    CHECK(seen.at("/oomScoreAdj") == "500");
    const auto denied = lab.refused(in_user(R"({"user":{"uid":70000,"gid":0}})"));
    CHECK(denied.detail().find("uid 70000") != std::string::npos);
}

TEST_CASE("devices of a user namespace are the host's, checked to be what the spec says") {
    COVEY_REQUIRES("root");
    UserLab lab;
    const auto device = [](const char* path, const char* major, const char* minor) {
        return R"(,"devices":[{"path":")" + std::string{path} + R"(","type":"c","major":)" + major +
               R"(,"minor":)" + minor + "}]";
    };
    const auto seen = lab.run({"stat", "/dev/kmsg"}, in_user("{}", device("/dev/kmsg", "1", "11")));
    CHECK(seen.at("/major") == "1");
    CHECK(seen.at("/minor") == "11");
    const auto other = lab.refused(in_user("{}", device("/dev/kmsg", "1", "12")));
    CHECK(other.detail().find("the host's /dev/kmsg is not device 1:12") != std::string::npos);
    CHECK(lab.refused(in_user("{}", device("/dev/not-there", "1", "3"))).code() == Code::not_found);
}

TEST_CASE("an exec is in the container's user namespace, with its ids") {
    COVEY_REQUIRES("root");
    UserLab lab;
    auto container = lab.start({"sleep", "forever"}, in_user());
    plan::ExecRequest other;
    for (const uid_t uid : {0U, 1000U}) {
        other.uid = uid;
        const auto seen = lab.exec(container, {"state"}, other);
        INFO(seen.out);
        CHECK(seen.at("/uid") == std::to_string(uid));
        CHECK(seen.at("/groups") == "[]");
        CHECK(seen.at("/namespaces/user") == std::to_string(namespace_of(container.pid, "user")));
    }
    other.uid = 70000;
    CHECK(error_of([&] { lab.exec(container, {"state"}, other); }).detail().find("70000") !=
          std::string::npos);
    lab.remove(container);
}

TEST_CASE("a user namespace by path is joined, and its mapping is the one it has") {
    COVEY_REQUIRES("root");
    UserLab lab;
    auto first = lab.start({"sleep", "forever"}, in_user());
    const auto path = "/proc/" + std::to_string(first.pid) + "/ns/";
    const auto joined = [&](const std::string& rest) {
        return R"({"hostname":null,"linux":{"namespaces":[{"type":"user","path":")" + path +
               R"(user"},{"type":"network","path":")" + path + R"(net"},{"type":"ipc","path":")" +
               path + R"(ipc"},{"type":"mount"},{"type":"cgroup"}])" + rest + "}}";
    };
    const auto with_pid = [&](const std::string& rest) {
        auto patch = joined(rest);
        patch.insert(patch.find(R"({"type":"mount"})"),
                     R"({"type":"pid","path":")" + path + R"(pid"},)");
        return patch;
    };
    const auto seen = lab.run({"state", "--", "kill", "1", "0"}, with_pid(""));
    CHECK(Outcome{{}, line_of(seen.out, "hostname"), {}}.at("/namespaces/user") ==
          std::to_string(namespace_of(first.pid, "user")));
    CHECK(seen.out.find("ok\n") != std::string::npos);
    CHECK(lab.run({"exit", "0"}, with_pid("," + maps(kFirstId, 65536))).status.exit_code == 0);
    CHECK(lab.refused(with_pid("," + maps(kFirstId + 1, 65536)))
              .detail()
              .find("another id mapping") != std::string::npos);
    lab.remove(first);
}

TEST_CASE("a user namespace beside namespaces of the host joins those first") {
    COVEY_REQUIRES("root");
    UserLab lab;
    const Holder holder{CLONE_NEWNET};
    const auto seen = lab.run(
        {"state"},
        R"({"hostname":null,"linux":{)" + maps(kFirstId, 65536) +
            R"(,"namespaces":[{"type":"user"},{"type":"mount"},{"type":"pid"},{"type":"ipc"},
            {"type":"network","path":")" +
            holder.path("net") + R"("}]},"mounts":[
            {"destination":"/proc","type":"proc","source":"proc"}]})");
    INFO(seen.out << seen.err);
    CHECK(seen.at("/namespaces/net") == std::to_string(namespace_of(holder.pid(), "net")));
}

TEST_CASE("a user namespace without a mapping is refused") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto none = lab.refused(
        R"({"hostname":null,"linux":{"namespaces":[{"type":"user"},{"type":"mount"}]}})");
    CHECK(none.code() == Code::invalid_spec);
}

namespace {

constexpr uid_t kUser = 4711;

/// The launcher's process becomes an ordinary user, whom the kernel lets look at its own /proc.
void become_user() {
    REQUIRE(sys::set_groups({}));
    REQUIRE(sys::set_gid(kUser));
    REQUIRE(sys::set_uid(kUser));
    ::prctl(PR_SET_DUMPABLE, 1);
}

struct RootlessLab : SpecLab {
    RootlessLab() {
        without_cgroup = true;
        ::chmod(bundle().path().c_str(), 0755);
        give_to(bundle().rootfs(), kUser);
        before = [this] {
            give_to(folder(), kUser);
            become_user();
        };
    }
};

std::string rootless(const std::string& map) {
    return R"({"root":{"readonly":false},"hostname":"inside","linux":{)" + map +
           R"(,"namespaces":[)" + kAllTypes + R"(]},"mounts":[
        {"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]},
        {"destination":"/sys","type":"sysfs","source":"sysfs","options":["ro"]}]})";
}

}  // namespace

TEST_CASE("an ordinary user is root in a user namespace that maps its own id") {
    COVEY_REQUIRES("root");
    RootlessLab lab;
    const auto seen = lab.run({"state", "--", "write", "/new", "x", "--", "write", "/dev/null", "x",
                               "--", "read", "/proc/self/setgroups"},
                              rootless(maps(kUser, 1)));
    INFO(seen.out << seen.err);
    CHECK(Outcome{{}, line_of(seen.out, "hostname"), {}}.at("/uid") == "0");
    CHECK(seen.out.find("ok\nok\ndeny\n") != std::string::npos);
    struct stat file {};
    REQUIRE(::stat((lab.bundle().rootfs() + "/new").c_str(), &file) == 0);
    CHECK(file.st_uid == kUser);
}

TEST_CASE("an ordinary user maps other ids by newuidmap, and is told when it may not") {
    COVEY_REQUIRES("root");
    if (!fs::exists("/usr/bin/newuidmap")) {
        note_skip("newuidmap", "/usr/bin/newuidmap is not there");
        return;
    }
    RootlessLab lab;
    const auto two = R"([{"containerID":0,"hostID":4711,"size":1},
        {"containerID":1,"hostID":300000,"size":1000}])";
    const auto patch =
        rootless(R"("uidMappings":)" + std::string{two} + R"(,"gidMappings":)" + two);
    const auto refused = lab.refused(patch);
    CHECK(refused.code() == Code::permission_denied);
    CHECK(refused.fix().find("/etc/subuid") != std::string::npos);
    write_text(lab.folder() + "/sub", "covey-test:300000:1000\n");
    write_text(lab.folder() + "/passwd", "covey-test:x:4711:4711::/:/bin/sh\n");
    lab.before = [&] {
        const auto over = [&](const char* file, const char* target) {
            REQUIRE(::mount((lab.folder() + file).c_str(), target, nullptr, MS_BIND, nullptr) == 0);
        };
        REQUIRE(::unshare(CLONE_NEWNS) == 0);
        REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        for (const char* target : {"/etc/subuid", "/etc/subgid"})
            over("/sub", target);
        over("/passwd", "/etc/passwd");
        ::chmod(lab.folder().c_str(), 0755);
        give_to(lab.folder(), kUser);
        become_user();
    };
    const auto seen = lab.run({"read", "/proc/self/uid_map"}, patch);
    INFO(seen.out << seen.err);
    CHECK(seen.out.find("300000") != std::string::npos);
}
