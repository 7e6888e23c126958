// Pods in a user namespace: what their containers are inside and outside, in each pid mode and with
// each access; what is refused.
#include "catch.hpp"
#include "kernel/holder.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"

#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kPodsFirstId = 300000, kSize = 65536;

void own_user_namespace(SandboxOptions& options) {
    options.namespaces["user"] = "new";
    options.uid_mappings = options.gid_mappings = {{0, kPodsFirstId, kSize}};
}

/// A pod in a user namespace, with an image that belongs to its root.
struct UserPodLab : Lab {
    explicit UserPodLab(const std::function<void(SandboxOptions&)>& change = own_user_namespace)
        : Lab(change) {
        give(bundle().rootfs());
        for (const auto& entry : fs::recursive_directory_iterator{bundle().rootfs()})
            give(entry.path());
    }
    static void give(const std::string& path, std::uint32_t id = kPodsFirstId) {
        REQUIRE(::lchown(path.c_str(), id, id) == 0);
    }
};

constexpr const char* kWritable = R"({"root":{"readonly":false}})";
const std::vector<PidMode> kUserModes{PidMode::pod, PidMode::nested, PidMode::container};

std::string ids_of(pid_t pid, const std::string& field) {
    const auto status = text_of("/proc/" + std::to_string(pid) + "/status");
    const auto at = status.find("\n" + field + ":\t") + field.size() + 3;
    return status.substr(at, status.find_first_of("\t\n", at) - at);
}

std::uint64_t owner_of(pid_t pid, const std::string& type) {
    const auto file = sys::open("/proc/" + std::to_string(pid) + "/ns/" + type, O_RDONLY);
    const auto owner = sys::owning_user_namespace(file.value()).or_throw("owner of", type);
    return sys::namespace_id(owner).or_throw("stat", "owner").inode;
}

Error pod_error(const std::function<void(SandboxOptions&)>& change) {
    Pod pod;
    change(pod.options());
    auto error = error_of([&] { pod.create("lab").remove(); });
    CHECK_FALSE(fs::exists(pod.root() + "/sandboxes/lab"));
    CHECK(processes_of("lab.pod").empty());
    return error;
}

ContainerOptions with_pod_access(PidMode mode, const std::string& access) {
    auto options = in_mode(mode);
    options.access = access;
    return options;
}

}  // namespace

TEST_CASE("a pod's new user namespace owns its namespaces, and pause is nobody in it") {
    COVEY_REQUIRES("root");
    UserPodLab lab;
    const auto pause = lab.sandbox().pid();
    const auto user = namespace_of(pause, "user");
    CHECK(user != namespace_of(::getpid(), "user"));
    for (const char* type : {"pid", "net", "ipc", "uts", "mnt"})
        CHECK(owner_of(pause, type) == user);
    CHECK(ids_of(pause, "Uid") == "365535");
    CHECK(ids_of(pause, "Gid") == "365535");
    CHECK(ids_of(pause, "CapEff") == "0000000000000000");
    CHECK(fs::exists(lab.sandbox().namespace_path("user")));
}

TEST_CASE("in every pid mode a container is root inside and its host id outside") {
    COVEY_REQUIRES("root");
    UserPodLab lab;
    const auto user = namespace_of(lab.sandbox().pid(), "user");
    for (const auto mode : kUserModes) {
        CAPTURE(static_cast<int>(mode));
        auto app = lab.start(
            "app", probe_bundle({"write", "/made", "x", "--", "sleep", "forever"}, kWritable),
            in_mode(mode));
        CHECK(namespace_of(app.pid(), "user") == user);
        for (const char* type : {"pid", "net", "ipc", "uts", "mnt", "cgroup"})
            CHECK(owner_of(app.pid(), type) == user);
        CHECK(ids_of(app.pid(), "Uid") == "300000");
        CHECK(ids_of(app.pid(), "Groups") == " ");
        REQUIRE(eventually([&] { return fs::exists(lab.bundle().rootfs() + "/made"); }));
        struct stat file {};
        REQUIRE(::stat((lab.bundle().rootfs() + "/made").c_str(), &file) == 0);
        CHECK(file.st_uid == kPodsFirstId);
        CHECK(file.st_gid == kPodsFirstId);
        fs::remove(lab.bundle().rootfs() + "/made");
        const auto seen = exec(app, {"state"});
        CHECK(seen.at("/uid") == "0");
        CHECK(seen.at("/namespaces/user") == std::to_string(user));
        CHECK(exec(app, {"read", "/proc/self/uid_map"}).out.find("300000") != std::string::npos);
        CHECK(exec(app, {"read", "/proc/1/comm"}).out ==
              (mode == PidMode::pod ? "pause\n" : "probe\n"));
        app.kill(SIGKILL);
        REQUIRE(app.wait(kLong));
        app.remove();
    }
}

