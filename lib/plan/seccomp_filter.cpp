#include "plan/seccomp_filter.hpp"

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "plan/seccomp_rules.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>

namespace covey::plan {
namespace {

static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));

struct Release {
    void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

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

/// Those on which socketcall(2) exists.
bool has_socketcall(std::uint32_t token) {
    return token == SCMP_ARCH_X86 || token == SCMP_ARCH_S390 || token == SCMP_ARCH_PPC;
}

void check(int result, std::string_view operation, std::string_view object = {}) {
    if (result < 0) throw Error::from_errno(-result, operation, object);
}

class Compiler {
  public:
    explicit Compiler(const spec::Seccomp& profile) : profile_(profile) {}

    CompiledSeccomp run() {
        choose_stand_in();
        context_.reset(seccomp_init(stand_in_));
        if (!context_) throw Error(Code::internal, "libseccomp: cannot make a filter");
        add_architectures();
        set_attributes();
        for (std::size_t i = 0; i < profile_.syscalls.size(); ++i)
            guard_socketcall(profile_.syscalls[i], i);
        for (std::size_t i = 0; i < profile_.syscalls.size(); ++i)
            add_rule(profile_.syscalls[i], i);
        report();
        return {finish(), std::move(warnings_)};
    }

  private:
    [[nodiscard]] std::uint32_t action_of(std::size_t index) const {
        const auto& rule = profile_.syscalls[index];
        return seccomp_action(rule.action, rule.errno_ret, fmt::format("/syscalls/{}", index));
    }

    /// libseccomp refuses rules whose action is the default one, although they count where another
    /// rule would allow the call (its own socketcall rules do). So it is given a default that no
    /// rule has, which finish() replaces in the program.
    void choose_stand_in() {
        default_ = seccomp_action(profile_.default_action, profile_.default_errno_ret, "/default");
        std::set<std::uint32_t> used{default_};
        for (std::size_t i = 0; i < profile_.syscalls.size(); ++i)
            used.insert(action_of(i));
        stand_in_ = SCMP_ACT_TRACE(0xffff);
        while (used.contains(stand_in_))
            --stand_in_;
    }

    void add_architectures() {
        architectures_.insert(seccomp_arch_native());
        for (std::size_t i = 0; i < profile_.architectures.size(); ++i) {
            const auto& name = profile_.architectures[i];
            const auto* known = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                             [&](const auto& entry) { return entry.oci == name; });
            if (known == kArchitectures.end())
                throw SeccompProblem(fmt::format("/architectures/{}", i),
                                     fmt::format("'{}' is unknown to libseccomp", name));
            // A filter has one byte order: profiles of engines name the machine's own only.
            const int added = seccomp_arch_add(context_.get(), known->token);
            if (added == -EDOM)
                throw SeccompProblem(
                    fmt::format("/architectures/{}", i),
                    fmt::format("'{}' has another byte order than this host", name));
            if (added != -EEXIST) check(added, "libseccomp: add architecture", name);
            architectures_.insert(known->token);
        }
    }

