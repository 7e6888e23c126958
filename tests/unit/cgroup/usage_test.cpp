// Counters as the kernel writes them, v1's and v2's, into one shape.
#include "catch.hpp"
#include "cgroup/usage_readers.hpp"
#include "fake_tree.hpp"

#include <limits>

using namespace covey::cgroup;
using covey::test::FakeTree;

namespace {

constexpr auto kNoLimit = std::numeric_limits<std::uint64_t>::max();
using Numbers = std::vector<std::uint64_t>;

struct Folder {
    explicit Folder(const std::vector<std::pair<std::string, std::string>>& files)
        : tree(prefixed(files)), dir(covey::sys::open_dir(tree.root() + "/g").or_throw("open")) {}
    static std::vector<std::pair<std::string, std::string>> prefixed(
        std::vector<std::pair<std::string, std::string>> files) {
        for (auto& [path, text] : files)
            path = "/g/" + path;
        return files;
    }
    FakeTree tree;
    covey::UniqueFd dir;
};

}  // namespace

TEST_CASE("v1 CPU time is in nanoseconds, also what the kernel counts in ticks") {
    const Folder group{{{"cpuacct.usage", "13477525\n"},
                        {"cpuacct.stat", "user 3\nsystem 2\n"},
                        {"cpuacct.usage_percpu", "10089533 3387992 \n"},
                        {"cpuacct.usage_all", "cpu user system\n0 0 4000000\n1 4000000 0\n"},
                        {"cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 77\n"}}};
    CpuUsage usage;
    read_cpu_v1(group.dir, usage);
    read_cpuacct_v1(group.dir, usage);
    CHECK(usage.total == 13'477'525);
    CHECK(usage.user == 30'000'000);
    CHECK(usage.kernel == 20'000'000);
    CHECK(usage.per_cpu == Numbers{10'089'533, 3'387'992});
    CHECK(usage.per_cpu_user == Numbers{0, 4'000'000});
    CHECK(usage.per_cpu_kernel == Numbers{4'000'000, 0});
    CHECK(usage.periods == 5);
    CHECK(usage.throttled_periods == 2);
    CHECK(usage.throttled_time == 77);
}

