#include "spec/tables.hpp"

#include "base/text.hpp"
#include "catch.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <set>

#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/resource.h>

using namespace covey;
using namespace covey::spec;

TEST_CASE("namespaces are found by OCI's names and by type") {
    CHECK(namespace_table().size() == 8);
    std::set<std::uint64_t> flags;
    for (const auto& entry : namespace_table()) {
        CHECK(&info(entry.type) == &entry);
        CHECK(find_namespace(entry.oci_name) == &entry);
        flags.insert(entry.clone_flag);
    }
    CHECK(flags.size() == 8);
    CHECK(info(NamespaceType::network).proc_name == "net");
    CHECK(info(NamespaceType::mount).proc_name == "mnt");
    CHECK(info(NamespaceType::time).clone_flag == 0x80);
    CHECK(find_namespace("net") == nullptr);
    CHECK(find_namespace("") == nullptr);
}

TEST_CASE("capabilities have names and numbers, both ways") {
    CHECK(capability_names().size() == 41);
    for (int number = 0; number < 41; ++number) {
        CHECK(capability_number(capability_name(number)) == number);
        CHECK(capability_number(capability_name(number).substr(4)) == number);
    }
    for (int number = 0; number < 41; ++number) {
        char* const name = cap_to_name(static_cast<cap_value_t>(number));
        CHECK(to_upper(name) == capability_name(number));
        cap_free(name);
    }
    CHECK(capability_number("CAP_SYS_PTRACE") == CAP_SYS_PTRACE);
    CHECK(capability_number("sys_ptrace") == CAP_SYS_PTRACE);
    CHECK(capability_number("cap_BPF") == CAP_BPF);
    CHECK(capability_name(CAP_CHECKPOINT_RESTORE) == "CAP_CHECKPOINT_RESTORE");
    CHECK(capability_name(63) == "CAP_63");
    for (const char* const bad : {"", "CAP_", "CAP_SYS_PTRCE", "CAP_CAP_KILL", "KILLX", "ALL"}) {
        CHECK_FALSE(capability_number(bad));
    }
    CHECK(capability_names_of((1ULL << 5U) | 1ULL | (1ULL << 41U)) ==
          std::vector<std::string>{"CAP_CHOWN", "CAP_KILL", "CAP_41"});
    CHECK(capability_names_of(0).empty());
}

TEST_CASE("a container's capabilities by default are Podman's eleven") {
    CHECK(capability_names_of(default_capabilities()) ==
          std::vector<std::string>{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
                                   "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
                                   "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_SETFCAP"});
}

TEST_CASE("rlimits have names and numbers, both ways") {
    CHECK(rlimit_names().size() == RLIM_NLIMITS);
    for (int number = 0; number < 16; ++number) {
        CHECK(rlimit_number(rlimit_name(number)) == number);
    }
    CHECK(rlimit_number("RLIMIT_CPU") == RLIMIT_CPU);
    CHECK(rlimit_number("RLIMIT_STACK") == RLIMIT_STACK);
    CHECK(rlimit_number("RLIMIT_CORE") == RLIMIT_CORE);
    CHECK(rlimit_number("RLIMIT_NPROC") == RLIMIT_NPROC);
    CHECK(rlimit_number("RLIMIT_MEMLOCK") == RLIMIT_MEMLOCK);
    CHECK(rlimit_number("RLIMIT_MSGQUEUE") == RLIMIT_MSGQUEUE);
    CHECK(rlimit_number("RLIMIT_RTTIME") == RLIMIT_RTTIME);
    CHECK_FALSE(rlimit_number("NOFILE"));
    CHECK_FALSE(rlimit_number("rlimit_nofile"));
    CHECK(rlimit_name(16) == "RLIMIT_?");
    CHECK(rlimit_name(-1) == "RLIMIT_?");
}

TEST_CASE("signals have names and numbers, both ways") {
    for (int number = 1; number <= 64; ++number) {
        CHECK(signal_number(std::to_string(number)) == number);
        if (number != 32 && number != 33) CHECK(signal_number(signal_name(number)) == number);
    }
    constexpr std::array<std::pair<const char*, int>, 12> kKnown{{
        {"HUP", SIGHUP},
        {"SIGHUP", SIGHUP},
        {"hup", SIGHUP},
        {"sigTerm", SIGTERM},
        {"KILL", SIGKILL},
        {"SIGCHLD", SIGCHLD},
        {"SIGCLD", SIGCHLD},
        {"SIGPOLL", SIGIO},
        {"SIGIOT", SIGABRT},
        {"STKFLT", SIGSTKFLT},
        {"SYS", SIGSYS},
        {"WINCH", SIGWINCH},
    }};
    for (const auto& [name, number] : kKnown) {
        INFO(name);
        CHECK(signal_number(name) == number);
    }
    for (const char* const bad : {"",        "0",          "65",
                                  "-1",      "+1",         "1 ",
                                  " 1",      "1.0",        "0x1",
                                  "SIG",     "SIGSIGHUP",  "HUPP",
                                  "RTMIN+",  "RTMIN+31",   "RTMAX-31",
                                  "RTMAX+1", "RTMIN-1",    "RTMIN3",
                                  "SIG1",    "4294967297", "A_NAME_THAT_IS_MUCH_TOO_LONG"}) {
        INFO(bad);
        CHECK_FALSE(signal_number(bad));
    }
    CHECK(signal_names().size() == 33);
    for (int number = 1; number < 32; ++number) {
        CHECK(signal_number(sigabbrev_np(number)) == number);  // glibc says POLL for IO
    }
}

TEST_CASE("real-time signals count from 34 and back from 64") {
    CHECK(signal_number("RTMIN") == 34);
    CHECK(signal_number("SIGRTMIN+3") == 37);
    CHECK(signal_number("rtmin+30") == 64);
    CHECK(signal_number("RTMAX") == 64);
    CHECK(signal_number("SIGRTMAX-14") == 50);
    CHECK(signal_number("RTMIN+3") == SIGRTMIN + 3);
    CHECK(signal_name(34) == "SIGRTMIN");
    CHECK(signal_name(37) == "SIGRTMIN+3");
    CHECK(signal_name(64) == "SIGRTMAX");
    CHECK(signal_name(32) == "SIG32");
}

TEST_CASE("pid modes have names, both ways") {
    for (const auto name : kPidModeNames) {
        const auto mode = pid_mode(name);
        REQUIRE(mode);
        CHECK(pid_mode_name(*mode) == name);
    }
    CHECK(pid_mode("pod") == PidMode::pod);
    CHECK(pid_mode("node") == PidMode::node);
    CHECK_FALSE(pid_mode("Pod"));
    CHECK_FALSE(pid_mode(""));
}
