// linux.namespaces as covey-runtime takes it: absent, new and by path, each type, and what is set
// in them.
#include "catch.hpp"
#include "kernel/holder.hpp"
#include "kernel/spec_lab.hpp"
#include "launch/proc_context.hpp"
#include "support/requires.hpp"
#include "sys/mount.hpp"

#include <array>

#include <fcntl.h>
#include <sys/stat.h>

using namespace covey;
using namespace covey::test;

namespace {

struct Type {
    const char *oci, *proc;
    int flag;
};
constexpr std::array kTypes{Type{"network", "net", CLONE_NEWNET}, Type{"ipc", "ipc", CLONE_NEWIPC},
                            Type{"uts", "uts", CLONE_NEWUTS},
                            Type{"cgroup", "cgroup", CLONE_NEWCGROUP},
                            Type{"mount", "mnt", CLONE_NEWNS}};

/// {"type":"mount"} and more, without a hostname.
std::string with_list(const std::string& more, const std::string& rest = "") {
    return R"({"hostname":null,"linux":{"namespaces":[{"type":"mount"})" + more + "]" + rest + "}}";
}

std::string entry(const std::string& type, const std::string& path = "") {
    return R"(,{"type":")" + type + '"' + (path.empty() ? "" : R"(,"path":")" + path + '"') + "}";
}

std::string own(const std::string& type) {
    return std::to_string(namespace_of(::getpid(), type));
}

std::string in_spec_container(const Outcome& outcome, const std::string& type) {
    INFO(outcome.out << outcome.err);
    return outcome.at("/namespaces/" + type);
}

}  // namespace

TEST_CASE("a namespace that the spec does not name is the caller's") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto seen = lab.run({"state"}, with_list(""));
    for (const char* type : {"net", "ipc", "uts", "cgroup", "pid", "time", "user"}) {
        CAPTURE(type);
        CHECK(in_spec_container(seen, type) == own(type));
    }
    CHECK(in_spec_container(seen, "mnt") != own("mnt"));
}

TEST_CASE("a namespace that the spec names without a path is a new one") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto seen = lab.run({"state"}, with_list(entry("network") + entry("ipc") + entry("uts") +
                                                   entry("cgroup") + entry("pid") + entry("time")));
    for (const char* type : {"net", "ipc", "uts", "cgroup", "pid", "time", "mnt"}) {
        CAPTURE(type);
        CHECK(in_spec_container(seen, type) != own(type));
    }
    // Its only interface is there and up, as in runc.
    const auto flags = lab.run({"read", "/sys/class/net/lo/flags"}, with_list(entry("network")));
    CHECK(flags.out == "0x9\n");
}

TEST_CASE("a namespace that the spec names by path is joined") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    for (const auto& type : kTypes) {
        CAPTURE(type.oci);
        const Holder holder{type.flag};
        const bool mount = type.flag == CLONE_NEWNS;
        auto patch = with_list(mount ? "" : entry(type.oci, holder.path(type.proc)));
        if (mount)
            patch = R"({"hostname":null,"linux":{"namespaces":[{"type":"mount","path":")" +
                    holder.path("mnt") + R"("}]}})";
        const auto seen = lab.run({"state"}, patch);
        CHECK(in_spec_container(seen, type.proc) ==
              std::to_string(namespace_of(holder.pid(), type.proc)));
    }
    const Holder time{CLONE_NEWTIME};
    CHECK(in_spec_container(
              lab.run({"state"}, with_list(entry("time", time.path("time_for_children")))),
              "time") == std::to_string(namespace_of(time.pid(), "time_for_children")));
}

TEST_CASE("a PID namespace by path is joined, with a procfs of its own") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const Holder holder{CLONE_NEWPID};
    const auto path = holder.path("pid_for_children");
    const auto seen =
        lab.run({"state", "--", "ids", "--", "ls", "/proc/1"}, with_list(entry("pid", path)));
    CHECK(seen.out.find("pid:[") == std::string::npos);
    CHECK(seen.out.find(std::to_string(namespace_of(holder.pid(), "pid_for_children"))) !=
          std::string::npos);
    CHECK(seen.out.find("\"nsPid\":\"2\"") != std::string::npos);
    // Masked and read-only as in any other.
    CHECK(
        lab.run({"write", "/proc/sys/kernel/domainname", "x"}, with_list(entry("pid", path))).out ==
        "EROFS\n");
}

