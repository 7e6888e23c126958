// A pod's namespaces: new, the host's, or given by path; what is set in them, and what is refused.
#include "catch.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/holder.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <filesystem>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

constexpr const char* kPortStart = "net.ipv4.ip_unprivileged_port_start";
constexpr const char* kPortStartFile = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

std::string in_container(Lab& lab, const std::string& type) {
    return lab.run({"state"}).at("/namespaces/" + type);
}

Error create_error(const std::function<void(SandboxOptions&)>& change) {
    Pod pod;
    change(pod.options());
    auto error = error_of([&] { pod.create("lab").remove(); });
    CHECK_FALSE(std::filesystem::exists(pod.root() + "/sandboxes/lab"));
    return error;
}

}  // namespace

TEST_CASE("by default a pod has new net, ipc, uts and pid namespaces and the host's time") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto pause = lab.sandbox().pid();
    for (const char* type : {"net", "ipc", "uts", "pid", "mnt"})
        CHECK(namespace_of(pause, type) != namespace_of(::getpid(), type));
    for (const char* type : {"time", "user"})
        CHECK(namespace_of(pause, type) == namespace_of(::getpid(), type));
    const auto state = lab.run({"state"});
    for (const char* type : {"net", "ipc", "uts", "pid"})
        CHECK(state.at(std::string{"/namespaces/"} + type) ==
              std::to_string(namespace_of(pause, type)));
    for (const char* type : {"mnt", "cgroup"})
        CHECK(state.at(std::string{"/namespaces/"} + type) !=
              std::to_string(namespace_of(::getpid(), type)));
}

TEST_CASE("a pod may have the host's namespaces") {
    COVEY_REQUIRES("root");
    Lab lab{[](auto& options) {
        for (const char* type : {"net", "ipc", "uts"})
            options.namespaces[type] = "host";
        options.hostname = "must-not-be-set";
    }};
    for (const char* type : {"net", "ipc", "uts"}) {
        CHECK(namespace_of(lab.sandbox().pid(), type) == namespace_of(::getpid(), type));
        CHECK(in_container(lab, type) == std::to_string(namespace_of(::getpid(), type)));
    }
    CHECK(text_of("/proc/sys/kernel/hostname") != "must-not-be-set\n");
}

TEST_CASE("a pod joins the namespaces that are given by path") {
    COVEY_REQUIRES("root");
    const Holder holder{CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS};
    Lab lab{[&](auto& options) {
        for (const char* type : {"net", "ipc", "uts"})
            options.namespaces[type] = holder.path(type);
    }};
    for (const char* type : {"net", "ipc", "uts"}) {
        CHECK(namespace_of(lab.sandbox().pid(), type) == namespace_of(holder.pid(), type));
        CHECK(in_container(lab, type) == std::to_string(namespace_of(holder.pid(), type)));
    }
}

TEST_CASE("a namespace path of the wrong type is refused by name") {
    COVEY_REQUIRES("root");
    auto error =
        create_error([](auto& options) { options.namespaces["net"] = "/proc/self/ns/uts"; });
    CHECK(error.code() == Code::invalid_argument);
    CHECK(error.detail().find("/proc/self/ns/uts is not a net namespace") != std::string::npos);
    CHECK_FALSE(error.fix().empty());
    error = create_error([](auto& options) { options.namespaces["uts"] = "/etc/passwd"; });
    CHECK(error.code() == Code::invalid_argument);
    CHECK(error.detail().find("/etc/passwd is not a uts namespace") != std::string::npos);
    error = create_error([](auto& options) { options.namespaces["ipc"] = "/no/such/file"; });
    CHECK(error.detail().find("open ipc namespace /no/such/file") != std::string::npos);
}

TEST_CASE("a spec's namespace path must be the pod's own") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto with_net = [](const std::string& path) {
        return R"({"linux":{"namespaces":[{"type":"mount"},{"type":"network","path":")" + path +
               R"("}]}})";
    };
    const auto own = lab.sandbox().namespace_path("net");
    CHECK(lab.run({"state"}, with_net(own)).at("/namespaces/net") ==
          std::to_string(namespace_of(lab.sandbox().pid(), "net")));
    for (const char* path : {"/proc/self/ns/net", "/proc/self/ns/uts", "/etc/passwd"}) {
        const auto error = lab.refused(probe_bundle({"exit", "0"}, with_net(path)));
        CHECK(error.code() == Code::invalid_spec);
        CHECK(error.detail().find(path) != std::string::npos);
    }
}

TEST_CASE("what the host mounts after a pod was made is there for its containers") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto late = lab.folder() + "/late";
    std::filesystem::create_directory(late);
    REQUIRE(::mount("late", late.c_str(), "tmpfs", 0, "size=64k") == 0);
    write_text(late + "/file", "on the late mount");
    const std::string patch = R"({"root":{"readonly":false},"mounts":[
        {"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/data","type":"none","options":["bind"],"source":")" +
                              late + R"("}]})";
    for (const auto mode : {PidMode::pod, PidMode::container})
        CHECK(lab.run({"read", "/data/file"}, patch, in_mode(mode)).out == "on the late mount");
    // And nothing of the pod holds it fast.
    CHECK(::umount(late.c_str()) == 0);
}