TEST_CASE("containers of a pod in a user namespace see, signal and inspect one another") {
    COVEY_REQUIRES("root");
    UserPodLab lab;
    auto first = lab.start("first", probe_bundle({"sleep", "forever"}));
    auto nested = lab.start("nested", probe_bundle({"sleep", "forever"}), in_mode(PidMode::nested));
    auto second = lab.start("second", probe_bundle({"sleep", "forever"}));
    for (auto* const other : {&first, &nested}) {
        const auto pid = std::to_string(other->pod_pid());
        CHECK(exec(second, {"readlink", "/proc/" + pid + "/exe"}).out.find("probe") !=
              std::string::npos);
        CHECK(exec(second, {"kill", pid, "0"}).out == "ok\n");
        CHECK(exec(second, {"ptrace", pid}).out == "ok\n");
    }
    CHECK(exec(nested, {"read", "/proc/1/comm"}).out == "probe\n");
    CHECK(exec(nested, {"ls", "/proc"}).out.find("\"" + std::to_string(second.pod_pid()) + "\"") ==
          std::string::npos);
    auto on_nested = in_mode(PidMode::target);
    on_nested.target = "nested";
    auto debugger = lab.start("debugger", probe_bundle({"sleep", "forever"}), on_nested);
    CHECK(namespace_of(debugger.pid(), "pid") == namespace_of(nested.pid(), "pid"));
    CHECK(exec(debugger, {"read", "/proc/1/comm"}).out == "probe\n");
    CHECK(exec(debugger, {"readlink", "/proc/1/exe"}).out.find("probe") != std::string::npos);
    CHECK(exec(second, {"kill", std::to_string(first.pod_pid()), "9"}).out == "ok\n");
    const auto status = first.wait(kLong);
    REQUIRE(status);
    CHECK(status->signal == SIGKILL);
}

TEST_CASE("a container's root rules over the pod, and over nothing of the host") {
    COVEY_REQUIRES("root");
    UserPodLab lab{[](auto& options) {
        own_user_namespace(options);
        options.hostname = "inside";
        options.sysctls["net.ipv4.ip_unprivileged_port_start"] = "77";
        options.sysctls["kernel.shmmni"] = "123";
        options.sysctls["kernel.domainname"] = "pod.example";
    }};
    auto powerful = in_pod();
    powerful.add_capabilities = {"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "DAC_OVERRIDE"};
    const auto patch = R"({"root":{"readonly":false},"linux":{"readonlyPaths":[]}})";
    constexpr const char* kPort = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    constexpr const char* kHostFile = "/proc/sys/vm/swappiness";
    auto app = lab.start("app", probe_bundle({"sleep", "forever"}, patch), powerful);
    const auto state = exec(app, {"state"});
    CHECK(state.at("/hostname") == "inside");
    CHECK(exec(app, {"read", kPort}).out == "77\n");
    CHECK(exec(app, {"read", "/proc/sys/kernel/shmmni"}).out == "123\n");
    CHECK(exec(app, {"read", "/proc/sys/kernel/domainname"}).out == "pod.example\n");
    CHECK(exec(app, {"write", kPort, "99"}).out == "ok\n");
    CHECK(exec(app, {"read", kPort}).out == "99\n");
    CHECK(text_of(kPort) != "99\n");
    CHECK(exec(app, {"write", kHostFile, text_of(kHostFile)}).out == "EACCES\n");
    CHECK(exec(app, {"read", "/sys/class/net/lo/flags"}).out == "0x9\n");
    // A file that the host's root owns, and lets nobody else read.
    write_text(lab.bundle().rootfs() + "/secret", "of the host");
    REQUIRE(::chmod((lab.bundle().rootfs() + "/secret").c_str(), 0600) == 0);
    CHECK(exec(app, {"read", "/secret"}).out == "EACCES\n");
}

TEST_CASE("a restricted container of a pod in a user namespace is restricted there too") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    UserPodLab lab;
    auto victim = lab.start("victim", probe_bundle({"sleep", "forever"}));
    const auto pid = std::to_string(victim.pod_pid());
    for (const char* access : {"private", "observer"}) {
        CAPTURE(access);
        auto options = with_pod_access(PidMode::pod, access);
        options.add_capabilities = {"SYS_PTRACE"};
        auto app = lab.start("app", probe_bundle({"sleep", "forever"}), options);
        const bool sees = std::string{access} == "observer";
        CHECK((exec(app, {"ls", "/proc"}).out.find("\"" + pid + "\"") != std::string::npos) ==
              sees);
        CHECK(exec(app, {"kill", pid, "0"}).out == "EPERM\n");
        CHECK(exec(app, {"ptrace", pid}).out == "EPERM\n");
        CHECK(exec(app, {"ptrace", std::to_string(app.pod_pid())}).out == "ok\n");
        app.remove(true);
    }
    for (const auto mode : {PidMode::nested, PidMode::container}) {
        auto app =
            lab.start("app", probe_bundle({"sleep", "forever"}), with_pod_access(mode, "private"));
        CHECK(exec(app, {"read", "/proc/1/comm"}).out == "probe\n");
        app.remove(true);
    }
}