TEST_CASE("a procfs of another PID namespace comes from a helper where there is no pidns=") {
    COVEY_REQUIRES("root");
    const Holder holder{CLONE_NEWPID};
    const UniqueFd name_space{
        ::open(holder.path("pid_for_children").c_str(), O_RDONLY | O_CLOEXEC)};
    const auto context = launch::open_proc_context(name_space);
    const auto mount = sys::finish_filesystem(context, 0).or_throw("create", "procfs");
    const auto one = sys::open_at(mount, "1/ns/pid", O_RDONLY).or_throw("open", "1/ns/pid");
    struct stat status {};
    REQUIRE(::fstat(one.get(), &status) == 0);
    CHECK(status.st_ino == namespace_of(holder.pid(), "pid_for_children"));
    CHECK_FALSE(sys::open_at(mount, std::to_string(::getpid()), O_PATH));
}

TEST_CASE("host names and sysctls are set in the container's namespaces, new or joined") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const std::string names = R"({"hostname":"one","domainname":"two","linux":{"namespaces":[
        {"type":"mount"},{"type":"network"},{"type":"ipc"},{"type":"uts"}],
        "sysctl":{"net.ipv4.ip_forward":"1","kernel.shmmni":"4001"}}})";
    const auto seen = lab.run({"state"}, names);
    CHECK(seen.at("/hostname") == "one");
    CHECK(seen.at("/domainname") == "two");
    const Words read{"read", "/proc/sys/net/ipv4/ip_forward", "--", "read",
                     "/proc/sys/kernel/shmmni"};
    CHECK(lab.run(read, names).out == "1\n4001\n");
    const Holder holder{CLONE_NEWUTS};
    CHECK(lab.run({"state"}, R"({"hostname":"three","linux":{"namespaces":[{"type":"mount"})" +
                                 entry("uts", holder.path("uts")) + "]}}")
              .at("/hostname") == "three");
}

TEST_CASE("what would change the host through a path to its own namespace is refused") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto self = "/proc/" + std::to_string(::getpid()) + "/ns/";
    const auto before = text_of("/proc/sys/net/ipv4/ip_forward");
    const auto sysctl = lab.refused(
        with_list(entry("network", self + "net"), R"(,"sysctl":{"net.ipv4.ip_forward":"1"})"));
    CHECK(sysctl.code() == Code::invalid_spec);
    CHECK(sysctl.detail().find("hosts network namespace") != std::string::npos);
    CHECK(text_of("/proc/sys/net/ipv4/ip_forward") == before);
    const auto host = text_of("/proc/sys/kernel/hostname");
    const auto name = lab.refused(R"({"hostname":"x","linux":{"namespaces":[{"type":"mount"})" +
                                  entry("uts", self + "uts") + "]}}");
    CHECK(name.code() == Code::invalid_spec);
    CHECK(text_of("/proc/sys/kernel/hostname") == host);
    const auto mount =
        lab.refused(R"({"hostname":null,"linux":{"namespaces":[{"type":"mount","path":")" + self +
                    R"(mnt"}]}})");
    CHECK(mount.detail().find("own mount namespace") != std::string::npos);
}

TEST_CASE("a path that is no namespace, or one of another type, is refused") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    CHECK(lab.refused(with_list(entry("network", "/dev/null"))).detail().find("not a network") !=
          std::string::npos);
    CHECK(lab.refused(with_list(entry("ipc", "/proc/self/ns/uts"))).detail().find("not a ipc") !=
          std::string::npos);
    CHECK(lab.refused(with_list(entry("uts", "/no/such/file"))).code() == Code::not_found);
    const auto fifo = lab.folder() + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(lab.refused(with_list(entry("pid", fifo))).code() == Code::invalid_spec);
}
