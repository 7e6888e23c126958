#include "catch.hpp"
#include "unit/spec/bad_case.hpp"

using covey::test::BadCase;
using covey::test::check;

TEST_CASE("a fault in the document's own properties is found at its place") {
    constexpr BadCase kCases[]{
        {"/ociVersion", "", "/ociVersion", "missing"},
        {"/ociVersion", "null", "/ociVersion", "missing"},
        {"/ociVersion", "1", "/ociVersion", "string"},
        {"/ociVersion", R"("1.2")", "/ociVersion", "version"},
        {"/ociVersion", R"("1.2.x")", "/ociVersion", "version"},
        {"/ociVersion", R"("1.02.0")", "/ociVersion", "version"},
        {"/ociVersion", R"("1.2.0-")", "/ociVersion", "version"},
        {"/ociVersion", R"("1.2.0-01")", "/ociVersion", "version"},
        {"/ociVersion", R"("1.2.0+a..b")", "/ociVersion", "version"},
        {"/ociVersion", R"("")", "/ociVersion", "version"},
        {"/ociVersion", R"("0.9.0")", "/ociVersion", "only 1.x"},
        {"/ociVersion", R"("2.0.0")", "/ociVersion", "only 1.x"},
        {"/ociVersion", R"("10.0.0")", "/ociVersion", "only 1.x"},
        {"/root", "", "/root", "missing"},
        {"/root", "[]", "/root", "object"},
        {"/root/path", "", "/root/path", "missing"},
        {"/root/path", R"("")", "/root/path", "empty"},
        {"/root/readonly", R"("true")", "/root/readonly", "true or false"},
        {"/hostname", R"("a\nb")", "/hostname", "control"},
        {"/hostname", R"("a\u007fb")", "/hostname", "control"},
        {"/hostname", R"("aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhhi")",
         "/hostname", "65 bytes"},
        {"/domainname", R"("aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhhi")",
         "/domainname", "65 bytes"},
        {"/annotations", "[]", "/annotations", "object"},
        {"/annotations/x", "1", "/annotations/x", "string"},
        {"/annotations/", R"("v")", "/annotations", "empty key"},
        {"/annotations/a\nb", R"("v")", "/annotations/a\\x0ab", "control"},
        {"/annotations/a~1b~0c", "7", "/annotations/a~1b~0c", "string"},
        {"/linux", "3", "/linux", "object"},
        {"/process", "[]", "/process", "object"},
        {"/mounts", "{}", "/mounts", "array"},
        {"/hooks", "[]", "/hooks", "object"},
    };
    check(kCases);
}

TEST_CASE("a fault in a mount is found at its place") {
    constexpr BadCase kCases[]{
        {"/mounts/0", "null", "/mounts/0", "object"},
        {"/mounts/0", "7", "/mounts/0", "object"},
        {"/mounts/0/destination", "", "/mounts/0/destination", "missing"},
        {"/mounts/0/destination", R"("")", "/mounts/0/destination", "empty"},
        {"/mounts/0/type", R"("pr\noc")", "/mounts/0/type", "control"},
        {"/mounts/0/source", "1", "/mounts/0/source", "string"},
        {"/mounts/1/options", R"("rbind")", "/mounts/1/options", "array"},
        {"/mounts/1/options/1", "1", "/mounts/1/options/1", "string"},
        {"/mounts/1/options/1", R"("")", "/mounts/1/options/1", "empty"},
        {"/mounts/1/uidMappings", "", "/mounts/1/uidMappings", "together"},
        {"/mounts/1/gidMappings", "", "/mounts/1/gidMappings", "together"},
        {"/mounts/1/gidMappings", "[]", "/mounts/1/gidMappings", "together"},
        {"/mounts/1/uidMappings/0/size", "0", "/mounts/1/uidMappings/0/size", "from 1"},
        {"/mounts/1/uidMappings/0/hostID", "4294967295", "/mounts/1/uidMappings/0/hostID",
         "4294967294"},
    };
    check(kCases);
}

