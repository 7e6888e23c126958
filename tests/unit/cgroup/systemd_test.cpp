// The systemd cgroup driver's pure half: names, places, properties, annotations.
#include "cgroup/systemd.hpp"

#include "catch.hpp"
#include "covey/error.hpp"

#include <functional>

using namespace covey;
using namespace covey::cgroup;
using Catch::Matchers::Contains;

namespace {

std::string value_of(const std::vector<UnitProperty>& properties, const std::string& name) {
    std::string value = "none";
    for (const auto& property : properties)
        if (property.name == name) value = property.signature + " " + property.value;
    return value;
}

std::string error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        CHECK(error.code() == Code::invalid_argument);
        CHECK(!error.fix().empty());
        return error.detail();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a slice lies in the slices that its name begins with") {
    CHECK(slice_path("system.slice") == "/system.slice");
    CHECK(slice_path("kubepods-burstable-pod1.slice") ==
          "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice");
    CHECK(slice_path("-.slice").empty());
}

TEST_CASE("a slice's name that cannot be is refused") {
    for (const char* name : {"", ".slice", "system", "a/b.slice", "-a.slice", "a--b.slice",
                             "a-.slice", "system.scope", "/system.slice"})
        CHECK_THAT(error_of([&] { (void)slice_path(name); }), Contains("invalid slice name"));
}

TEST_CASE("cgroupsPath is slice, prefix and name") {
    const auto scope = parse_scope("machine.slice:libpod:abc", "web", Manager::system);
    CHECK(scope.slice == "machine.slice");
    CHECK(scope.name == "libpod-abc.scope");
    CHECK(parse_scope(":docker:abc", "web", Manager::system).slice == "system.slice");
    CHECK(parse_scope(":docker:abc", "web", Manager::user).slice == "user.slice");
    CHECK(parse_scope("a.slice::abc", "web", Manager::system).name == "-abc.scope");
}

TEST_CASE("without a cgroupsPath the unit is named after the container") {
    const auto scope = parse_scope("", "web", Manager::system);
    CHECK(scope.slice == "system.slice");
    CHECK(scope.name == "covey-web.scope");
    CHECK(parse_scope("", "web", Manager::user).slice == "user.slice");
}

TEST_CASE("a cgroupsPath that is no unit is refused with its text and the form") {
    const auto error = [](const char* path) {
        return error_of([&] { (void)parse_scope(path, "web", Manager::system); });
    };
    for (const char* path :
         {"/system.slice/web", "web", "a.slice:b", "a.slice:b:c:d", "::", "a.slice:b:"})
        CHECK_THAT(error(path), Contains("of format \"slice:prefix:name\"") && Contains(path));
    CHECK_THAT(error("a.slice:b:c.slice"), Contains("a slice cannot hold"));
    CHECK_THAT(error("a.slice:b:c/d"), Contains("'b-c/d.scope', in which '/' cannot be"));
    CHECK_THAT(error("a b.slice:b:c"), Contains("' ' cannot be"));
    CHECK_THAT(error(("a.slice:b:" + std::string(300, 'x')).c_str()), Contains("255"));
    CHECK_THAT(error_of([] { (void)parse_scope("", "a+b", Manager::system); }),
               Contains("'+' cannot be"));
}

TEST_CASE("every scope is delegated, counted and collected") {
    const auto properties =
        scope_properties({"a.slice", "b.scope", Manager::system}, "web", Layout::v2);
    CHECK(value_of(properties, "Slice") == "s a.slice");
    CHECK(value_of(properties, "Delegate") == "b true");
    CHECK(value_of(properties, "DefaultDependencies") == "b false");
    CHECK(value_of(properties, "CollectMode") == "s inactive-or-failed");
    for (const char* name :
         {"CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"})
        CHECK(value_of(properties, name) == "b true");
}

TEST_CASE("limits that systemd has properties for") {
    Limits limits;
    CHECK(limit_properties(limits, Host{}).empty());
    limits.memory_max = 64 << 20;
    limits.memory_swap = 96 << 20;
    limits.memory_reservation = 1 << 20;
    limits.pids_max = 50;
    limits.cpu_shares = 512;
    limits.cpuset_cpus = "0-2,9";
    limits.cpuset_mems = "0";
    limits.hugepages["2MB"] = 4096;  // none for it
    const auto properties = limit_properties(limits, Host{});
    CHECK(value_of(properties, "MemoryMax") == "t 67108864");
    CHECK(value_of(properties, "MemorySwapMax") == "t 33554432");
    CHECK(value_of(properties, "MemoryLow") == "t 1048576");
    CHECK(value_of(properties, "TasksMax") == "t 50");
    CHECK(value_of(properties, "CPUWeight") == "t 59");
    CHECK(value_of(properties, "AllowedCPUs") == "ay 0702");
    CHECK(value_of(properties, "AllowedMemoryNodes") == "ay 01");
    CHECK(properties.size() == 7);
}

