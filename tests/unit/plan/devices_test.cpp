#include "catch.hpp"
#include "unit/plan/config.hpp"

#include <sys/stat.h>

using namespace covey::plan;
using namespace covey::plan::test;
using Lines = std::vector<std::string>;

namespace {

constexpr auto kTmpfsOnDev = R"([{"destination":"/dev","type":"tmpfs","source":"tmpfs"}])";

Json with_devices(const char* mounts, const std::string& devices) {
    auto json = config_with_mounts(mounts);
    json["linux"]["devices"] = Json::parse(devices);
    return json;
}

}  // namespace

TEST_CASE("a fresh /dev gets the default devices and links") {
    const auto plan = plan_of(config_with_mounts(kTmpfsOnDev));
    CHECK(described(plan) ==
          Lines{"mount tmpfs on /dev", "make /dev/null", "make /dev/zero", "make /dev/full",
                "make /dev/random", "make /dev/urandom", "make /dev/tty",
                "link /dev/fd to /proc/self/fd", "link /dev/stdin to /proc/self/fd/0",
                "link /dev/stdout to /proc/self/fd/1", "link /dev/stderr to /proc/self/fd/2",
                "link /dev/ptmx to pts/ptmx"});
    const auto devices = bodies<MakeDevice>(plan);
    const unsigned numbers[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}};
    for (std::size_t i = 0; i < devices.size(); ++i) {
        CHECK(devices[i].mode == (S_IFCHR | 0666));
        CHECK(devices[i].major == numbers[i][0]);
        CHECK(devices[i].minor == numbers[i][1]);
    }
}

TEST_CASE("no node is ever made in the image or in a host's folder") {
    const auto none =
        plan_of(with_devices("[]", R"([{"path":"/dev/fuse","type":"c","major":10,"minor":229}])"));
    CHECK(bodies<MakeDevice>(none).empty());
    CHECK(bodies<MakeSymlink>(none).empty());
    CHECK(has_warning(none, "mounts nothing on /dev"));
    CHECK(has_warning(none, "device /dev/fuse is not made"));

    const auto bound = plan_of(with_devices(
        R"([{"destination":"/dev","type":"bind","source":"/dev","options":["rbind"]}])",
        R"([{"path":"/dev/fuse","type":"c","major":10,"minor":229}])"));
    CHECK(described(bound) == Lines{"bind /dev to /dev"});
    CHECK(has_warning(bound, "device /dev/fuse is not made"));
    CHECK_FALSE(has_warning(bound, "mounts nothing on /dev"));

    const auto deeper = plan_of(with_devices(
        R"([{"destination":"/dev","type":"tmpfs"},{"destination":"/dev/host","type":"bind","source":"/x"}])",
        R"([{"path":"/dev/host/a","type":"c","major":1,"minor":2},{"path":"/srv/b","type":"p"}])"));
    CHECK(has_warning(deeper, "device /dev/host/a is not made"));
    CHECK(has_warning(deeper, "device /srv/b is not made"));
    CHECK(bodies<MakeDevice>(deeper).size() == 6);
}

TEST_CASE("a device of the spec takes the default's place") {
    const auto plan = plan_of(with_devices(kTmpfsOnDev, R"([
        {"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":384,"uid":5,"gid":6},
        {"path":"/dev/sda","type":"b","major":8,"minor":0},
        {"path":"/dev/pipe","type":"p"},
        {"path":"/dev/u","type":"u","major":10,"minor":1,"fileMode":8630},
        {"path":"/dev/ptmx","type":"c","major":5,"minor":2}])"));
    const auto devices = bodies<MakeDevice>(plan);
    REQUIRE(devices.size() == 5 + 5);
    CHECK(devices[5].path == "/dev/null");
    CHECK(devices[5].mode == (S_IFCHR | 0600));
    CHECK(devices[5].uid == 5);
    CHECK(devices[5].gid == 6);
    CHECK(devices[6].mode == (S_IFBLK | 0666));
    CHECK(devices[7].mode == (S_IFIFO | 0666));
    CHECK(devices[8].mode == (S_IFCHR | 0666));  // 8630 is 020666: a host's whole st_mode
    CHECK(bodies<MakeSymlink>(plan).size() == 4);
}

