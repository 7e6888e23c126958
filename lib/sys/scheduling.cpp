#include "sys/scheduling.hpp"

#include "sys/last_errno.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <vector>

#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace covey::sys {
namespace {

/// struct sched_attr of linux/sched/types.h, which clashes with glibc's <sched.h>. The first
/// version's 48 bytes: the kernel takes any of its sizes.
struct Attributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
};
static_assert(sizeof(Attributes) == 48);

constexpr unsigned kBits = sizeof(unsigned long) * CHAR_BIT;

std::vector<unsigned long> mask_of(std::span<const unsigned> numbers) {
    const unsigned last = numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
    std::vector<unsigned long> mask(last / kBits + 1);
    for (const unsigned number : numbers)
        mask[number / kBits] |= 1UL << (number % kBits);
    return mask;
}

}  // namespace

Result<void> set_scheduling(const Scheduling& wanted) {
    Attributes attributes{sizeof(Attributes), wanted.policy,  wanted.flags,    wanted.nice,
                          wanted.priority,    wanted.runtime, wanted.deadline, wanted.period};
    return checked(::syscall(SYS_sched_setattr, 0, &attributes, 0));
}

Result<void> set_io_priority(int value) {
    constexpr int kProcess = 1;  // IOPRIO_WHO_PROCESS
    return checked(::syscall(SYS_ioprio_set, kProcess, 0, value));
}

Result<void> set_cpu_affinity(std::span<const unsigned> cpus) {
    const auto mask = mask_of(cpus);
    return checked(
        ::syscall(SYS_sched_setaffinity, 0, mask.size() * sizeof(unsigned long), mask.data()));
}

Result<void> set_cpu_affinity_to_all() {
    // More than any kernel's NR_CPUS; what is longer than the kernel's mask it does not read.
    constexpr std::size_t kMost = 65'536;
    std::array<unsigned long, kMost / kBits> mask{};
    mask.fill(~0UL);
    return checked(::syscall(SYS_sched_setaffinity, 0, sizeof mask, mask.data()));
}

Result<void> set_memory_policy(int mode, std::span<const unsigned> nodes) {
    const auto mask = mask_of(nodes);
    // get_nodes() in the kernel's mm/mempolicy.c takes one off.
    const auto bits = nodes.empty() ? 0 : mask.size() * kBits + 1;
    return checked(::syscall(SYS_set_mempolicy, mode, nodes.empty() ? nullptr : mask.data(), bits));
}

Result<void> set_personality(unsigned long persona) {
    return checked(::personality(persona));
}

}  // namespace covey::sys