TEST_CASE("a fault in the process is found at its place") {
    constexpr BadCase kCases[]{
        {"/process/cwd", "", "/process/cwd", "missing"},
        {"/process/cwd", R"("")", "/process/cwd", "empty"},
        {"/process/cwd", R"("work")", "/process/cwd", "absolute"},
        {"/process/cwd", "5", "/process/cwd", "string"},
        {"/process/args", "", "/process/args", "missing"},
        {"/process/args", "[]", "/process/args", "empty"},
        {"/process/args", R"("sh")", "/process/args", "array"},
        {"/process/args/0", R"("")", "/process/args/0", "empty"},
        {"/process/args/1", "null", "/process/args/1", "string"},
        {"/process/env/0", R"("PATH")", "/process/env/0", "NAME=value"},
        {"/process/env/0", R"("*")", "/process/env/0", "NAME=value"},
        {"/process/env/1", R"("")", "/process/env/1", "NAME=value"},
        {"/process/env/1", R"("=x")", "/process/env/1", "name"},
        {"/process/env/1", R"("A\nB=x")", "/process/env/1", "control"},
        {"/process/env/1", "8", "/process/env/1", "string"},
        {"/process/terminal", "1", "/process/terminal", "true or false"},
        {"/process/consoleSize", "[1,2]", "/process/consoleSize", "object"},
        {"/process/consoleSize/width", "", "/process/consoleSize/width", "missing"},
        {"/process/consoleSize/height", "65536", "/process/consoleSize/height", "65535"},
        {"/process/noNewPrivileges", R"("no")", "/process/noNewPrivileges", "true or false"},
        {"/process/oomScoreAdj", "1001", "/process/oomScoreAdj", "1000"},
        {"/process/oomScoreAdj", "-1001", "/process/oomScoreAdj", "-1000"},
        {"/process/user", "0", "/process/user", "object"},
        {"/process/user/uid", "", "/process/user/uid", "missing"},
        {"/process/user/gid", "", "/process/user/gid", "missing"},
        {"/process/user/umask", "512", "/process/user/umask", "511"},
        {"/process/user/additionalGids", "5", "/process/user/additionalGids", "array"},
        {"/process/user/additionalGids/1", "4294967295", "/process/user/additionalGids/1",
         "4294967294"},
        {"/process/user/additionalGids/1", R"("5")", "/process/user/additionalGids/1", "string"},
        {"/process/apparmorProfile", R"("a\tb")", "/process/apparmorProfile", "control"},
        {"/process/selinuxLabel", R"("a\nb")", "/process/selinuxLabel", "control"},
        {"/process/execCPUAffinity/initial", R"("a")", "/process/execCPUAffinity/initial", "CPUs"},
        {"/process/execCPUAffinity/final", R"("3-1")", "/process/execCPUAffinity/final", "CPUs"},
        {"/process/ioPriority/class", "", "/process/ioPriority/class", "missing"},
        {"/process/ioPriority/class", R"("IOPRIO_CLASS_B")", "/process/ioPriority/class",
         "'IOPRIO_CLASS_BE'"},
        {"/process/ioPriority/priority", "", "/process/ioPriority/priority", "missing"},
        {"/process/ioPriority/priority", "8", "/process/ioPriority/priority", "0 to 7"},
    };
    check(kCases);
}

TEST_CASE("a fault in limits and capabilities names the nearest good word") {
    constexpr BadCase kCases[]{
        {"/process/rlimits/0/type", R"("RLIMIT_NOFILES")", "/process/rlimits/0/type",
         "(did you mean 'RLIMIT_NOFILE'?)"},
        {"/process/rlimits/0/type", R"("rlimit_nofile")", "/process/rlimits/0/type", "unknown"},
        {"/process/rlimits/0/type", "", "/process/rlimits/0/type", "missing"},
        {"/process/rlimits/1/type", R"("RLIMIT_NOFILE")", "/process/rlimits/1/type", "twice"},
        {"/process/rlimits/0/soft", "", "/process/rlimits/0/soft", "missing"},
        {"/process/rlimits/0/hard", "", "/process/rlimits/0/hard", "missing"},
        {"/process/rlimits/0/hard", "1023", "/process/rlimits/0/soft", "above"},
        {"/process/rlimits/0/soft", "-1", "/process/rlimits/0/soft", "integer"},
        {"/process/rlimits/0/soft", "1.5", "/process/rlimits/0/soft", "integer"},
        {"/process/rlimits/0/soft", "1e3", "/process/rlimits/0/soft", "integer"},
        {"/process/rlimits/0", "[]", "/process/rlimits/0", "object"},
        {"/process/capabilities", "[]", "/process/capabilities", "object"},
        {"/process/capabilities/bounding", R"("CAP_KILL")", "/process/capabilities/bounding",
         "array"},
        {"/process/capabilities/bounding/0", R"("CAP_SYS_PTRCE")",
         "/process/capabilities/bounding/0",
         "unknown capability 'CAP_SYS_PTRCE' (did you mean 'CAP_SYS_PTRACE'?)"},
        {"/process/capabilities/effective/0", R"("KIL")", "/process/capabilities/effective/0",
         "'CAP_KILL'"},
        {"/process/capabilities/permitted/0", R"("")", "/process/capabilities/permitted/0",
         "unknown"},
        {"/process/capabilities/inheritable/0", R"("ALL")", "/process/capabilities/inheritable/0",
         "unknown"},
        {"/process/capabilities/ambient/0", "21", "/process/capabilities/ambient/0", "string"},
    };
    check(kCases);
}

