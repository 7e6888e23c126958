// The counters of cgroup v1: Documentation/admin-guide/cgroup-v1/.
#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/usage_readers.hpp"

#include <algorithm>

#include <unistd.h>

namespace covey::cgroup {
namespace {

/// cpuacct.stat counts in USER_HZ.
std::uint64_t nanoseconds_of(std::uint64_t ticks) {
    static const auto kPerSecond = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return ticks * (1'000'000'000 / kPerSecond);
}

MemoryCounter counter(FdRef group, const std::string& prefix) {
    return {
        number_in(group, prefix + ".limit_in_bytes"), number_in(group, prefix + ".usage_in_bytes"),
        number_in(group, prefix + ".max_usage_in_bytes"), number_in(group, prefix + ".failcnt")};
}

/// Lines "8:0 Read 4096", "8:0 17" and a last "Total 4096".
std::vector<BlockIoEntry> block_io_lines(FdRef group, std::string_view file) {
    std::vector<BlockIoEntry> entries;
    const auto text = read_control(group, file).value_or("");
    for (const auto line : split(text, '\n')) {
        const auto words = split(trim(line), ' ');
        const auto colon = words.front().find(':');
        if (colon == std::string_view::npos || words.size() < 2) continue;
        const auto major = parse_u64(words[0].substr(0, colon));
        const auto minor = parse_u64(words[0].substr(colon + 1));
        const auto value = parse_u64(words.back());
        if (!major || !minor || !value) continue;
        entries.push_back({*major, *minor, words.size() > 2 ? std::string{words[1]} : "", *value});
    }
    return entries;
}

}  // namespace

void read_cpu_v1(FdRef cpu, CpuUsage& usage) {
    const auto seat = open_beneath(cpu, "main");
    const auto read = [](FdRef group) {
        return keyed_numbers(read_control(group, "cpu.stat").value_or(""));
    };
    const auto above = read(cpu);
    const auto below = seat ? read(seat.value()) : above;
    // Both have the same quota, and one of them ends first.
    const auto value = [&](const char* key) {
        std::uint64_t most = 0;
        for (const auto* stat : {&above, &below})
            if (const auto found = stat->find(key); found != stat->end())
                most = std::max(most, found->second);
        return most;
    };
    usage.periods = value("nr_periods");
    usage.throttled_periods = value("nr_throttled");
    usage.throttled_time = value("throttled_time");
}

void read_cpuacct_v1(FdRef cpuacct, CpuUsage& usage) {
    usage.total = number_in(cpuacct, "cpuacct.usage");
    const auto stat = read_control(cpuacct, "cpuacct.stat").value_or("");
    usage.user = nanoseconds_of(keyed_number(stat, "user").value_or(0));
    usage.kernel = nanoseconds_of(keyed_number(stat, "system").value_or(0));
    const auto per_cpu = read_control(cpuacct, "cpuacct.usage_percpu").value_or("");
    for (const auto word : split(per_cpu, ' '))
        if (const auto value = parse_u64(word)) usage.per_cpu.push_back(*value);
    // "cpu user system", then a line for each (Linux 4.7).
    const auto all = read_control(cpuacct, "cpuacct.usage_all").value_or("");
    for (const auto line : split(all, '\n')) {
        const auto words = split(trim(line), ' ');
        if (words.size() < 3) continue;
        const auto user = parse_u64(words[1]), kernel = parse_u64(words[2]);
        if (!user || !kernel) continue;
        usage.per_cpu_user.push_back(*user);
        usage.per_cpu_kernel.push_back(*kernel);
    }
}

void read_cpuset_v1(FdRef group, CpusetUsage& usage) {
    usage.cpus = cpu_list(read_control(group, "cpuset.cpus").value_or(""));
    usage.mems = cpu_list(read_control(group, "cpuset.mems").value_or(""));
    usage.cpu_exclusive = number_in(group, "cpuset.cpu_exclusive");
    usage.mem_hardwall = number_in(group, "cpuset.mem_hardwall");
    usage.mem_exclusive = number_in(group, "cpuset.mem_exclusive");
    usage.memory_migrate = number_in(group, "cpuset.memory_migrate");
    usage.memory_spread_page = number_in(group, "cpuset.memory_spread_page");
    usage.memory_spread_slab = number_in(group, "cpuset.memory_spread_slab");
    usage.memory_pressure = number_in(group, "cpuset.memory_pressure");
    usage.sched_load_balance = number_in(group, "cpuset.sched_load_balance");
    const auto level = read_control(group, "cpuset.sched_relax_domain_level").value_or("");
    usage.sched_relax_domain_level = parse_i64(trim(level)).value_or(0);
}

void read_memory_v1(FdRef group, MemoryUsage& usage) {
    usage.raw = keyed_numbers(read_control(group, "memory.stat").value_or(""));
    const auto seat = open_beneath(group, "main");
    // The processes are below, where the group's own numbers do not count.
    constexpr std::string_view kTotal = "total_";
    if (seat)
        for (const auto& [key, value] : std::map{usage.raw})
            if (key.starts_with(kTotal)) usage.raw[key.substr(kTotal.size())] = value;
    if (const auto cache = usage.raw.find("cache"); cache != usage.raw.end())
        usage.cache = cache->second;
    usage.usage = counter(group, "memory");
    usage.swap = counter(group, "memory.memsw");
    usage.kernel = counter(group, "memory.kmem");
    usage.kernel_tcp = counter(group, "memory.kmem.tcp");
    if (!seat) return;
    usage.usage.failures += number_in(seat.value(), "memory.failcnt");
    usage.swap.failures += number_in(seat.value(), "memory.memsw.failcnt");
}

void read_block_io_v1(FdRef group, BlockIoUsage& usage) {
    const auto list = [&](const char* file) { return block_io_lines(group, file); };
    // BFQ counts what it scheduled; where it schedules nothing, the throttling layer has counted.
    usage.bytes = list("blkio.bfq.io_service_bytes_recursive");
    usage.operations = list("blkio.bfq.io_serviced_recursive");
    if (!usage.bytes.empty() || !usage.operations.empty()) {
        usage.queued = list("blkio.bfq.io_queued_recursive");
        usage.service_time = list("blkio.bfq.io_service_time_recursive");
        usage.wait_time = list("blkio.bfq.io_wait_time_recursive");
        usage.merged = list("blkio.bfq.io_merged_recursive");
        usage.time = list("blkio.bfq.time_recursive");
        usage.sectors = list("blkio.bfq.sectors_recursive");
        return;
    }
    usage.bytes = list("blkio.throttle.io_service_bytes_recursive");
    usage.operations = list("blkio.throttle.io_serviced_recursive");
}

void read_hugepages_v1(FdRef group, std::map<std::string, HugepageUsage>& usage) {
    for (const auto& size : hugepage_sizes(group, ".usage_in_bytes")) {
        const auto prefix = "hugetlb." + size;
        usage[size] = {number_in(group, prefix + ".usage_in_bytes"),
                       number_in(group, prefix + ".max_usage_in_bytes"),
                       number_in(group, prefix + ".failcnt")};
    }
}

}  // namespace covey::cgroup