TEST_CASE("no limit is infinity, which is the largest number") {
    Limits limits;
    limits.memory_max = -1;
    limits.pids_max = -1;
    limits.cpu_quota = -1;
    const auto properties = limit_properties(limits, Host{});
    for (const char* name : {"MemoryMax", "MemorySwapMax", "TasksMax", "CPUQuotaPerSecUSec"})
        CHECK(value_of(properties, name) == "t 18446744073709551615");
}

TEST_CASE("CPU time is rounded up to a whole percent of a second") {
    const auto quota = [](std::int64_t wanted, std::optional<std::uint64_t> period) {
        Limits limits;
        limits.cpu_quota = wanted;
        limits.cpu_period = period;
        const auto properties = limit_properties(limits, Host{});
        return value_of(properties, "CPUQuotaPerSecUSec") + ", " +
               value_of(properties, "CPUQuotaPeriodUSec");
    };
    CHECK(quota(25'000, 100'000) == "t 250000, t 100000");
    CHECK(quota(33'333, 100'000) == "t 340000, t 100000");
    CHECK(quota(1, 100'000) == "t 10000, t 100000");
    CHECK(quota(150'000, 50'000) == "t 3000000, t 50000");
    CHECK(quota(25'000, std::nullopt) == "t 250000, none");
}

TEST_CASE("unified files have properties too, and those of other controllers none") {
    Limits limits;
    limits.unified = {{"memory.high", "1000"},  {"memory.min", "max"},
                      {"cpu.max", "max 50000"}, {"io.weight", "default 200"},
                      {"io.max", "8:0 rbps=1"}, {"hugetlb.2MB.max", "1"},
                      {"pids.max", "nonsense"}};
    const auto properties = limit_properties(limits, Host{});
    CHECK(value_of(properties, "MemoryHigh") == "t 1000");
    CHECK(value_of(properties, "MemoryMin") == "t 18446744073709551615");
    CHECK(value_of(properties, "CPUQuotaPerSecUSec") == "t 18446744073709551615");
    CHECK(value_of(properties, "CPUQuotaPeriodUSec") == "t 50000");
    CHECK(value_of(properties, "IOWeight") == "t 200");
    CHECK(properties.size() == 5);  // what is no number the kernel refuses, with its name
}

TEST_CASE("where there are v1 hierarchies limits have v1's properties and none of v2's") {
    Limits limits;
    limits.memory_max = 64 << 20;
    limits.memory_swap = 96 << 20;
    limits.memory_reservation = 1 << 20;
    limits.pids_max = 50;
    limits.cpu_shares = 1;
    limits.cpu_quota = 33'333;
    limits.cpu_period = 50'000;
    limits.cpuset_cpus = "0-2";
    limits.io.weight = 500;
    for (const auto layout : {Layout::v1, Layout::hybrid}) {
        Host host;
        host.layout = layout;
        const auto properties = limit_properties(limits, host);
        CHECK(value_of(properties, "MemoryLimit") == "t 67108864");
        CHECK(value_of(properties, "TasksMax") == "t 50");
        CHECK(value_of(properties, "CPUShares") == "t 2");
        CHECK(value_of(properties, "CPUQuotaPerSecUSec") == "t 670000");
        CHECK(value_of(properties, "CPUQuotaPeriodUSec") == "t 50000");
        CHECK(value_of(properties, "BlockIOWeight") == "t 500");
        CHECK(value_of(properties, "AllowedCPUs") == "ay 07");
        CHECK(properties.size() == 7);
        const auto scope = scope_properties({"a.slice", "b.scope", Manager::system}, "web", layout);
        CHECK(value_of(scope, "BlockIOAccounting") == "b true");
        CHECK(value_of(scope, "IOAccounting") == "none");
    }
}

TEST_CASE("on v1 no limit is infinity, and a quota alone has the usual period") {
    Host host;
    host.layout = Layout::v1;
    Limits limits;
    limits.memory_max = -1;
    limits.pids_max = -1;
    limits.cpu_quota = -1;
    const auto properties = limit_properties(limits, host);
    for (const char* name : {"MemoryLimit", "TasksMax", "CPUQuotaPerSecUSec"})
        CHECK(value_of(properties, name) == "t 18446744073709551615");
    CHECK(properties.size() == 3);
}

TEST_CASE("device rules are the unit's where there is no v2 tree") {
    Host host;
    CHECK(device_properties({}, host).empty());
    host.layout = Layout::hybrid;
    CHECK(device_properties({}, host).empty());
    host.layout = Layout::v1;
    const auto properties = device_properties({{true, 'c', 10, 229, "rw"},
                                               {true, 'c', 10, 229, "m"},
                                               {true, 'b', 7, {}, "r"},
                                               {false, 'c', 5, 1, "rwm"}},
                                              host);
    CHECK(value_of(properties, "DevicePolicy") == "s strict");
    // Seen failing without the sum: a name that comes twice keeps the second access.
    CHECK(value_of(properties, "DeviceAllow") ==
          "a(ss) /dev/char/10:229 rwm\n/dev/char/1:3 rwm\n/dev/char/1:5 rwm\n/dev/char/1:7 rwm\n"
          "/dev/char/1:8 rwm\n/dev/char/1:9 rwm\n/dev/char/5:0 rwm\n/dev/char/5:2 rwm\n"
          "block-* m\nblock-7 r\nchar-* m\nchar-136 rwm");
    CHECK(device_properties({{true, 'a', {}, {}, "rwm"}}, host).empty());
}

TEST_CASE("device rules that systemd cannot keep are refused") {
    Host host;
    host.layout = Layout::v1;
    const auto error = [&](const std::vector<DeviceRule>& rules) {
        try {
            (void)device_properties(rules, host);
        } catch (const Error& failure) {
            CHECK(failure.code() == Code::unsupported_by_host);
            CHECK_THAT(failure.fix(), Contains("--systemd-cgroup"));
            return failure.detail();
        }
        return std::string{"no error"};
    };
    CHECK_THAT(error({{true, 'a', {}, {}, "rwm"}, {false, 'c', 1, 11, "rw"}}),
               Contains("device rule 'deny c 1:11 rw' with --systemd-cgroup"));
    CHECK_THAT(error({{true, 'c', {}, 3, "r"}}), Contains("device rule 'allow c *:3 r'"));
}

TEST_CASE("a list of CPUs as a mask") {
    CHECK(cpu_mask("0", "cpu.cpus") == "01");
    CHECK(cpu_mask("7-8", "cpu.cpus") == "8001");
    CHECK(cpu_mask("1, 3-4\n", "cpu.cpus") == "1a");
    for (const char* list : {"", "a", "3-1", "1-", "-1", "0,,1", "1-2-3", "70000", "0-99999999999"})
        CHECK_THAT(error_of([&] { (void)cpu_mask(list, "cpu.cpus"); }),
                   Contains("cpu.cpus: '" + std::string{list} + "' is not a list"));
}

TEST_CASE("annotations that engines write") {
    const auto properties = annotated_properties({
        {"org.systemd.property.KillSignal", "37"},
        {"org.systemd.property.TimeoutStopUSec", "uint64 10000000"},
        {"org.systemd.property.RuntimeMaxSec", "uint64 7"},
        {"org.systemd.property.CollectMode", "'inactive'"},
        {"org.systemd.property.DefaultDependencies", "true"},
        {"org.systemd.property.After", "['crio.service', \"a.service\"]"},
        {"org.systemd.property.Before", "[]"},
        {"io.container.manager", "cri-o"},
    });
    CHECK(value_of(properties, "KillSignal") == "i 37");
    CHECK(value_of(properties, "TimeoutStopUSec") == "t 10000000");
    CHECK(value_of(properties, "RuntimeMaxUSec") == "t 7000000");
    CHECK(value_of(properties, "CollectMode") == "s inactive");
    CHECK(value_of(properties, "DefaultDependencies") == "b true");
    CHECK(value_of(properties, "After") == "as crio.service\na.service");
    CHECK(value_of(properties, "Before") == "as ");
    CHECK(properties.size() == 7);
}

// The class of CVE-2024-3154. Seen failing with the list of names taken out.
TEST_CASE("an annotation cannot reach beyond the scope") {
    for (const char* name :
         {"SuccessAction", "FailureAction", "JobTimeoutAction", "Slice", "Delegate", "PIDs",
          "OnFailure", "Conflicts", "User", "DeviceAllow", "", "killsignal"})
        CHECK_THAT(error_of([&] {
                       (void)annotated_properties(
                           {{std::string{"org.systemd.property."} + name, "'poweroff-force'"}});
                   }),
                   Contains("is not obeyed") && Contains(name));
}

TEST_CASE("an annotation's value of another type is refused") {
    const auto error = [](const char* name, const char* text) {
        return error_of([&] {
            (void)annotated_properties({{std::string{"org.systemd.property."} + name, text}});
        });
    };
    for (const char* text : {"", "'37'", "-1", "99999999999", "3.5"})
        CHECK_THAT(error("KillSignal", text), Contains("is not a value of D-Bus type i"));
    for (const char* text : {"inactive", "'a", "'a'b'", "'a\\n'"})
        CHECK_THAT(error("CollectMode", text), Contains("is not a value of D-Bus type s"));
    for (const char* text : {"'a'", "['a'", "[a]", "['a',]", "[['a']]", "['']"})
        CHECK_THAT(error("After", text), Contains("is not a value of D-Bus type as"));
    CHECK_THAT(error("DefaultDependencies", "1"), Contains("is not a value of D-Bus type b"));
    CHECK_THAT(error("TimeoutStopSec", "18446744073709551615"), Contains("is not a value"));
    CHECK_THAT(error("SendSIGKILL", "false"), Contains("the host's shutdown"));
}