TEST_CASE("a scheduler's parameters must fit its policy") {
    constexpr const char* kPlace = "/process/scheduler";
    constexpr BadCase kCases[]{
        {"/process/scheduler/policy", "", "/process/scheduler/policy", "missing"},
        {"/process/scheduler/policy", R"("SCHED_FIF")", "/process/scheduler/policy",
         "'SCHED_FIFO'"},
        {"/process/scheduler/nice", "20", "/process/scheduler/nice", "19"},
        {"/process/scheduler/nice", "-21", "/process/scheduler/nice", "-20"},
        {"/process/scheduler/priority", "0", "/process/scheduler/priority", "1 to 99"},
        {"/process/scheduler/priority", "100", "/process/scheduler/priority", "99"},
        {"/process/scheduler/policy", R"("SCHED_OTHER")", "/process/scheduler/priority",
         "SCHED_RR"},
        {"/process/scheduler/flags/0", R"("SCHED_FLAG_RECLAM")", "/process/scheduler/flags/0",
         "'SCHED_FLAG_RECLAIM'"},
        {"/process/scheduler/runtime", "5", "/process/scheduler/runtime", "SCHED_DEADLINE"},
        {"/process/scheduler/period", "-5", "/process/scheduler/period", "integer"},
        {kPlace, R"({"policy":"SCHED_DEADLINE"})", "/process/scheduler/runtime", "0 < runtime"},
        {kPlace, R"({"policy":"SCHED_DEADLINE","runtime":3,"deadline":2})",
         "/process/scheduler/runtime", "deadline"},
        {kPlace, R"({"policy":"SCHED_DEADLINE","runtime":1,"deadline":3,"period":2})",
         "/process/scheduler/runtime", "period"},
    };
    check(kCases);
}

TEST_CASE("a fault in a hook is found at its place") {
    constexpr BadCase kCases[]{
        {"/hooks/prestart", "{}", "/hooks/prestart", "array"},
        {"/hooks/prestart/0/path", "", "/hooks/prestart/0/path", "missing"},
        {"/hooks/prestart/0/path", R"("h")", "/hooks/prestart/0/path", "absolute"},
        {"/hooks/prestart/0/path", R"("")", "/hooks/prestart/0/path", "empty"},
        {"/hooks/prestart/0/timeout", "0", "/hooks/prestart/0/timeout", "from 1"},
        {"/hooks/prestart/0/timeout", "-3", "/hooks/prestart/0/timeout", "from 1"},
        {"/hooks/prestart/0/args/0", "1", "/hooks/prestart/0/args/0", "string"},
        {"/hooks/prestart/0/env/0", R"("A")", "/hooks/prestart/0/env/0", "NAME=value"},
        {"/hooks/createRuntime/0/path", R"("h")", "/hooks/createRuntime/0/path", "absolute"},
        {"/hooks/createContainer/0/path", R"("h")", "/hooks/createContainer/0/path", "absolute"},
        {"/hooks/startContainer/0/path", R"("h")", "/hooks/startContainer/0/path", "absolute"},
        {"/hooks/poststart/0/path", R"("h")", "/hooks/poststart/0/path", "absolute"},
        {"/hooks/poststop/0/path", R"("h")", "/hooks/poststop/0/path", "absolute"},
    };
    check(kCases);
}
