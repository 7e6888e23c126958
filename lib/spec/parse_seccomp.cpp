// config-linux.md, seccomp: names, arguments and what goes with which action. The texts stay as
// they are; lib/plan gives them libseccomp's numbers.
#include "base/json.hpp"
#include "base/text.hpp"
#include "spec/checks.hpp"
#include "spec/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace covey::spec {
namespace {

using namespace std::string_view_literals;

constexpr std::array kActions{
    "SCMP_ACT_KILL"sv,  "SCMP_ACT_KILL_PROCESS"sv, "SCMP_ACT_KILL_THREAD"sv,
    "SCMP_ACT_TRAP"sv,  "SCMP_ACT_ERRNO"sv,        "SCMP_ACT_TRACE"sv,
    "SCMP_ACT_ALLOW"sv, "SCMP_ACT_LOG"sv,          "SCMP_ACT_NOTIFY"sv};
constexpr std::array kOperators{"SCMP_CMP_NE"sv,       "SCMP_CMP_LT"sv, "SCMP_CMP_LE"sv,
                                "SCMP_CMP_EQ"sv,       "SCMP_CMP_GE"sv, "SCMP_CMP_GT"sv,
                                "SCMP_CMP_MASKED_EQ"sv};
constexpr std::array kFlags{"SECCOMP_FILTER_FLAG_TSYNC"sv, "SECCOMP_FILTER_FLAG_LOG"sv,
                            "SECCOMP_FILTER_FLAG_SPEC_ALLOW"sv,
                            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"sv};
// The specification's list and what newer libseccomp versions know besides.
constexpr std::array kArchitectures{
    "SCMP_ARCH_X86"sv,         "SCMP_ARCH_X86_64"sv,   "SCMP_ARCH_X32"sv,
    "SCMP_ARCH_ARM"sv,         "SCMP_ARCH_AARCH64"sv,  "SCMP_ARCH_LOONGARCH64"sv,
    "SCMP_ARCH_M68K"sv,        "SCMP_ARCH_MIPS"sv,     "SCMP_ARCH_MIPS64"sv,
    "SCMP_ARCH_MIPS64N32"sv,   "SCMP_ARCH_MIPSEL"sv,   "SCMP_ARCH_MIPSEL64"sv,
    "SCMP_ARCH_MIPSEL64N32"sv, "SCMP_ARCH_PPC"sv,      "SCMP_ARCH_PPC64"sv,
    "SCMP_ARCH_PPC64LE"sv,     "SCMP_ARCH_S390"sv,     "SCMP_ARCH_S390X"sv,
    "SCMP_ARCH_PARISC"sv,      "SCMP_ARCH_PARISC64"sv, "SCMP_ARCH_RISCV64"sv,
    "SCMP_ARCH_SH"sv,          "SCMP_ARCH_SHEB"sv};

// The kernel cuts a larger errno to this (MAX_ERRNO); a trace message has 16 bits.
constexpr std::uint32_t kLargestErrno = 4095, kLargestTraceMessage = 0xffff;
constexpr std::uint32_t kLargestArgument = 5;

void parse_known(ObjectReader& reader, std::string_view key, std::string_view what,
                 std::span<const std::string_view> known, std::vector<std::string>& out) {
    reader.texts(key, out, [&](const std::string& text, const Place& place) {
        if (std::find(known.begin(), known.end(), text) == known.end()) {
            reader.problems().add(place, fmt::format("unknown {} {}{}", what, quote(text),
                                                     did_you_mean(text, known)));
        }
    });
}

/// config-linux.md: an errno for an action that has none is an error.
void parse_errno(ObjectReader& reader, std::string_view key, const std::string& action,
                 std::optional<std::uint32_t>& out) {
    if (!reader.number(key, out) || action.empty()) return;
    const bool trace = action == "SCMP_ACT_TRACE";
    if (!trace && action != "SCMP_ACT_ERRNO") {
        reader.problem(key, fmt::format("does not go with {}, only with SCMP_ACT_ERRNO and "
                                        "SCMP_ACT_TRACE",
                                        action));
    } else if (*out > (trace ? kLargestTraceMessage : kLargestErrno)) {
        reader.problem(key, fmt::format("must be at most {}, not {}",
                                        trace ? kLargestTraceMessage : kLargestErrno, *out));
    }
}

void parse_argument(ObjectReader& reader, SeccompArg& argument) {
    reader.number("index", argument.index, Need::required, 0U, kLargestArgument);
    reader.number("value", argument.value, Need::required);
    reader.number("valueTwo", argument.value_two);
    reader.one_of("op", argument.op, kOperators, "seccomp operator", Need::required);
}

void parse_syscall(ObjectReader& reader, SeccompSyscall& syscall) {
    reader.texts("names", syscall.names, [&](const std::string& name, const Place& place) {
        if (name.empty() || has_control(name)) {
            reader.problems().add(place,
                                  fmt::format("{} is not the name of a system call", quote(name)));
        }
    });
    if (reader.find("names", Need::required) != nullptr && syscall.names.empty() &&
        reader.problems().clean(reader.at("names").pointer())) {
        reader.problem("names", "must have at least one entry");
    }
    reader.one_of("action", syscall.action, kActions, "seccomp action", Need::required);
    parse_errno(reader, "errnoRet", syscall.action, syscall.errno_ret);
    read_list(reader, "args", syscall.args, parse_argument);
}

/// The agent's socket: needed by SCMP_ACT_NOTIFY, and the only reader of the metadata.
void check_listener(ObjectReader& reader, const Seccomp& seccomp) {
    const bool notifies =
        seccomp.default_action == "SCMP_ACT_NOTIFY" ||
        std::any_of(seccomp.syscalls.begin(), seccomp.syscalls.end(),
                    [](const SeccompSyscall& rule) { return rule.action == "SCMP_ACT_NOTIFY"; });
    if (notifies && seccomp.listener_path.empty()) {
        reader.problem("listenerPath", "is missing: SCMP_ACT_NOTIFY needs the socket of its agent");
    } else if (notifies && !is_absolute(seccomp.listener_path)) {
        reader.problem("listenerPath", fmt::format("must be an absolute path, not {}",
                                                   quote(seccomp.listener_path)));
    }
    if (!seccomp.listener_metadata.empty() && seccomp.listener_path.empty()) {
        reader.problem("listenerMetadata", "must not be set without listenerPath");
    }
}

}  // namespace

void parse_seccomp(ObjectReader& reader, Seccomp& seccomp) {
    reader.one_of("defaultAction", seccomp.default_action, kActions, "seccomp action",
                  Need::required);
    parse_errno(reader, "defaultErrnoRet", seccomp.default_action, seccomp.default_errno_ret);
    parse_known(reader, "architectures", "seccomp architecture", kArchitectures,
                seccomp.architectures);
    parse_known(reader, "flags", "seccomp flag", kFlags, seccomp.flags);
    reader.text("listenerPath", seccomp.listener_path);  // ignored without SCMP_ACT_NOTIFY
    reader.text("listenerMetadata", seccomp.listener_metadata);
    read_list(reader, "syscalls", seccomp.syscalls, parse_syscall);
    if (reader.problems().clean(reader.at("listenerPath").pointer())) {
        check_listener(reader, seccomp);
    }
}

}  // namespace covey::spec
