// How a process is scheduled and what it takes the machine for: scheduler, I/O priority, CPUs of an
// exec, memory policy, personality. Names → the kernel's numbers.
#include "base/text.hpp"
#include "plan/sections.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <sys/personality.h>

namespace covey::plan {
namespace {

struct FlagName {
    std::string_view name;
    std::uint32_t value;
};

// sched(7) and linux/sched.h; glibc's <sched.h> has only some of them. lib/spec has checked the
// names.
constexpr std::uint32_t kDeadline = 6;
constexpr std::uint64_t kResetOnFork = 0x01;
constexpr std::array<FlagName, 7> kPolicies{{{"SCHED_OTHER", 0},
                                             {"SCHED_FIFO", 1},
                                             {"SCHED_RR", 2},
                                             {"SCHED_BATCH", 3},
                                             {"SCHED_ISO", 4},
                                             {"SCHED_IDLE", 5},
                                             {"SCHED_DEADLINE", kDeadline}}};
constexpr std::array<FlagName, 7> kSchedulingFlags{{{"SCHED_FLAG_RESET_ON_FORK", kResetOnFork},
                                                    {"SCHED_FLAG_RECLAIM", 0x02},
                                                    {"SCHED_FLAG_DL_OVERRUN", 0x04},
                                                    {"SCHED_FLAG_KEEP_POLICY", 0x08},
                                                    {"SCHED_FLAG_KEEP_PARAMS", 0x10},
                                                    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
                                                    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}}};
// ioprio_set(2); the class is above 13 bits of data.
constexpr unsigned kClassShift = 13;
constexpr std::array<FlagName, 3> kIoClasses{
    {{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}}};

template <std::size_t N>
std::uint32_t value_of(const std::array<FlagName, N>& names, std::string_view name) {
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const auto& known) { return known.name == name; });
    return found == names.end() ? 0 : found->value;
}

SchedulerPlan scheduler(const spec::Scheduler& from) {
    SchedulerPlan plan;
    plan.policy = value_of(kPolicies, from.policy);
    for (const auto& flag : from.flags)
        plan.flags |= value_of(kSchedulingFlags, flag);
    plan.nice = from.nice;
    plan.priority = static_cast<std::uint32_t>(from.priority);
    plan.runtime = from.runtime;
    plan.deadline = from.deadline;
    plan.period = from.period;
    plan.is_inherited = plan.policy != kDeadline && (plan.flags & kResetOnFork) == 0;
    return plan;
}

/// Of CPUs or memory nodes: "0-3,7" and the kernel's "0-15:2/4": of each four the first two.
/// lib/spec has checked the form.
std::vector<unsigned> numbers_of(Sections& s, const std::string& list, const char* pointer) {
    constexpr unsigned kMost = 65536;  // more than any kernel's NR_CPUS; a typing error is larger
    std::vector<unsigned> numbers;
    if (list.empty()) return numbers;
    for (const auto part : split(list, ',')) {
        const auto colon = split(trim(part), ':');
        const auto ends = split(colon.front(), '-');
        const auto first = parse_u32(ends.front()).value_or(0);
        const auto last = parse_u32(ends.back()).value_or(0);
        unsigned used = 1;
        unsigned group = 1;
        if (colon.size() == 2) {
            const auto stride = split(colon.back(), '/');
            used = parse_u32(stride.front()).value_or(1);
            group = parse_u32(stride.back()).value_or(1);
        }
        if (last >= kMost) {
            s.problem(pointer, "has a number above 65535");
            return {};
        }
        for (unsigned cpu = first; cpu <= last; ++cpu)
            if ((cpu - first) % group < used) numbers.push_back(cpu);
    }
    return numbers;
}

int value_of(std::span<const spec::NamedNumber> names, std::string_view name) {
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const auto& known) { return known.name == name; });
    return found == names.end() ? 0 : found->value;
}

MemoryPolicyPlan memory_policy(Sections& s, const spec::MemoryPolicy& from) {
    MemoryPolicyPlan plan;
    plan.mode = value_of(spec::memory_policy_modes(), from.mode);
    for (const auto& flag : from.flags)
        plan.mode |= value_of(spec::memory_policy_flags(), flag);
    plan.nodes = numbers_of(s, from.nodes, "/linux/memoryPolicy/nodes");
    plan.text =
        fmt::format("{}{}{}", from.mode, from.nodes.empty() ? "" : " on nodes ", from.nodes);
    return plan;
}

}  // namespace

void compile_scheduling(Sections& s, const spec::Process& from) {
    auto& process = s.plan.process;
    if (from.scheduler) {
        process.scheduler = scheduler(*from.scheduler);
        // Who shares a PID namespace is born without privilege; its parent would have to set it.
        if (!process.scheduler->is_inherited && s.plan.pid_mode != spec::PidMode::container &&
            s.plan.pid_mode != spec::PidMode::nested)
            s.problem(
                "/process/scheduler",
                "SCHED_DEADLINE and SCHED_FLAG_RESET_ON_FORK are not inherited, so they need a "
                "new PID namespace; add {\"type\": \"pid\"} to linux.namespaces or use "
                "another policy");
    }
    if (from.io_priority)
        process.io_priority =
            static_cast<int>(value_of(kIoClasses, from.io_priority->io_class) << kClassShift) |
            from.io_priority->priority;
    if (from.exec_cpu_affinity) {
        process.initial_cpus =
            numbers_of(s, from.exec_cpu_affinity->initial, "/process/execCPUAffinity/initial");
        process.final_cpus =
            numbers_of(s, from.exec_cpu_affinity->final, "/process/execCPUAffinity/final");
    }
    if (s.spec.linux.memory_policy)
        process.memory_policy = memory_policy(s, *s.spec.linux.memory_policy);
    if (s.spec.linux.personality)
        process.personality =
            s.spec.linux.personality->domain == "LINUX32" ? PER_LINUX32 : PER_LINUX;
}

}  // namespace covey::plan
