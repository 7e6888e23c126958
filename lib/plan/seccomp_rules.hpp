// OCI's comparisons of system call arguments as libseccomp's, made safe for arguments of 32 bits.
// Internal to lib/plan. Thread rule: pure functions.
#pragma once

#include "spec/linux_types.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <seccomp.h>

namespace covey::plan {

/// Comparisons that must all hold.
using Conjunction = std::vector<scmp_arg_cmp>;

/// The kernel looks at the low 32 bits of this argument only. A 64-bit comparison with it can be
/// defeated: socket(AF_ALG | 1 << 32) passes an EQ rule against AF_ALG, and is AF_ALG to the
/// kernel.
[[nodiscard]] bool is_32_bit_argument(std::string_view syscall, unsigned index) noexcept;

/// The rule's arguments as alternatives: it matches when one of them does. All arguments must
/// match, but an index that occurs twice makes each argument an alternative of its own (runc's
/// reading). No arguments: one empty conjunction. Throws SeccompProblem.
[[nodiscard]] std::vector<Conjunction> alternatives(const spec::SeccompSyscall& rule,
                                                    std::string_view syscall,
                                                    const std::string& pointer);

/// The number that socketcall(2) has for a socket system call, 0 for any other. On 32-bit x86 (and
/// s390, and 32-bit PowerPC) it is a second door to them, with arguments that a filter cannot see.
[[nodiscard]] unsigned socketcall_number(std::string_view syscall) noexcept;

}  // namespace covey::plan
