// What pause, update, events and ps read and print, without a container.
#include "base/json.hpp"
#include "catch.hpp"
#include "covey/error.hpp"
#include "runtime/duration.hpp"
#include "runtime/stats_codec.hpp"
#include "runtime/update_flags.hpp"

using covey::Error;
using namespace covey::runtime;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

namespace {

covey::spec::Resources read(const std::vector<std::string>& words) {
    UpdateFlags wishes;
    Flags flags;
    wishes.add_to(flags);
    (void)flags.parse(words, -1);
    return wishes.read();
}

}  // namespace

TEST_CASE("sizes are read as runc and Docker read them") {
    CHECK(parse_size("1024", "memory") == 1024);
    CHECK(parse_size("512m", "memory") == 512LL << 20);
    CHECK(parse_size("2G", "memory") == 2LL << 30);
    CHECK(parse_size("1.5GiB", "memory") == 3LL << 29);
    CHECK(parse_size("7kb", "memory") == 7 << 10);
    CHECK(parse_size("9b", "memory") == 9);
    CHECK(parse_size("-1", "memory") == -1);
    for (const char* bad : {"", "m", "-2", "3x", "1 g", "1gx", "9999999p", "0x10", "1bb"})
        CHECK_THROWS_AS(parse_size(bad, "memory"), Error);
}

TEST_CASE("times are read as Go writes them") {
    CHECK(parse_duration("5s", "interval") == 5s);
    CHECK(parse_duration("1m30s", "interval") == 90s);
    CHECK(parse_duration("500ms", "interval") == 500ms);
    CHECK(parse_duration("1.5h", "interval") == 90min);
    for (const char* bad : {"", "5", "s", "-1s", "0s", "5s5", "25h", "5 s"})
        CHECK_THROWS_AS(parse_duration(bad, "interval"), Error);
}

TEST_CASE("each flag of update is a field of the resources") {
    const auto resources = read({"--memory",
                                 "64m",
                                 "--memory-reservation=32m",
                                 "--memory-swap",
                                 "-1",
                                 "--kernel-memory-tcp",
                                 "1m",
                                 "--cpu-period",
                                 "50000",
                                 "--cpu-quota=20000",
                                 "--cpu-burst",
                                 "1000",
                                 "--cpu-share",
                                 "512",
                                 "--cpu-rt-period",
                                 "1000000",
                                 "--cpu-rt-runtime",
                                 "9000",
                                 "--cpu-idle",
                                 "1",
                                 "--cpuset-cpus",
                                 "0-1",
                                 "--cpuset-mems",
                                 "0",
                                 "--blkio-weight",
                                 "300",
                                 "--pids-limit",
                                 "-1"});
    CHECK(resources.memory->limit == 64 << 20);
    CHECK(resources.memory->reservation == 32 << 20);
    CHECK(resources.memory->swap == -1);
    CHECK(resources.memory->kernel_tcp == 1 << 20);
    CHECK(resources.cpu->period == 50'000U);
    CHECK(resources.cpu->quota == 20'000);
    CHECK(resources.cpu->burst == 1000U);
    CHECK(resources.cpu->shares == 512U);
    CHECK(resources.cpu->realtime_period == 1'000'000U);
    CHECK(resources.cpu->realtime_runtime == 9000);
    CHECK(resources.cpu->idle == 1);
    CHECK(resources.cpu->cpus == "0-1");
    CHECK(resources.cpu->mems == "0");
    CHECK(resources.block_io->weight == 300);
    CHECK(resources.pids_limit == -1);
    const auto nothing = read({});
    CHECK_FALSE(nothing.memory->limit);
    CHECK_FALSE(nothing.pids_limit);
    CHECK_FALSE(nothing.block_io);
    for (const auto& words : {std::vector<std::string>{"--cpu-share", "many"},
                              {"--pids-limit", "1.5"},
                              {"--blkio-weight", "70000"},
                              {"--l3-cache-schema", "x"}})
        CHECK_THROWS_AS(read(words), Error);
}

TEST_CASE("a stats event has runc's names, and leaves out what runc leaves out") {
    covey::cgroup::Usage usage;
    usage.cpu.total = 7;
    usage.cpu.per_cpu = {3, 4};
    usage.cpu.throttled_time = 9;
    usage.memory.usage = {100, 50, 60, 1};
    usage.memory.raw = {{"cache", 5}};
    usage.pids = 2;
    usage.block_io.bytes = {{8, 0, "Read", 4096}};
    usage.hugepages["2MB"].usage = 6;
    const auto event = Json::parse(encode_stats_event("web", usage));
    CHECK(event.at("type") == "stats");
    CHECK(event.at("id") == "web");
    const auto& data = event.at("data");
    CHECK(data.at("cpu") == Json::parse(R"({"usage":{"total":7,"percpu":[3,4],"kernel":0,"user":0},
        "throttling":{"throttledTime":9}})"));
    CHECK(data.at("memory").at("usage") ==
          Json::parse(R"({"limit":100,"usage":50,"max":60,"failcnt":1})"));
    CHECK(data.at("memory").at("swap") == Json::parse(R"({"limit":0,"failcnt":0})"));
    CHECK(data.at("memory").at("raw") == Json::parse(R"({"cache":5})"));
    CHECK_FALSE(data.at("memory").contains("cache"));
    CHECK(data.at("pids") == Json::parse(R"({"current":2})"));
    CHECK(data.at("blkio") == Json::parse(R"({"ioServiceBytesRecursive":[
        {"major":8,"op":"Read","value":4096}]})"));
    CHECK(data.at("hugetlb") == Json::parse(R"({"2MB":{"usage":6,"failcnt":0}})"));
    CHECK(Json::parse(encode_oom_event("web")) == Json::parse(R"({"type":"oom","id":"web"})"));
}
