#include "plan/seccomp_filter.hpp"

#include "plan/seccomp_program.hpp"
#include "plan/seccomp_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

namespace covey::plan {
namespace {

static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));

constexpr std::uint64_t kLow = 0xffff'ffff;
constexpr std::uint32_t kX32Bit = 0x4000'0000;
/// No architecture had a call with a larger number than this in its own range.
constexpr int kLargestNumber = 1024;

struct ArchitectureName {
    std::string_view oci;
    std::uint32_t token;
};
constexpr std::array<ArchitectureName, 19> kArchitectures{{
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
}};

/// To the kernel x32 is x86-64 with a bit in the number.
std::uint32_t kernel_token(std::uint32_t token) {
    return token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token;
}

bool denies(std::uint32_t action) {
    return strictness(action) < strictness(SECCOMP_RET_LOG);
}

Comparison comparison(const spec::SeccompArg& arg, const std::string& pointer) {
    struct Name {
        std::string_view name;
        Comparison value;
    };
    static constexpr std::array<Name, 7> kNames{{{"SCMP_CMP_NE", Comparison::unequal},
                                                 {"SCMP_CMP_LT", Comparison::less},
                                                 {"SCMP_CMP_LE", Comparison::less_equal},
                                                 {"SCMP_CMP_EQ", Comparison::equal},
                                                 {"SCMP_CMP_GE", Comparison::greater_equal},
                                                 {"SCMP_CMP_GT", Comparison::greater},
                                                 {"SCMP_CMP_MASKED_EQ", Comparison::masked_equal}}};
    for (const auto& known : kNames)
        if (known.name == arg.op) return known.value;
    throw SeccompProblem(pointer + "/op", fmt::format("unknown comparison '{}'", arg.op));
}

/// The value is meant for a 32-bit argument: it fits, or it is a negative int, sign-extended.
bool fits_low_half(std::uint64_t value) {
    return value <= kLow || (value >> 31U) == (kLow << 1U | 1U);
}

Condition condition(const spec::SeccompArg& arg, std::string_view syscall,
                    const std::string& pointer) {
    if (arg.index > 5)
        throw SeccompProblem(pointer + "/index", "a system call has arguments 0 to 5");
    Condition result{arg.index, comparison(arg, pointer), arg.value};
    if (result.comparison == Comparison::masked_equal) {  // OCI: value is the mask
        result.mask = arg.value;
        result.value = arg.value_two;
    }
    result.low_half = is_32_bit_argument(syscall, arg.index) && fits_low_half(result.value);
    return result;
}

/// The rule's arguments as alternatives. All of them must match, but an index that occurs twice
/// makes each argument an alternative of its own: libseccomp, whose words these are, takes an index
/// once a rule, and runc reads the profiles of all engines so.
std::vector<std::vector<Condition>> alternatives(const spec::SeccompSyscall& rule,
                                                 std::string_view syscall,
                                                 const std::string& pointer) {
    std::vector<Condition> all;
    std::set<unsigned> indexes;
    for (std::size_t i = 0; i < rule.args.size(); ++i) {
        all.push_back(condition(rule.args[i], syscall, fmt::format("{}/args/{}", pointer, i)));
        indexes.insert(all.back().index);
    }
    if (indexes.size() == all.size()) return {std::move(all)};
    std::vector<std::vector<Condition>> result;
    for (const auto& one : all)
        result.push_back({one});
    return result;
}

class Compiler {
  public:
    explicit Compiler(const spec::Seccomp& profile) : profile_(profile) {}

    CompiledSeccomp run() {
        default_ =
            seccomp_action(profile_.default_action, profile_.default_errno_ret, "/defaultAction");
        add_architectures();
        for (std::size_t i = 0; i < profile_.syscalls.size(); ++i)
            add_rule(profile_.syscalls[i], fmt::format("/syscalls/{}", i));
        for (auto& table : tables_)
            close(table);
        CompiledSeccomp result{words(assemble(tables_, default_)), {}};
        if (!unknown_.empty())
            result.warnings.push_back(fmt::format(
                "seccomp: unknown system calls, without effect: {}", fmt::join(unknown_, ", ")));
        return result;
    }

