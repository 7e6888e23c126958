// The kernel's and OCI's names, each list once: namespaces, capabilities, rlimits, signals, modes.
// Every lookup of an unknown name can offer the nearest one. Thread rule: constant data.
#pragma once

#include "spec/linux_types.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey::spec {

struct NamespaceInfo {
    NamespaceType type;
    std::string_view oci_name;   // "network"
    std::string_view proc_name;  // "net", below /proc/<pid>/ns
    std::uint64_t clone_flag;    // CLONE_NEWNET
};
[[nodiscard]] std::span<const NamespaceInfo> namespace_table() noexcept;
[[nodiscard]] const NamespaceInfo& info(NamespaceType type) noexcept;
[[nodiscard]] const NamespaceInfo* find_namespace(std::string_view oci_name) noexcept;

/// "CAP_SYS_PTRACE", "SYS_PTRACE" or "sys_ptrace" → its number.
[[nodiscard]] std::optional<int> capability_number(std::string_view name) noexcept;
/// "CAP_SYS_PTRACE"; "CAP_63" for a number without a name.
[[nodiscard]] std::string capability_name(int number);
[[nodiscard]] std::span<const std::string_view> capability_names() noexcept;
/// Names of the set bits, lowest first.
[[nodiscard]] std::vector<std::string> capability_names_of(std::uint64_t mask);
/// What engines give a container by default (Docker's and Podman's 11 to 14; here Podman's 11).
[[nodiscard]] std::uint64_t default_capabilities() noexcept;

[[nodiscard]] std::optional<int> rlimit_number(std::string_view name) noexcept;  // "RLIMIT_NOFILE"
[[nodiscard]] std::string_view rlimit_name(int number) noexcept;
[[nodiscard]] std::span<const std::string_view> rlimit_names() noexcept;

/// "HUP", "SIGHUP", "hup", "1", "RTMIN+3" → 1…64.
[[nodiscard]] std::optional<int> signal_number(std::string_view name) noexcept;
[[nodiscard]] std::string signal_name(int number);  // "SIGHUP"
/// signal(7): the default action ends the process, with or without a core dump.
[[nodiscard]] bool ends_by_default(int number) noexcept;
[[nodiscard]] std::span<const std::string_view> signal_names() noexcept;

/// A name of the kernel's headers and its number.
struct NamedNumber {
    std::string_view name;
    int value;
};
/// set_mempolicy(2): MPOL_DEFAULT … and MPOL_F_STATIC_NODES …
[[nodiscard]] std::span<const NamedNumber> memory_policy_modes() noexcept;
[[nodiscard]] std::span<const NamedNumber> memory_policy_flags() noexcept;

/// Where a container's processes live.
enum class PidMode { pod, nested, container, target, node };
[[nodiscard]] std::optional<PidMode> pid_mode(std::string_view name) noexcept;
[[nodiscard]] std::string_view pid_mode_name(PidMode mode) noexcept;
inline constexpr std::array<std::string_view, 5> kPidModeNames{"pod", "nested", "container",
                                                               "target", "node"};

/// What becomes of a signal that a process of a container in the pod's PID namespace sends to
/// number 1, which is pause there: it is dropped, or reaches its own container's main process.
enum class Pid1Signals { ignore, route };
inline constexpr std::array<std::string_view, 2> kPid1SignalsNames{"ignore", "route"};
[[nodiscard]] std::optional<Pid1Signals> pid1_signals(std::string_view name) noexcept;
[[nodiscard]] std::string_view pid1_signals_name(Pid1Signals choice) noexcept;

}  // namespace covey::spec
