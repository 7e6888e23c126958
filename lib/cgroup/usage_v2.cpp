// The counters of cgroup v2 (cgroup-v2.rst), in the units of v1, as readers of runc's events
// expect.
#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/usage_readers.hpp"

#include <limits>

namespace covey::cgroup {
namespace {

constexpr auto kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// A line "8:0 rbytes=4096 wbytes=0 rios=1 …" of io.stat.
void add_device(std::string_view line, BlockIoUsage& usage) {
    struct Key {
        std::string_view name;
        const char* operation;
        std::vector<BlockIoEntry>& list;
    };
    const Key keys[] = {
        {"rbytes", "Read", usage.bytes},     {"wbytes", "Write", usage.bytes},
        {"dbytes", "Discard", usage.bytes},  {"rios", "Read", usage.operations},
        {"wios", "Write", usage.operations}, {"dios", "Discard", usage.operations},
    };
    const auto words = split(trim(line), ' ');
    const auto colon = words.front().find(':');
    if (colon == std::string_view::npos) return;
    const auto major = parse_u64(words[0].substr(0, colon));
    const auto minor = parse_u64(words[0].substr(colon + 1));
    if (!major || !minor) return;
    for (const auto word : words) {
        const auto equals = word.find('=');
        if (equals == std::string_view::npos) continue;
        const auto value = parse_u64(word.substr(equals + 1));
        for (const auto& key : keys)
            if (value && key.name == word.substr(0, equals))
                key.list.push_back({*major, *minor, key.operation, *value});
    }
}

}  // namespace

void read_cpu_v2(FdRef group, CpuUsage& usage) {
    const auto stat = read_control(group, "cpu.stat").value_or("");
    const auto value = [&](std::string_view key) { return keyed_number(stat, key).value_or(0); };
    usage.total = value("usage_usec") * 1000;
    usage.user = value("user_usec") * 1000;
    usage.kernel = value("system_usec") * 1000;
    if (!keyed_number(stat, "nr_periods")) return;  // the controller is off: v1's may be on
    usage.periods = value("nr_periods");
    usage.throttled_periods = value("nr_throttled");
    usage.throttled_time = value("throttled_usec") * 1000;
}

void read_cpuset_v2(FdRef group, CpusetUsage& usage) {
    // The effective ones: those of a group that was given none are empty.
    usage.cpus = cpu_list(read_control(group, "cpuset.cpus.effective").value_or(""));
    usage.mems = cpu_list(read_control(group, "cpuset.mems.effective").value_or(""));
    usage.sched_load_balance = 1;
}

void read_memory_v2(FdRef group, MemoryUsage& usage) {
    usage.raw = keyed_numbers(read_control(group, "memory.stat").value_or(""));
    if (const auto file = usage.raw.find("file"); file != usage.raw.end())
        usage.cache = file->second;
    const auto events = read_control(group, "memory.events").value_or("");
    usage.usage = {number_in(group, "memory.max", kNoLimit), number_in(group, "memory.current"),
                   number_in(group, "memory.peak"),  // Linux 5.19
                   keyed_number(events, "max").value_or(0)};
    // v1 counts memory and swap together, and its readers expect that.
    const auto limit = number_in(group, "memory.swap.max", kNoLimit);
    const bool is_limited = limit != kNoLimit && usage.usage.limit != kNoLimit;
    usage.swap.limit = is_limited ? limit + usage.usage.limit : kNoLimit;
    usage.swap.usage = number_in(group, "memory.swap.current") + usage.usage.usage;
    const auto swap_events = read_control(group, "memory.swap.events").value_or("");
    usage.swap.failures = keyed_number(swap_events, "max").value_or(0);
    if (const auto kernel = usage.raw.find("kernel"); kernel != usage.raw.end())  // Linux 5.18
        usage.kernel.usage = kernel->second;
}

void read_block_io_v2(FdRef group, BlockIoUsage& usage) {
    const auto stat = read_control(group, "io.stat").value_or("");
    for (const auto line : split(stat, '\n'))
        add_device(line, usage);
}

void read_hugepages_v2(FdRef group, std::map<std::string, HugepageUsage>& usage) {
    for (const auto& size : hugepage_sizes(group, ".current")) {
        const auto prefix = "hugetlb." + size;
        const auto events = read_control(group, prefix + ".events").value_or("");
        usage[size] = {number_in(group, prefix + ".current"), 0,
                       keyed_number(events, "max").value_or(0)};
    }
}

}  // namespace covey::cgroup
