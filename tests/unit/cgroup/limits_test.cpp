#include "catch.hpp"
#include "cgroup/settings.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "fake_tree.hpp"

#include <map>

using namespace covey::cgroup;
using covey::Error;
using covey::test::FakeTree;

namespace {

using Lines = std::vector<std::string>;
using Files = std::map<std::string, std::string>;

Reader reader(const Files& files) {
    return [files](const std::string& name) -> std::optional<std::string> {
        const auto found = files.find(name);
        if (found == files.end()) return std::nullopt;
        return found->second;
    };
}

Lines lines(const std::vector<Setting>& settings) {
    Lines text;
    for (const auto& setting : settings)
        text.push_back(setting.file + "=" + setting.value);
    return text;
}
Lines v2(Controller controller, const Limits& limits, const Files& files = {}) {
    return lines(settings_v2(controller, limits, reader(files)));
}
Lines v1(Controller controller, const Limits& limits, const Files& files = {}) {
    return lines(settings_v1(controller, limits, reader(files)));
}

Limits memory(std::optional<std::int64_t> most, std::optional<std::int64_t> swap) {
    Limits limits;
    limits.memory_max = most;
    limits.memory_swap = swap;
    return limits;
}

Limits cpu(std::optional<std::int64_t> quota, std::optional<std::uint64_t> period) {
    Limits limits;
    limits.cpu_quota = quota;
    limits.cpu_period = period;
    return limits;
}

}  // namespace