TEST_CASE("v2 CPU time comes in microseconds") {
    const Folder group{{{"cpu.stat",
                         "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 5\n"
                         "nr_throttled 2\nthrottled_usec 7\n"}}};
    CpuUsage usage;
    read_cpu_v2(group.dir, usage);
    CHECK(usage.total == 30'000);
    CHECK(usage.user == 10'000);
    CHECK(usage.kernel == 20'000);
    CHECK(usage.throttled_periods == 2);
    CHECK(usage.throttled_time == 7'000);
}

TEST_CASE("v1 memory has four counters and its own statistics") {
    const Folder group{{{"memory.stat", "cache 5\nrss 6\n"},
                        {"memory.limit_in_bytes", "9223372036854771712\n"},
                        {"memory.usage_in_bytes", "471040\n"},
                        {"memory.max_usage_in_bytes", "2781184\n"},
                        {"memory.failcnt", "3\n"},
                        {"memory.memsw.limit_in_bytes", "100\n"},
                        {"memory.kmem.usage_in_bytes", "356352\n"}}};
    MemoryUsage usage;
    read_memory_v1(group.dir, usage);
    CHECK(usage.cache == 5);
    CHECK(usage.usage.limit == 9'223'372'036'854'771'712U);
    CHECK(usage.usage.usage == 471'040);
    CHECK(usage.usage.max == 2'781'184);
    CHECK(usage.usage.failures == 3);
    CHECK(usage.swap.limit == 100);
    CHECK(usage.kernel.usage == 356'352);
    CHECK(usage.kernel_tcp.limit == 0);
    CHECK(usage.raw.at("rss") == 6);
}

TEST_CASE("v2 memory is told as v1 would: swap with memory, no limit as the largest number") {
    const Folder group{{{"memory.stat", "anon 1\nfile 5\nkernel 9\n"},
                        {"memory.max", "1000\n"},
                        {"memory.current", "400\n"},
                        {"memory.peak", "900\n"},
                        {"memory.events", "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n"},
                        {"memory.swap.max", "500\n"},
                        {"memory.swap.current", "50\n"}}};
    MemoryUsage usage;
    read_memory_v2(group.dir, usage);
    CHECK(usage.cache == 5);
    CHECK(usage.usage.limit == 1000);
    CHECK(usage.usage.max == 900);
    CHECK(usage.usage.failures == 4);
    CHECK(usage.swap.limit == 1500);
    CHECK(usage.swap.usage == 450);
    CHECK(usage.kernel.usage == 9);
    group.tree.add("/g/memory.max", "max\n");
    MemoryUsage unlimited;
    read_memory_v2(group.dir, unlimited);
    CHECK(unlimited.usage.limit == kNoLimit);
    CHECK(unlimited.swap.limit == kNoLimit);
}

TEST_CASE("block I/O: BFQ's counters where it counts, else the throttling layer's, v2's io.stat") {
    const Folder v1{{{"blkio.bfq.io_service_bytes_recursive", "Total 0\n"},
                     {"blkio.throttle.io_service_bytes_recursive",
                      "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n"},
                     {"blkio.throttle.io_serviced_recursive", "8:0 Read 1\n"}}};
    BlockIoUsage usage;
    read_block_io_v1(v1.dir, usage);
    REQUIRE(usage.bytes.size() == 2);
    CHECK(usage.bytes[0].major == 8);
    CHECK(usage.bytes[0].operation == "Read");
    CHECK(usage.bytes[0].value == 4096);
    CHECK(usage.operations.size() == 1);
    v1.tree.add("/g/blkio.bfq.io_service_bytes_recursive", "8:0 Write 8\nTotal 8\n");
    v1.tree.add("/g/blkio.bfq.sectors_recursive", "8:0 16\n");
    BlockIoUsage bfq;
    read_block_io_v1(v1.dir, bfq);
    REQUIRE(bfq.bytes.size() == 1);
    CHECK(bfq.bytes[0].operation == "Write");
    CHECK(bfq.sectors.at(0).value == 16);
    CHECK(bfq.sectors.at(0).operation.empty());

    const Folder v2{{{"io.stat", "254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=3 dios=4\n"}}};
    BlockIoUsage io;
    read_block_io_v2(v2.dir, io);
    REQUIRE(io.bytes.size() == 3);
    CHECK(io.bytes[1].operation == "Write");
    CHECK(io.bytes[1].value == 20);
    CHECK(io.operations.at(2).operation == "Discard");
}

TEST_CASE("huge pages are counted by size, reservations are no size") {
    const Folder v1{{{"hugetlb.2MB.usage_in_bytes", "2097152\n"},
                     {"hugetlb.2MB.rsvd.usage_in_bytes", "0\n"},
                     {"hugetlb.2MB.max_usage_in_bytes", "4194304\n"},
                     {"hugetlb.2MB.failcnt", "1\n"}}};
    std::map<std::string, HugepageUsage> usage;
    read_hugepages_v1(v1.dir, usage);
    REQUIRE(usage.size() == 1);
    CHECK(usage.at("2MB").usage == 2'097'152);
    CHECK(usage.at("2MB").failures == 1);
    const Folder v2{{{"hugetlb.1GB.current", "0\n"},
                     {"hugetlb.1GB.rsvd.current", "0\n"},
                     {"hugetlb.1GB.events", "max 2\n"}}};
    std::map<std::string, HugepageUsage> other;
    read_hugepages_v2(v2.dir, other);
    REQUIRE(other.size() == 1);
    CHECK(other.at("1GB").failures == 2);
}

TEST_CASE("lists of CPUs") {
    CHECK(cpu_list("0-2,5\n") == std::vector<std::uint16_t>{0, 1, 2, 5});
    CHECK(cpu_list("\n").empty());
    CHECK(cpu_list("x,1-").empty());
}