  private:
    /// A name's numbers on one architecture: the direct one, and the one in a multiplexing call.
    struct Numbers {
        std::optional<std::uint32_t> direct, multiplexer, inner;
    };

    void add_architectures() {
        add_architecture(seccomp_arch_native());
        for (std::size_t i = 0; i < profile_.architectures.size(); ++i) {
            const auto& name = profile_.architectures[i];
            const auto pointer = fmt::format("/architectures/{}", i);
            const auto* known = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                             [&](const auto& entry) { return entry.oci == name; });
            if (known == kArchitectures.end())
                throw SeccompProblem(pointer, fmt::format("'{}' is unknown to libseccomp", name));
            // The halves of an argument stand in the host's byte order.
            if (((known->token ^ seccomp_arch_native()) & __AUDIT_ARCH_LE) != 0)
                throw SeccompProblem(
                    pointer, fmt::format("'{}' has another byte order than this host", name));
            add_architecture(known->token);
        }
    }

    void add_architecture(std::uint32_t token) {
        tokens_.insert(token);
        if (std::none_of(tables_.begin(), tables_.end(), [&](const auto& table) {
                return table.architecture == kernel_token(token);
            }))
            tables_.push_back({kernel_token(token), {}, {}});
    }

    CallTable& table_of(std::uint32_t token) {
        return *std::find_if(tables_.begin(), tables_.end(), [&](const auto& table) {
            return table.architecture == kernel_token(token);
        });
    }

    void add_rule(const spec::SeccompSyscall& rule, const std::string& pointer) {
        const auto action = seccomp_action(rule.action, rule.errno_ret, pointer + "/action");
        for (const auto& name : rule.names) {
            if (seccomp_syscall_resolve_name(name.c_str()) == __NR_SCMP_ERROR) {
                unknown_.insert(name);
                continue;
            }
            const auto choices = alternatives(rule, name, pointer);
            for (const auto token : tokens_) {
                auto& calls = table_of(token).calls;
                const auto numbers = numbers_of(token, name);
                if (numbers.direct)
                    for (const auto& conditions : choices)
                        calls[*numbers.direct].push_back({action, conditions});
                if (!numbers.multiplexer) continue;
                // The arguments of a multiplexed call lie in memory where no filter sees them: what
                // is allowed for some of them is not allowed, what is denied for some is denied.
                if (rule.args.empty() || denies(action))
                    calls[*numbers.multiplexer].push_back({action, {inner_call(*numbers.inner)}});
            }
        }
    }

    /// ipc(2) keeps a version in the high half of its first argument.
    static Condition inner_call(std::uint32_t number) {
        return {0, Comparison::masked_equal, number, 0xffff, true};
    }

    Numbers numbers_of(std::uint32_t token, const std::string& name) {
        Numbers numbers;
        const int number = seccomp_syscall_resolve_name_arch(token, name.c_str());
        if (number >= 0) {
            numbers.direct = static_cast<std::uint32_t>(number);
            return numbers;
        }
        // Negative: the architecture lacks the call, or libseccomp's multiplexing hides its number.
        auto socket = socketcall_number(name);
        numbers.inner = socket ? socket : ipc_number(name);
        if (!numbers.inner) return numbers;
        const int outer = seccomp_syscall_resolve_name_arch(token, socket ? "socketcall" : "ipc");
        if (outer >= 0) numbers.multiplexer = static_cast<std::uint32_t>(outer);
        const auto& own = own_numbers(token);
        if (const auto found = own.find(name); found != own.end()) numbers.direct = found->second;
        return numbers;
    }

    /// Name → number, read from the numbers' side, where multiplexing hides nothing.
    const std::map<std::string, std::uint32_t>& own_numbers(std::uint32_t token) {
        auto& own = own_numbers_[token];
        if (own.empty()) read_names(token, own);
        return own;
    }

    static void read_names(std::uint32_t token, std::map<std::string, std::uint32_t>& own) {
        for (int number = 0; number < kLargestNumber; ++number) {
            const std::unique_ptr<char, decltype(&std::free)> name(
                seccomp_syscall_resolve_num_arch(token, number), &std::free);
            if (name) own.emplace(name.get(), static_cast<std::uint32_t>(number));
        }
    }

    /// Calls newer than the newest one of the profile answer ENOSYS, as in runc: libc then falls
    /// back to the older call, which EPERM would keep it from. A permissive default stays.
    void close(CallTable& table) const {
        const bool permissive = default_ == SECCOMP_RET_ALLOW || default_ == SECCOMP_RET_LOG;
        const auto newer = permissive ? default_ : SECCOMP_RET_ERRNO | ENOSYS;
        const bool x86_64 = table.architecture == SCMP_ARCH_X86_64;
        const auto after_last = [&](std::uint32_t below) -> std::optional<std::uint32_t> {
            const auto end = table.calls.lower_bound(below);
            if (end == table.calls.begin()) return std::nullopt;
            return std::prev(end)->first + 1;
        };
        if (const auto first = after_last(x86_64 ? kX32Bit : ~std::uint32_t{0}); first)
            table.beyond[*first] = newer;
        if (!x86_64) return;
        if (!tokens_.contains(SCMP_ARCH_X32)) {
            table.beyond[kX32Bit] = SECCOMP_RET_KILL_PROCESS;
        } else {
            table.beyond[kX32Bit] = default_;
            if (const auto first = after_last(~std::uint32_t{0}); first && *first > kX32Bit)
                table.beyond[*first] = newer;
        }
        // syscall(-1) is a call that does not exist, on x86-64 too.
        table.beyond[~std::uint32_t{0}] = newer;
    }

    static std::vector<std::uint64_t> words(const std::vector<sock_filter>& program) {
        if (program.size() > BPF_MAXINSNS)
            throw SeccompProblem("", fmt::format("compiles to {} instructions, the kernel takes {}",
                                                 program.size(), BPF_MAXINSNS));
        std::vector<std::uint64_t> result(program.size());
        std::memcpy(result.data(), program.data(), program.size() * sizeof(sock_filter));
        return result;
    }

    const spec::Seccomp& profile_;
    std::uint32_t default_ = 0;
    std::set<std::uint32_t> tokens_;
    std::vector<CallTable> tables_;  // the native one first
    std::map<std::uint32_t, std::map<std::string, std::uint32_t>> own_numbers_;
    std::set<std::string> unknown_;
};

}  // namespace

