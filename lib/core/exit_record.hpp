// How a container, an exec or pause ended: a death certificate. Made by the shim, kept in records,
// told in events. Thread rule: a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace covey::core {

/// How a process ended, as far as the kernel and we know.
struct ExitRecord {
    int exit_code = 0;  // 128 + signal when killed by one
    int signal = 0;
    bool oom_killed = false;
    std::int64_t exited_at = 0;
    std::string reason;  // empty, or why there is no true status ("shim died")
    /// Of the signal. The kernel tells a parent the signal, not its sender: known is only what the
    /// shim sent itself, and what the kernel counts as killed for want of memory.
    enum class Sender { unknown, covey, kernel } sent_by = Sender::unknown;
};
[[nodiscard]] std::string_view sender_name(ExitRecord::Sender sender) noexcept;
[[nodiscard]] ExitRecord::Sender exit_sender(std::string_view name) noexcept;

}  // namespace covey::core