TEST_CASE("a pod joins a user namespace by path, with what belongs to it") {
    COVEY_REQUIRES("root");
    const Holder holder{CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS};
    const auto folder = "/proc/" + std::to_string(holder.pid());
    const auto with_user = [&](SandboxOptions& options) {
        options.namespaces["user"] = holder.path("user");
    };
    CHECK(pod_error(with_user).detail().find("maps no id 0") != std::string::npos);
    write_text(folder + "/uid_map", "0 300000 1000\n");
    write_text(folder + "/gid_map", "0 300000 1000\n");
    UserPodLab lab{[&](auto& options) {
        with_user(options);
        options.namespaces["net"] = holder.path("net");
    }};
    const auto pause = lab.sandbox().pid();
    CHECK(namespace_of(pause, "user") == namespace_of(holder.pid(), "user"));
    CHECK(namespace_of(pause, "net") == namespace_of(holder.pid(), "net"));
    CHECK(ids_of(pause, "Uid") == "300999");
    for (const auto mode : kUserModes) {
        auto app = lab.start("app", probe_bundle({"sleep", "forever"}), in_mode(mode));
        CHECK(ids_of(app.pid(), "Uid") == "300000");
        CHECK(namespace_of(app.pid(), "net") == namespace_of(holder.pid(), "net"));
        CHECK(exec(app, {"ids"}).at("/uid") == "0");
        app.remove(true);
    }
}

TEST_CASE("a pod is wholly inside its user namespace or wholly outside") {
    COVEY_REQUIRES("root");
    const Holder stranger{CLONE_NEWNET};
    for (const char* type : {"net", "ipc", "uts"}) {
        const auto error = pod_error([&](auto& options) {
            own_user_namespace(options);
            options.namespaces[type] = "host";
        });
        CHECK(error.code() == Code::invalid_argument);
        CHECK(error.detail().find("wholly inside") != std::string::npos);
        CHECK(error.detail().find(type) != std::string::npos);
    }
    auto error = pod_error([&](auto& options) {
        own_user_namespace(options);
        options.namespaces["net"] = stranger.path("net");
    });
    CHECK(error.detail().find(stranger.path("net") + " does not belong") != std::string::npos);
    error = pod_error([](auto& options) { options.namespaces["user"] = "/proc/self/ns/user"; });
    CHECK(error.detail().find("host's user namespace") != std::string::npos);
    error = pod_error([](auto& options) { options.namespaces["user"] = "/proc/self/ns/net"; });
    CHECK(error.detail().find("not a user namespace") != std::string::npos);
    error = pod_error([](auto& options) { options.namespaces["user"] = "new"; });
    CHECK(error.detail().find("uid_mappings maps no id 0") != std::string::npos);
    error = pod_error([](auto& options) {
        own_user_namespace(options);
        options.gid_mappings = {{0, 0, 1}};
    });
    CHECK(error.detail().find("gid_mappings maps the host's id 0") != std::string::npos);
}