TEST_CASE("OCI cpu shares become v2 weights by the curve of runc and crun, ends included") {
    constexpr std::pair<std::uint64_t, std::uint64_t> kKnown[]{{0, 1},
                                                               {1, 1},
                                                               {2, 1},
                                                               {102, 17},
                                                               {256, 35},
                                                               {512, 59},
                                                               {1024, 100},
                                                               {2048, 174},
                                                               {4096, 303},
                                                               {262'143, 10'000},
                                                               {262'144, 10'000},
                                                               {~std::uint64_t{0}, 10'000}};
    for (const auto& [shares, weight] : kKnown)
        CHECK(weight_from_shares(shares) == weight);
    // More shares are never less weight.
    std::uint64_t last = 1;
    for (std::uint64_t shares = 2; shares <= 262'144; shares += 61) {
        const auto weight = weight_from_shares(shares);
        CHECK(weight >= last);
        last = weight;
    }
}

TEST_CASE("v2 counts swap alone where OCI counts memory and swap together") {
    CHECK(v2(Controller::memory, memory(100, 300)) ==
          Lines{"memory.swap.max=200", "memory.max=100"});
    CHECK(v2(Controller::memory, memory(100, 100)) == Lines{"memory.swap.max=0", "memory.max=100"});
    CHECK(v2(Controller::memory, memory(100, -1)) ==
          Lines{"memory.swap.max=max", "memory.max=100"});
    CHECK(v2(Controller::memory, memory(-1, {})) == Lines{"memory.swap.max=max", "memory.max=max"});
    CHECK(v2(Controller::memory, memory(100, {})) == Lines{"memory.max=100"});
    CHECK(v2(Controller::memory, memory({}, 300), {{"memory.max", "100"}}) ==
          Lines{"memory.swap.max=200"});
    CHECK_THROWS_AS(v2(Controller::memory, memory({}, 300), {{"memory.max", "max"}}), Error);
    CHECK_THROWS_AS(v2(Controller::memory, memory(-1, 300)), Error);
    CHECK_THROWS_AS(v2(Controller::memory, memory(300, 100)), Error);
}

TEST_CASE("a swap limit that asks for nothing may meet a kernel without swap accounting") {
    CHECK(settings_v2(Controller::memory, memory(100, 100), reader({})).at(0).may_be_missing);
    CHECK(settings_v2(Controller::memory, memory(100, -1), reader({})).at(0).may_be_missing);
    CHECK_FALSE(settings_v2(Controller::memory, memory(100, 200), reader({})).at(0).may_be_missing);
}

TEST_CASE("v1 raises memory + swap before memory and lowers it after") {
    const Files now{{"memory.memsw.limit_in_bytes", "200"}};
    CHECK(v1(Controller::memory, memory(300, 400), now) ==
          Lines{"memory.memsw.limit_in_bytes=400", "memory.limit_in_bytes=300"});
    CHECK(v1(Controller::memory, memory(100, 150), now) ==
          Lines{"memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=150"});
    CHECK(v1(Controller::memory, memory(-1, {}), now) ==
          Lines{"memory.memsw.limit_in_bytes=-1", "memory.limit_in_bytes=-1"});
    CHECK(v1(Controller::memory, memory(100, {})) == Lines{"memory.limit_in_bytes=100"});
}

TEST_CASE("quota and period are one file on v2, and either may come alone") {
    CHECK(v2(Controller::cpu, cpu(20'000, 50'000)) == Lines{"cpu.max=20000 50000"});
    CHECK(v2(Controller::cpu, cpu(20'000, {})) == Lines{"cpu.max=20000"});
    CHECK(v2(Controller::cpu, cpu(-1, {})) == Lines{"cpu.max=max"});
    CHECK(v2(Controller::cpu, cpu({}, 50'000), {{"cpu.max", "7000 100000"}}) ==
          Lines{"cpu.max=7000 50000"});
    CHECK(v2(Controller::cpu, cpu({}, 50'000)) == Lines{"cpu.max=max 50000"});
    CHECK(v1(Controller::cpu, cpu(20'000, 50'000)) ==
          Lines{"cpu.cfs_period_us=50000", "cpu.cfs_quota_us=20000"});
    CHECK(v1(Controller::cpu, cpu(-1, {})) == Lines{"cpu.cfs_quota_us=-1"});
}

TEST_CASE("no limit is spelt as each file wants it") {
    Limits limits;
    limits.pids_max = -1;
    CHECK(v2(Controller::pids, limits) == Lines{"pids.max=max"});
    CHECK(v1(Controller::pids, limits) == Lines{"pids.max=max"});
    limits.pids_max = 7;
    CHECK(v2(Controller::pids, limits) == Lines{"pids.max=7"});
    CHECK(v1(Controller::pids, limits) == Lines{"pids.max=7"});
}

TEST_CASE("limits are empty until one field is set") {
    Limits limits;
    CHECK(limits.empty());
    limits.cpuset_mems = "0";
    CHECK_FALSE(limits.empty());
    CHECK(field_for(Controller::cpuset, limits) == "cpu.mems");
    CHECK(field_for(Controller::memory, limits).empty());
    Limits other;
    other.unified["memory.high"] = "1";
    CHECK_FALSE(other.empty());
}

TEST_CASE("paths that lead elsewhere are refused before anything is touched") {
    for (const std::string path : {"", "/", "covey", "/covey/", "//covey", "/covey//x",
                                   "/covey/../x", "/..", "/covey/.", "/covey/a\nb", "/covey/a\tb"})
        CHECK_THROWS_AS(check_path(path), Error);
    CHECK_THROWS_AS(check_path("/" + std::string(256, 'a')), Error);
    CHECK_THROWS_AS(check_path("/covey/" + std::string("a\0b", 3)), Error);
    for (const std::string path : {"/covey", "/covey/web.pod/nginx.ctr", "/a/..b/c..", "/a b/ü"})
        CHECK_NOTHROW(check_path(path));
}

TEST_CASE("a symlink in the tree is never followed") {
    const FakeTree tree{{{"/top/real/x", ""}, {"/elsewhere/victim/x", ""}}};
    const auto mount = tree.root() + "/top";
    REQUIRE(::symlink((tree.root() + "/elsewhere").c_str(), (mount + "/link").c_str()) == 0);
    CHECK(open_group(mount, "/real").has_value());
    CHECK(open_group(mount, "/link").error() == ELOOP);
    CHECK(open_group(mount, "/link/victim").error() == ELOOP);
    CHECK(make_group(mount, "/link/new").error() == ELOOP);
    CHECK(remove_group(mount, "/link/victim").error() == ELOOP);
    CHECK(covey::sys::open_dir(tree.root() + "/elsewhere/victim").has_value());
}

TEST_CASE("v2 controllers are switched on from the root down to the parent, and nowhere else") {
    const FakeTree tree{{{"/cg/cgroup.controllers", "cpu memory pids\n"},
                         {"/cg/cgroup.subtree_control", "cpu\n"},
                         {"/cg/covey/cgroup.subtree_control", ""},
                         {"/cg/covey/web.pod/cgroup.subtree_control", ""},
                         {"/cg/covey/web.pod/a.ctr/cgroup.controllers", ""},
                         {"/cg/covey/web.pod/a.ctr/cgroup.subtree_control", ""},
                         {"/cg/covey/web.pod/a.ctr/pids.max", ""}}};
    Host host;
    host.unified = tree.root() + "/cg";
    host.unified_controllers = {"cpu", "memory", "pids"};
    auto group = Group::open(host, "/covey/web.pod/a.ctr");
    Limits limits;
    limits.pids_max = 5;
    group.apply(limits);
    // A plain file keeps what was there behind the shorter text: the write is what counts.
    CHECK(tree.read("/cg/cgroup.subtree_control").starts_with("+pids"));
    CHECK(tree.read("/cg/covey/cgroup.subtree_control") == "+pids");
    CHECK(tree.read("/cg/covey/web.pod/cgroup.subtree_control") == "+pids");
    CHECK(tree.read("/cg/covey/web.pod/a.ctr/cgroup.subtree_control").empty());
    CHECK(tree.read("/cg/covey/web.pod/a.ctr/pids.max") == "5");
}

TEST_CASE("a controller that nobody offers is an error that names it, the field and the remedy") {
    const FakeTree tree{{{"/cg/covey/a.ctr/cgroup.controllers", ""}}};
    Host host;
    host.unified = tree.root() + "/cg";
    host.unified_controllers = {"hugetlb"};
    auto group = Group::open(host, "/covey/a.ctr");
    Limits limits;
    limits.memory_max = 1 << 20;
    try {
        group.apply(limits);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.code() == covey::Code::unsupported_by_host);
        CHECK(error.detail().find("memory.limit needs the cgroup controller 'memory'") == 0);
        CHECK(error.detail().find("missing: ") != std::string::npos);
        CHECK(error.fix().find("leave memory.limit out") != std::string::npos);
    }
}

TEST_CASE("numbers of keyed files are found by their whole key") {
    CHECK(keyed_number("populated 1\nfrozen 0\n", "frozen") == 0U);
    CHECK(keyed_number("oom 1\noom_kill 3\n", "oom_kill") == 3U);
    CHECK(keyed_number("oom_kill 3\n", "oom") == std::nullopt);
    CHECK(keyed_number("", "oom") == std::nullopt);
}