    void set_attributes() {
        auto* context = context_.get();
        // Killing a thread alone leaves the rest of a foreign program running in an unknown state.
        check(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
              "libseccomp: set attribute");
        // A binary tree instead of a list: Docker's profile costs 8 comparisons a call, not 350.
        if (profile_.syscalls.size() > 4 || name_count() > 16)
            check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2),
                  "libseccomp: set attribute");
    }

    [[nodiscard]] std::size_t name_count() const {
        std::size_t count = 0;
        for (const auto& rule : profile_.syscalls)
            count += rule.names.size();
        return count;
    }

    /// A rule that denies a socket call by its arguments would leave socketcall(2) open, where the
    /// arguments lie in memory: there the whole call is denied. First, as the first of two equal
    /// rules counts.
    void guard_socketcall(const spec::SeccompSyscall& rule, std::size_t index) {
        const auto action = action_of(index);
        const bool relevant =
            std::any_of(architectures_.begin(), architectures_.end(), has_socketcall);
        if (!relevant || rule.args.empty() || action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG)
            return;
        for (const auto& name : rule.names)
            if (const unsigned number = socketcall_number(name); number != 0)
                add("socketcall", seccomp_syscall_resolve_name("socketcall"), action,
                    {{0, SCMP_CMP_EQ, number, 0}});
    }

    void add_rule(const spec::SeccompSyscall& rule, std::size_t index) {
        const auto action = action_of(index);
        for (const auto& name : rule.names) {
            const int number = seccomp_syscall_resolve_name(name.c_str());
            if (number == __NR_SCMP_ERROR) {
                unknown_.insert(name);
                continue;
            }
            (rule.args.empty() ? unconditional_ : conditional_)[name].insert(action);
            for (const auto& conditions :
                 alternatives(rule, name, fmt::format("/syscalls/{}", index)))
                add(name, number, action, conditions);
            remember_last(name);
        }
    }

    void add(const std::string& name, int number, std::uint32_t action,
             const Conjunction& conditions) {
        const int added =
            seccomp_rule_add_array(context_.get(), action, number,
                                   static_cast<unsigned>(conditions.size()), conditions.data());
        // -EEXIST: the same call and arguments were there before. The first one counts, as in runc.
        if (added != -EEXIST) check(added, "libseccomp: add rule", name);
    }

    void remember_last(const std::string& name) {
        for (const auto token : architectures_) {
            const int number = seccomp_syscall_resolve_name_arch(token, name.c_str());
            auto& last = last_[token];
            last = std::max(last, number);
        }
    }

    void report() {
        const auto listed = [](const std::set<std::string>& names) {
            return fmt::format("{}", fmt::join(names, ", "));
        };
        if (!unknown_.empty())
            warnings_.push_back(
                fmt::format("seccomp: unknown system calls, without effect: {}", listed(unknown_)));
        std::set<std::string> contradicting, shadowed;
        for (const auto& [name, actions] : unconditional_) {
            if (actions.size() > 1) contradicting.insert(name);
            const auto found = conditional_.find(name);
            if (found != conditional_.end() && found->second != actions) shadowed.insert(name);
        }
        if (!contradicting.empty())
            warnings_.push_back(fmt::format(
                "seccomp: contradicting rules, the first one counts: {}", listed(contradicting)));
        if (!shadowed.empty())
            warnings_.push_back(
                fmt::format("seccomp: rules with arguments are without effect beside "
                            "one without: {}",
                            listed(shadowed)));
    }

    [[nodiscard]] std::vector<sock_filter> exported() const {
        const UniqueFd file(memfd_create("seccomp", MFD_CLOEXEC));
        if (!file) throw Error::from_errno(errno, "memfd_create", "seccomp");
        check(seccomp_export_bpf(context_.get(), file.get()), "libseccomp: export filter");
        if (lseek(file.get(), 0, SEEK_SET) != 0) throw Error::from_errno(errno, "lseek", "seccomp");
        const auto bytes = sys::read_all(file, 1U << 20U).or_throw("read", "seccomp filter");
        std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
        std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
        return program;
    }

    /// Calls newer than the newest one of the profile answer ENOSYS, as in runc: libc then falls
    /// back to the older call, which EPERM would keep it from.
    [[nodiscard]] std::vector<sock_filter> newer_calls() const {
        std::vector<sock_filter> program;
        if (default_ == SCMP_ACT_ALLOW || default_ == SCMP_ACT_LOG ||
            default_ == SCMP_ACT_ERRNO(ENOSYS))
            return program;
        constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
        for (const auto& [token, last] : last_) {
            // x32 shares x86-64's token in the kernel and sets bit 30 in its numbers.
            if (last <= 0 || token == SCMP_ARCH_X32) continue;
            const bool x86_64 = token == SCMP_ARCH_X86_64;
            const auto rest = static_cast<std::uint8_t>(x86_64 ? 4 : 3);
            program.push_back(BPF_STMT(kLoad, offsetof(seccomp_data, arch)));
            program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, token, 0, rest));
            program.push_back(BPF_STMT(kLoad, offsetof(seccomp_data, nr)));
            if (x86_64) program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x4000'0000, 2, 0));
            program.push_back(
                BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, static_cast<std::uint32_t>(last), 0, 1));
            program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
        }
        return program;
    }

    [[nodiscard]] std::vector<std::uint64_t> finish() const {
        auto program = newer_calls();
        for (auto instruction : exported()) {
            if (instruction.code == (BPF_RET | BPF_K) && instruction.k == stand_in_)
                instruction.k = default_;
            program.push_back(instruction);
        }
        if (program.size() > BPF_MAXINSNS)
            throw SeccompProblem("", fmt::format("compiles to {} instructions, the kernel takes {}",
                                                 program.size(), BPF_MAXINSNS));
        std::vector<std::uint64_t> words(program.size());
        std::memcpy(words.data(), program.data(), program.size() * sizeof(sock_filter));
        return words;
    }

    const spec::Seccomp& profile_;
    Context context_;
    std::uint32_t default_ = 0, stand_in_ = 0;
    std::set<std::uint32_t> architectures_;
    std::map<std::uint32_t, int> last_;  // architecture → largest number of the profile
    std::set<std::string> unknown_;
    std::map<std::string, std::set<std::uint32_t>> unconditional_, conditional_;
    std::vector<std::string> warnings_;
};

}  // namespace

std::uint32_t seccomp_action(std::string_view name, std::optional<std::uint32_t> errno_ret,
                             const std::string& pointer) {
    const auto data = errno_ret.value_or(EPERM);
    if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
    if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(data);
    if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
    if (name == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
    if (name == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(data);
    if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
    if (name == "SCMP_ACT_KILL_THREAD" || name == "SCMP_ACT_KILL") return SCMP_ACT_KILL_THREAD;
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