TEST_CASE("a container has the sandbox's user namespace or is refused") {
    COVEY_REQUIRES("root");
    UserPodLab lab;
    const auto sleeper = probe_bundle({"sleep", "forever"});
    CHECK(lab.refused_cleanly(sleeper, in_mode(PidMode::node)) == Code::invalid_argument);
    const auto with = [&](const std::string& entry, const std::string& maps) {
        return probe_bundle({"exit", "0"}, R"({"linux":{"namespaces":[{"type":"mount"},)" + entry +
                                               "]" + maps + "}}");
    };
    const auto maps = [](const char* first) {
        const auto one =
            std::string{R"([{"containerID":0,"hostID":)"} + first + R"(,"size":65536}])";
        return R"(,"uidMappings":)" + one + R"(,"gidMappings":)" + one;
    };
    const std::string plain = R"({"type":"user"})";
    const auto at = [](const std::string& path) {
        return R"({"type":"user","path":")" + path + R"("})";
    };
    const auto own = lab.sandbox().namespace_path("user");
    CHECK(lab.run(with(plain, maps("300000"))).status.exit_code == 0);
    CHECK(lab.run(with(plain, "")).status.exit_code == 0);
    CHECK(lab.run(with(at(own), "")).status.exit_code == 0);
    CHECK(lab.run(with(at(own), maps("300000"))).status.exit_code == 0);
    auto error = lab.refused(with(plain, maps("400000")));
    CHECK(error.code() == Code::invalid_spec);
    error = lab.refused(with(at("/proc/self/ns/user"), ""));
    CHECK(error.code() == Code::invalid_spec);
    CHECK(error.detail().find("not the sandbox's user namespace") != std::string::npos);
}

TEST_CASE("an image that belongs to nobody is said, one that cannot be entered refused") {
    COVEY_REQUIRES("root");
    UserPodLab lab;
    const auto root = lab.bundle().rootfs();
    UserPodLab::give(root, 0);
    {
        auto app = lab.create("app", probe_bundle({"sleep", "forever"}));
        const auto record = text_of(lab.state() + "/containers/app/container.json");
        CHECK(record.find("belongs to 0:0") != std::string::npos);
        CHECK(record.find("300000:300000") != std::string::npos);
        app.remove(true);
    }
    REQUIRE(::chmod(root.c_str(), 0700) == 0);
    CHECK(lab.refused_cleanly(probe_bundle({"exit", "0"}), in_pod()) == Code::failed_precondition);
    UserPodLab::give(root);
    CHECK(lab.run({"exit", "0"}).status.exit_code == 0);
}

TEST_CASE("an id-mapped bind shows the host's files as the pod's") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("idmapped_tmpfs");
    UserPodLab lab;
    const auto data = lab.folder() + "/data";
    fs::create_directory(data);
    write_text(data + "/file", "of root");
    REQUIRE(::chmod((data + "/file").c_str(), 0600) == 0);
    const auto patch = R"({"root":{"readonly":false},"mounts":[
        {"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/data","type":"none","options":["bind","idmap"],"source":")" +
                       data + R"("}]})";
    CHECK(lab.run({"read", "/data/file"}, patch).out == "of root");
    CHECK(lab.run({"write", "/data/made", "x"}, patch).status.exit_code == 0);
    struct stat file {};
    REQUIRE(::stat((data + "/made").c_str(), &file) == 0);
    CHECK(file.st_uid == 0);
}

TEST_CASE("a failed create of a pod in a user namespace leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("faults");
    for (const char* step : {"sandbox.user:1", "sandbox.told:1", "sandbox.namespaces:1",
                             "sandbox.root:1", "sandbox.drop:1", "sandbox.facts:1"}) {
        CAPTURE(step);
        ::setenv("COVEY_FAIL_AT", step, 1);
        const auto error = pod_error(own_user_namespace);
        ::unsetenv("COVEY_FAIL_AT");
        CHECK(error.detail() != "nothing was thrown");
    }
}
