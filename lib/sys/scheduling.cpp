#include "sys/scheduling.hpp"

#include "sys/last_errno.hpp"

#include <algorithm>
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
    constexpr unsigned kBits = sizeof(unsigned long) * CHAR_BIT;
    const unsigned last = cpus.empty() ? 0 : *std::max_element(cpus.begin(), cpus.end());
    std::vector<unsigned long> mask(last / kBits + 1);
    for (const unsigned cpu : cpus)
        mask[cpu / kBits] |= 1UL << (cpu % kBits);
    return checked(
        ::syscall(SYS_sched_setaffinity, 0, mask.size() * sizeof(unsigned long), mask.data()));
}

Result<void> set_personality(unsigned long persona) {
    return checked(::personality(persona));
}

}  // namespace covey::sys
