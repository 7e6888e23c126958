// What a spec says about the process besides ids and limits: time, scheduling, personality, labels.
#include "catch.hpp"
#include "kernel/spec_lab.hpp"
#include "support/requires.hpp"

#include <sys/syscall.h>

using namespace covey;
using namespace covey::test;

namespace {

std::string spec_with(const std::string& process, const std::string& linux_part = "",
                      const std::string& namespaces = R"({"type":"mount"},{"type":"pid"})") {
    return R"({"hostname":null,"process":)" + process + R"(,"linux":{"namespaces":[)" + namespaces +
           "]" + linux_part + "}}";
}

std::string number(long call) {
    return std::to_string(call);
}

}  // namespace

TEST_CASE("a time namespace has the offsets that the spec gives it") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto* offsets =
        R"(,"timeOffsets":{"boottime":{"secs":86400,"nanosecs":5},"monotonic":{"secs":3600}})";
    const auto seen = lab.run({"read", "/proc/self/timens_offsets"},
                              spec_with("{}", offsets, R"({"type":"mount"},{"type":"time"})"));
    INFO(seen.out << seen.err);
    CHECK(seen.out.find("3600") != std::string::npos);
    CHECK(seen.out.find("86400         5") != std::string::npos);
    const auto below =
        lab.refused(spec_with("{}", R"(,"timeOffsets":{"boottime":{"secs":-999999999}})",
                              R"({"type":"mount"},{"type":"time"})"));
    CHECK(below.code() == Code::invalid_spec);
    CHECK(below.fix().find("timeOffsets") != std::string::npos);
}

TEST_CASE("scheduler and I/O priority are the process's, inherited or its own") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto policy = [&](const std::string& scheduler, const std::string& namespaces) {
        return lab
            .run({"syscall", number(SYS_sched_getscheduler), "0"},
                 spec_with(R"({"scheduler":)" + scheduler + "}", "", namespaces))
            .out;
    };
    for (const char* namespaces : {R"({"type":"mount"},{"type":"pid"})", R"({"type":"mount"})"}) {
        CHECK(policy(R"({"policy":"SCHED_BATCH","nice":5})", namespaces) == "3\n");
        CHECK(policy(R"({"policy":"SCHED_IDLE"})", namespaces) == "5\n");
    }
    // SCHED_RESET_ON_FORK is 0x40000000 in what sched_getscheduler(2) says.
    const std::string reset = R"({"policy":"SCHED_BATCH","flags":["SCHED_FLAG_RESET_ON_FORK"]})";
    CHECK(policy(reset, R"({"type":"mount"},{"type":"pid"})") == "1073741827\n");
    CHECK(lab.refused(spec_with(R"({"scheduler":)" + reset + "}", "", R"({"type":"mount"})"))
              .causes()
              .front()
              .find("not inherited") != std::string::npos);
    // IOPRIO_CLASS_BE is 2, above 13 bits of data.
    CHECK(lab.run({"syscall", number(SYS_ioprio_get), "1", "0"},
                  spec_with(R"({"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":6}})"))
              .out == std::to_string((2 << 13) + 6) + "\n");
}

TEST_CASE("a personality makes the machine another one") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto ask = [&](const char* domain) {
        return lab
            .run({"syscall", number(SYS_personality), "4294967295"},
                 spec_with("{}", R"(,"personality":{"domain":")" + std::string{domain} + "\"}"))
            .out;
    };
    CHECK(ask("LINUX") == "0\n");
    CHECK(ask("LINUX32") == "8\n");
}

TEST_CASE("a label of a security module that the kernel has not is refused in runc's words") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    if (text_of("/sys/module/apparmor/parameters/enabled").empty()) {
        const auto error = lab.refused(spec_with(R"({"apparmorProfile":"x"})"));
        CHECK(error.code() == Code::unsupported_by_host);
        CHECK(error.detail().find("apparmor: config provided but apparmor not supported") !=
              std::string::npos);
    }
    if (text_of("/proc/self/mountinfo").find("selinuxfs") == std::string::npos) {
        for (const auto& patch : {spec_with(R"({"selinuxLabel":"a:b:c:s0"})"),
                                  spec_with("{}", R"(,"mountLabel":"a:b:c:s0")")}) {
            const auto error = lab.refused(patch);
            CHECK(error.code() == Code::unsupported_by_host);
            CHECK(error.detail().find("selinux is disabled or not supported") != std::string::npos);
        }
    }
}

TEST_CASE("an unknown capability or rlimit is refused with the nearest name") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    const auto rlimit =
        lab.refused(spec_with(R"({"rlimits":[{"type":"RLIMIT_NOFILES","soft":1,"hard":1}]})"));
    CHECK(rlimit.causes().front().find("RLIMIT_NOFILE'") != std::string::npos);
    const auto capability =
        lab.refused(spec_with(R"({"capabilities":{"bounding":["CAP_SYS_PTRAC"]}})"));
    CHECK(capability.causes().front().find("CAP_SYS_PTRACE") != std::string::npos);
}

TEST_CASE("an exec runs on the CPUs that the spec gives it, the main process does not") {
    COVEY_REQUIRES("root");
    SpecLab lab;
    auto container = lab.start({"sleep", "forever"},
                               spec_with(R"({"execCPUAffinity":{"initial":"0","final":"0"}})"));
    const auto cpus = [](const std::string& status) {
        const auto at = status.find("Cpus_allowed_list:");
        return status.substr(at, status.find('\n', at) - at);
    };
    CHECK(cpus(lab.exec(container, {"read", "/proc/self/status"}).out) == "Cpus_allowed_list:\t0");
    CHECK(cpus(text_of("/proc/" + std::to_string(container.pid) + "/status")) ==
          cpus(text_of("/proc/self/status")));
    lab.remove(container);
}
