// What a filter has to know of single system calls: which arguments the kernel cuts to 32 bits, and
// which calls have a second door on 32-bit machines. Internal to lib/plan. Thread rule: constant
// data.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace covey::plan {

/// The kernel looks at the low 32 bits of this argument only. A 64-bit comparison with it can be
/// defeated: socket(AF_ALG | 1 << 32) passes an EQ rule against AF_ALG, and is AF_ALG to the
/// kernel.
[[nodiscard]] bool is_32_bit_argument(std::string_view syscall, unsigned index) noexcept;

/// The number that socketcall(2) or ipc(2) has for a call; nothing for any other call.
[[nodiscard]] std::optional<std::uint32_t> socketcall_number(std::string_view syscall) noexcept;
[[nodiscard]] std::optional<std::uint32_t> ipc_number(std::string_view syscall) noexcept;

}  // namespace covey::plan
