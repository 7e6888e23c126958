// Inside lib/cgroup and its tests only: the readers of usage.hpp, one for each controller and
// version, and what they share. Thread rule: safe from any thread. Do not block.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/usage.hpp"

namespace covey::cgroup {

/// A file with one number; "max" and what is not there give `otherwise`.
[[nodiscard]] std::uint64_t number_in(FdRef group, std::string_view file,
                                      std::uint64_t otherwise = 0);
/// "0-2,5" → 0 1 2 5.
[[nodiscard]] std::vector<std::uint16_t> cpu_list(std::string_view text);
/// A flat keyed file as a map.
[[nodiscard]] std::map<std::string, std::uint64_t> keyed_numbers(std::string_view text);
/// Page sizes with a file "hugetlb.<size><suffix>".
[[nodiscard]] std::vector<std::string> hugepage_sizes(FdRef group, std::string_view suffix);

void read_cpu_v1(FdRef cpu, CpuUsage& usage);
void read_cpuacct_v1(FdRef cpuacct, CpuUsage& usage);
void read_cpuset_v1(FdRef group, CpusetUsage& usage);
void read_memory_v1(FdRef group, MemoryUsage& usage);
void read_block_io_v1(FdRef group, BlockIoUsage& usage);
void read_hugepages_v1(FdRef group, std::map<std::string, HugepageUsage>& usage);

void read_cpu_v2(FdRef group, CpuUsage& usage);
void read_cpuset_v2(FdRef group, CpusetUsage& usage);
void read_memory_v2(FdRef group, MemoryUsage& usage);
void read_block_io_v2(FdRef group, BlockIoUsage& usage);
void read_hugepages_v2(FdRef group, std::map<std::string, HugepageUsage>& usage);

}  // namespace covey::cgroup
