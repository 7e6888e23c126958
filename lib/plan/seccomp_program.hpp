// Tables of rules → classic BPF: a tree over the call's number, then the rules of that call.
// Written here because libseccomp's own generator loses rules that contradict each other, and lets
// a rule without arguments win over a stricter one with them. Internal to lib/plan. Thread rule:
// pure functions. Do not block.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include <linux/filter.h>

namespace covey::plan {

enum class Comparison { equal, unequal, less, less_equal, greater, greater_equal, masked_equal };

struct Condition {
    unsigned index = 0;  // of the argument, 0…5
    Comparison comparison = Comparison::equal;
    std::uint64_t value = 0;
    std::uint64_t mask = ~std::uint64_t{0};  // masked_equal: compares (argument & mask) with value
    bool low_half = false;                   // the high 32 bits do not count
};

/// `action` (SECCOMP_RET_* with data) when all conditions hold.
struct CallRule {
    std::uint32_t action = 0;
    std::vector<Condition> conditions;
};

/// The calls of one architecture as the kernel names it (AUDIT_ARCH_*).
struct CallTable {
    std::uint32_t architecture = 0;
    /// Number → rules. Of those that match the strictest one counts, as between two filters in the
    /// kernel: KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, TRACE, LOG, ALLOW. None: the default.
    std::map<std::uint32_t, std::vector<CallRule>> calls;
    /// From a number on, every call that is not in `calls` has this action instead of the default.
    std::map<std::uint32_t, std::uint32_t> beyond;
};

/// A call of an architecture that is in no table kills the process.
[[nodiscard]] std::vector<sock_filter> assemble(std::span<const CallTable> tables,
                                                std::uint32_t default_action);

/// Lower is stricter.
[[nodiscard]] std::int32_t strictness(std::uint32_t action) noexcept;

}  // namespace covey::plan