TEST_CASE("above a container's root is its root, for its execs too") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::node}) {
        auto container = lab.start("app", probe_bundle({"sleep", "forever"}), in_mode(mode));
        const auto own = exec(container, {"ls", "/"}).out;
        CHECK(own == "[\"bin\",\"dev\",\"etc\",\"proc\",\"run\",\"sys\",\"tmp\"]\n");
        CHECK(exec(container, {"ls", "/.."}).out == own);
        container.remove(true);
        CHECK(lab.run({"ls", "/.."}, "{}", in_mode(mode)).out == own);
    }
}

TEST_CASE("the hostname is the pod's, or its id") {
    COVEY_REQUIRES("root");
    {
        Lab lab{[](auto& options) { options.hostname = "front-7"; }};
        CHECK(lab.run({"state"}).at("/hostname") == "front-7");
        CHECK(text_of("/proc/sys/kernel/hostname") != "front-7\n");
    }
    Lab lab;
    CHECK(lab.run({"state"}).at("/hostname") == "lab");
}

TEST_CASE("the loopback interface of a new net namespace is up") {
    COVEY_REQUIRES("root");
    Lab lab;
    // IFF_LOOPBACK | IFF_UP; 0x8 alone is a loopback that is down.
    CHECK(lab.run({"read", "/sys/class/net/lo/flags"}).out == "0x9\n");
    CHECK(lab.run({"ls", "/sys/class/net"}).out.find("eth") == std::string::npos);
}

TEST_CASE("a sysctl acts in the pod's namespace alone") {
    COVEY_REQUIRES("root");
    const auto host = text_of(kPortStartFile);
    REQUIRE(host != "77\n");
    Lab lab{[](auto& options) {
        options.sysctls[kPortStart] = "77";
        options.sysctls["kernel/shmmni"] = "123";
    }};
    CHECK(lab.run({"read", kPortStartFile}).out == "77\n");
    CHECK(lab.run({"read", "/proc/sys/kernel/shmmni"}).out == "123\n");
    CHECK(text_of(kPortStartFile) == host);
    CHECK(text_of("/proc/sys/kernel/shmmni") != "123\n");
}

TEST_CASE("a sysctl that is unknown or would change the host is refused by name") {
    COVEY_REQUIRES("root");
    // The value is the host's own, so that a failure of this test changes nothing.
    const auto host_value = text_of("/proc/sys/vm/swappiness");
    const auto refused = [&](const std::string& key, const std::string& value,
                             const std::string& host_type = "") {
        const auto error = create_error([&](auto& options) {
            options.sysctls[key] = value;
            if (!host_type.empty()) options.namespaces[host_type] = "host";
        });
        INFO(key << ": " << error.detail());
        CHECK(error.code() == Code::invalid_argument);
        CHECK(error.detail().find(key) != std::string::npos);
        CHECK_FALSE(error.fix().empty());
    };
    refused("net.ipv4.no_such_parameter", "1");
    refused("vm.swappiness", host_value);
    refused("kernel.pid_max", text_of("/proc/sys/kernel/pid_max"));
    refused("net/../vm/swappiness", host_value);
    refused("net/ipv4/../../vm/swappiness", host_value);
    refused(kPortStart, text_of(kPortStartFile), "net");
    refused("kernel.shmmni", text_of("/proc/sys/kernel/shmmni"), "ipc");
    refused("kernel.hostname", text_of("/proc/sys/kernel/hostname"), "uts");
}

TEST_CASE("a new time namespace is shared by the pod's containers and execs") {
    COVEY_REQUIRES("root");
    Lab lab{[](auto& options) { options.namespaces["time"] = "new"; }};
    const auto pod = namespace_of(lab.sandbox().pid(), "time");
    CHECK(pod != namespace_of(::getpid(), "time"));
    CHECK(in_container(lab, "time") == std::to_string(pod));
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
    CHECK(exec(container, {"state"}).at("/namespaces/time") == std::to_string(pod));
}

TEST_CASE("a pod's groups are below the cgroup parent that was asked for") {
    COVEY_REQUIRES("root");
    {
        Lab lab{[](auto& options) { options.cgroup_parent = "/covey-test-parent/inner"; }};
        const auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
        const auto of = [](pid_t pid) {
            return text_of("/proc/" + std::to_string(pid) + "/cgroup");
        };
        // Its processes are in `main`, where limits hold for what is below (decision 016).
        CHECK(of(container.pid()).find("0::/covey-test-parent/inner/lab.pod/app.ctr/main\n") !=
              std::string::npos);
        CHECK(of(lab.sandbox().pid()).find("/covey-test-parent/inner/lab.pod/pause\n") !=
              std::string::npos);
    }
    // A parent is the caller's: Covey makes it and leaves it.
    const auto host = cgroup::detect();
    auto parent = cgroup::Group::open(host, "/covey-test-parent");
    CHECK_NOTHROW(cgroup::Group::open(host, "/covey-test-parent/inner"));
    parent.remove();
}