TEST_CASE("a mount on a default device is left alone") {
    const auto plan = plan_of(config_with_mounts(
        R"([{"destination":"/dev","type":"tmpfs"},{"destination":"/dev/null","type":"bind","source":"/x"}])"));
    for (const auto& device : bodies<MakeDevice>(plan))
        CHECK(device.path != "/dev/null");
    CHECK(bodies<MakeDevice>(plan).size() == 5);
}

TEST_CASE("a terminal needs a devpts and is bound after the devices, before the root is closed") {
    const auto lines = described(plan_of(config()));
    const auto console = std::find(lines.begin(), lines.end(), "bind the terminal to /dev/console");
    REQUIRE(console != lines.end());
    CHECK(console > std::find(lines.begin(), lines.end(), "link /dev/ptmx to pts/ptmx"));
    CHECK(lines.back() == "make / read-only");
    auto json = config_with_mounts(kTmpfsOnDev);
    json["process"]["terminal"] = true;
    CHECK(pointer_of(json) == "/process/terminal");
}

// Seen failing: only a mount of type devpts counted.
TEST_CASE("a devpts may come with a bind; the console is bound where that stays in the container") {
    const auto console_of = [](const std::string& mounts) {
        auto json = config_with_mounts(mounts);
        json["process"]["terminal"] = true;
        return bodies<BindConsole>(plan_of(json)).at(0);
    };
    const auto bound =
        console_of(R"([{"destination":"/dev","type":"none","source":"/dev","options":["rbind"]}])");
    CHECK(bound.on_console);
    CHECK_FALSE(bound.makes_console);
    CHECK_FALSE(console_of(R"([{"destination":"/dev/","type":"bind","source":"/dev",
                                "options":["rbind","rshared"]}])")
                    .on_console);
    const auto below = console_of(R"([{"destination":"/dev","type":"tmpfs"},
        {"destination":"/dev/pts","type":"bind","source":"/dev/pts"}])");
    CHECK(below.on_console);
    CHECK(below.makes_console);
    auto json = config_with_mounts(R"([{"destination":"/dev","type":"bind","source":"/dev"},
        {"destination":"/dev/pts","type":"tmpfs"}])");
    json["process"]["terminal"] = true;
    CHECK(pointer_of(json) == "/process/terminal");
}

TEST_CASE("device numbers that the kernel does not have are refused") {
    auto spec = covey::spec::load(config().dump());
    for (const auto& [major, minor] : {std::pair{4096, 0}, {1, 1 << 20}, {-1, 0}}) {
        spec.linux.devices = {{'c', "/dev/x", major, minor, {}, {}, {}}};
        CHECK_THROWS_WITH(compile(spec, request(), {}), Catch::Contains("/linux/devices/0"));
    }
}

TEST_CASE("by the spec's rule devices are made in the root filesystem too, never in a bound /dev") {
    auto with = request();
    with.namespaces = NamespaceRule::spec;
    auto json = config_with_mounts("[]");
    json["hostname"] = nullptr;
    json["linux"]["namespaces"] = Json::parse(R"([{"type":"mount"}])");
    json["linux"]["devices"] =
        Json::parse(R"([{"path":"/some/fuse","type":"c","major":10,"minor":229}])");
    CHECK(bodies<MakeDevice>(plan_of(json, with)).size() == 7);
    CHECK(bodies<MakeSymlink>(plan_of(json, with)).size() == 5);
    CHECK(bodies<MakeDevice>(plan_of(json)).empty());
    json["mounts"] = Json::parse(
        R"([{"destination":"/dev","type":"bind","source":"/dev","options":["rbind"]}])");
    const auto bound = bodies<MakeDevice>(plan_of(json, with));
    REQUIRE(bound.size() == 1);
    CHECK(bound[0].path == "/some/fuse");
}
