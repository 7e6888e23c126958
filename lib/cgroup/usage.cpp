#include "cgroup/usage.hpp"

#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/usage_readers.hpp"
#include "sys/file.hpp"

#include <algorithm>

#include <fcntl.h>

namespace covey::cgroup {
namespace {

/// Reads from v2 where it has the controller, else from v1 where that is mounted and the group is.
class UsageReader {
  public:
    UsageReader(const Host& host, const Group& group) : host_(host), group_(group) {
        if (host.unified.empty()) return;
        if (auto opened = open_group(host.unified, group.path())) v2_ = std::move(opened).value();
    }

    template <typename V2, typename V1>
    void read(std::string_view v2_name, const std::string& v1_name, V2 from_v2, V1 from_v1) const {
        const auto& offered = host_.unified_controllers;
        if (v2_ && std::find(offered.begin(), offered.end(), v2_name) != offered.end())
            return from_v2(v2_.ref());
        const auto mount = host_.v1.find(v1_name);
        if (mount == host_.v1.end()) return;
        const auto opened = open_group(mount->second, group_.placement().in(mount->second));
        if (opened) from_v1(opened.value().ref());
    }
    /// Every v2 group counts its time, with or without the controller.
    [[nodiscard]] FdRef v2() const noexcept { return v2_; }

  private:
    const Host& host_;
    const Group& group_;
    UniqueFd v2_;
};

}  // namespace

std::uint64_t number_in(FdRef group, std::string_view file, std::uint64_t otherwise) {
    const auto text = read_control(group, file);
    return text ? parse_u64(trim(*text)).value_or(otherwise) : otherwise;
}

std::vector<std::uint16_t> cpu_list(std::string_view text) {
    std::vector<std::uint16_t> numbers;
    for (const auto part : split(trim(text), ',')) {
        const auto dash = part.find('-');
        const auto first = parse_u32(part.substr(0, dash));
        const auto last = dash == part.npos ? first : parse_u32(part.substr(dash + 1));
        if (!first || !last || *last > 0xffff) continue;
        for (auto number = *first; number <= *last; ++number)
            numbers.push_back(static_cast<std::uint16_t>(number));
    }
    return numbers;
}

std::map<std::string, std::uint64_t> keyed_numbers(std::string_view text) {
    std::map<std::string, std::uint64_t> numbers;
    for (const auto line : split(text, '\n')) {
        const auto space = line.find(' ');
        if (space == line.npos) continue;
        if (const auto value = parse_u64(trim(line.substr(space + 1))))
            numbers.emplace(line.substr(0, space), *value);
    }
    return numbers;
}

std::vector<std::string> hugepage_sizes(FdRef group, std::string_view suffix) {
    constexpr std::string_view kPrefix = "hugetlb.";
    std::vector<std::string> sizes;
    const auto readable = sys::open_at(group, ".", O_RDONLY | O_DIRECTORY);
    if (!readable) return sizes;
    for (const auto& name : sys::list_dir(readable.value()).value_or({})) {
        if (!name.starts_with(kPrefix) || !name.ends_with(suffix)) continue;
        auto size = name.substr(kPrefix.size(), name.size() - kPrefix.size() - suffix.size());
        if (size.find('.') == size.npos) sizes.push_back(std::move(size));  // not "2MB.rsvd"
    }
    return sizes;
}

Usage read_usage(const Host& host, const Group& group) {
    Usage usage;
    const UsageReader reader{host, group};
    const auto pids = [&](FdRef dir) {
        usage.pids = number_in(dir, "pids.current");
        usage.pids_limit = number_in(dir, "pids.max");
    };
    reader.read("pids", "pids", pids, pids);
    reader.read(
        "cpu", "cpu", [](FdRef) {}, [&](FdRef dir) { read_cpu_v1(dir, usage.cpu); });
    if (host.v1.contains("cpuacct"))
        reader.read(
            "", "cpuacct", [](FdRef) {}, [&](FdRef dir) { read_cpuacct_v1(dir, usage.cpu); });
    if (usage.cpu.total == 0 && reader.v2().valid()) read_cpu_v2(reader.v2(), usage.cpu);
    reader.read(
        "cpuset", "cpuset", [&](FdRef dir) { read_cpuset_v2(dir, usage.cpuset); },
        [&](FdRef dir) { read_cpuset_v1(dir, usage.cpuset); });
    reader.read(
        "memory", "memory", [&](FdRef dir) { read_memory_v2(dir, usage.memory); },
        [&](FdRef dir) { read_memory_v1(dir, usage.memory); });
    reader.read(
        "io", "blkio", [&](FdRef dir) { read_block_io_v2(dir, usage.block_io); },
        [&](FdRef dir) { read_block_io_v1(dir, usage.block_io); });
    reader.read(
        "hugetlb", "hugetlb", [&](FdRef dir) { read_hugepages_v2(dir, usage.hugepages); },
        [&](FdRef dir) { read_hugepages_v1(dir, usage.hugepages); });
    return usage;
}

}  // namespace covey::cgroup