std::uint32_t seccomp_action(std::string_view name, std::optional<std::uint32_t> errno_ret,
                             const std::string& pointer) {
    const auto data = errno_ret.value_or(EPERM) & SECCOMP_RET_DATA;
    if (name == "SCMP_ACT_ALLOW") return SECCOMP_RET_ALLOW;
    if (name == "SCMP_ACT_ERRNO") return SECCOMP_RET_ERRNO | data;
    if (name == "SCMP_ACT_LOG") return SECCOMP_RET_LOG;
    if (name == "SCMP_ACT_TRAP") return SECCOMP_RET_TRAP;
    if (name == "SCMP_ACT_NOTIFY") return SECCOMP_RET_USER_NOTIF;
    if (name == "SCMP_ACT_TRACE") return SECCOMP_RET_TRACE | data;
    if (name == "SCMP_ACT_KILL_PROCESS") return SECCOMP_RET_KILL_PROCESS;
    if (name == "SCMP_ACT_KILL_THREAD" || name == "SCMP_ACT_KILL") return SECCOMP_RET_KILL_THREAD;
    throw SeccompProblem(pointer, fmt::format("action '{}' is not supported", name));
}

CompiledSeccomp compile_filter(const spec::Seccomp& profile) {
    return Compiler(profile).run();
}

std::uint32_t libseccomp_version() noexcept {
    const auto* version = seccomp_version();
    return version == nullptr ? 0 : version->major << 16U | version->minor << 8U | version->micro;
}

std::uint32_t native_architecture() noexcept {
    return seccomp_arch_native();
}

}  // namespace covey::plan
