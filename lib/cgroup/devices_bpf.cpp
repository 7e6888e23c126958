// Device rules on v2: a small program that the kernel runs for each open and mknod of a device
// node, Documentation/admin-guide/cgroup-v2.rst, "Device controller".
#include "cgroup/devices.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/syscall.h>
#include <unistd.h>

namespace covey::cgroup {
namespace {

/// Full size and zeroed, with room for what newer kernels add: Linux 6.17 to 7.1 writes an answer
/// behind a bpf_attr that is shorter than its own.
struct Attributes {
    union bpf_attr attr;
    std::array<std::uint8_t, 512 - sizeof(union bpf_attr)> room_for_newer;
};

Attributes no_attributes() {
    Attributes attributes;
    std::memset(&attributes, 0, sizeof attributes);
    return attributes;
}

int bpf(bpf_cmd command, Attributes& attributes) {
    return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t address_of(const void* pointer) {
    return reinterpret_cast<std::uint64_t>(pointer);
}

Result<UniqueFd> load(const std::vector<bpf_insn>& program) {
    // No helpers are called, so no GPL-only ones.
    static constexpr char kLicense[] = "Apache-2.0";
    auto load = no_attributes();
    load.attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.attr.insns = address_of(program.data());
    load.attr.insn_cnt = static_cast<std::uint32_t>(program.size());
    load.attr.license = address_of(kLicense);
    std::strncpy(load.attr.prog_name, "covey_devices", sizeof load.attr.prog_name - 1);
    int fd = -1;
    do
        fd = bpf(BPF_PROG_LOAD, load);
    while (fd < 0 && errno == EAGAIN);  // the verifier was interrupted by a signal
    if (fd < 0) return Errno{errno};
    return UniqueFd{fd};
}

Result<std::vector<std::uint32_t>> attached_programs(FdRef group) {
    std::vector<std::uint32_t> ids(64);  // BPF_CGROUP_MAX_PROGS
    auto query = no_attributes();
    query.attr.query.target_fd = static_cast<std::uint32_t>(group.get());
    query.attr.query.attach_type = BPF_CGROUP_DEVICE;
    query.attr.query.prog_ids = address_of(ids.data());
    query.attr.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
    if (bpf(BPF_PROG_QUERY, query) < 0) return Errno{errno};
    ids.resize(query.attr.query.prog_cnt);
    return ids;
}

Result<void> detach(FdRef group, std::uint32_t id) {
    auto by_id = no_attributes();
    by_id.attr.prog_id = id;
    const UniqueFd program{bpf(BPF_PROG_GET_FD_BY_ID, by_id)};
    if (!program) return Errno{errno};
    auto detach = no_attributes();
    detach.attr.target_fd = static_cast<std::uint32_t>(group.get());
    detach.attr.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    detach.attr.attach_type = BPF_CGROUP_DEVICE;
    if (bpf(BPF_PROG_DETACH, detach) < 0) return Errno{errno};
    return {};
}

bpf_insn instruction(int code, std::uint8_t target, std::uint8_t source, std::int16_t offset,
                     std::uint32_t immediate) {
    bpf_insn made{};
    made.code = static_cast<std::uint8_t>(code);
    made.dst_reg = target & 0xfU;
    made.src_reg = source & 0xfU;
    made.off = offset;
    made.imm = static_cast<std::int32_t>(immediate);
    return made;
}

// Which register holds what. r1 is the context on entry.
constexpr std::uint8_t kAnswer = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kPending = BPF_REG_3;  // what is asked for and not yet allowed
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;
constexpr std::uint8_t kScratch = BPF_REG_6;

class Compiler {
  public:
    Compiler() {
        load_field(kType, 0);
        emit(BPF_ALU | BPF_AND | BPF_K, kType, 0xffff);  // access in the upper half, type below
        load_field(kPending, 0);
        emit(BPF_ALU | BPF_RSH | BPF_K, kPending, 16);
        load_field(kMajor, 4);
        load_field(kMinor, 8);
    }

    /// Rules come in from the last to the first: the first that speaks of a bit decides it.
    void add(const DeviceMatch& rule) {
        std::vector<std::size_t> to_next_rule;
        const auto unless = [&](int condition, std::uint8_t where, std::uint32_t value) {
            to_next_rule.push_back(program_.size());
            emit(BPF_JMP32 | condition | BPF_K, where, value);
        };
        if (rule.type != 'a')
            unless(BPF_JNE, kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        if (rule.major) unless(BPF_JNE, kMajor, *rule.major);
        if (rule.minor) unless(BPF_JNE, kMinor, *rule.minor);
        if (rule.access != kAllAccess) {
            if (rule.allow) {
                emit(BPF_ALU | BPF_AND | BPF_K, kPending, kAllAccess & ~rule.access);
                unless(BPF_JNE, kPending, 0);
            } else {
                emit(BPF_ALU | BPF_MOV | BPF_X, kScratch, 0, kPending);
                emit(BPF_ALU | BPF_AND | BPF_K, kScratch, rule.access);
                unless(BPF_JEQ, kScratch, 0);
            }
        }
        answer(rule.allow);
        for (const auto at : to_next_rule)
            program_[at].off = static_cast<std::int16_t>(program_.size() - at - 1);
    }

    std::vector<bpf_insn> finish(bool allow) && {
        answer(allow);
        return std::move(program_);
    }

  private:
    void emit(int code, std::uint8_t target, std::uint32_t immediate, std::uint8_t source = 0) {
        program_.push_back(instruction(code, target, source, 0, immediate));
    }
    void load_field(std::uint8_t target, std::int16_t offset) {
        program_.push_back(instruction(BPF_LDX | BPF_MEM | BPF_W, target, kContext, offset, 0));
    }
    void answer(bool allow) {
        emit(BPF_ALU64 | BPF_MOV | BPF_K, kAnswer, allow ? 1 : 0);
        emit(BPF_JMP | BPF_EXIT, 0, 0);
    }

    std::vector<bpf_insn> program_;
};

}  // namespace

std::vector<bpf_insn> compile_devices(const std::vector<DeviceMatch>& rules) {
    Compiler compiler;
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
        // The verifier refuses code that cannot be reached: a rule for all ends the program.
        if (rule->is_for_all()) return std::move(compiler).finish(rule->allow);
        compiler.add(*rule);
    }
    return std::move(compiler).finish(false);
}

Result<void> attach_devices(FdRef group, const std::vector<bpf_insn>& program) {
    const auto loaded = load(program);
    if (!loaded) return Errno{loaded.error()};
    const auto before = attached_programs(group);
    if (!before) return Errno{before.error()};
    auto attach = no_attributes();
    attach.attr.target_fd = static_cast<std::uint32_t>(group.get());
    attach.attr.attach_bpf_fd = static_cast<std::uint32_t>(loaded.value().get());
    attach.attr.attach_type = BPF_CGROUP_DEVICE;
    // MULTI: the programs of the groups above (the pod's, systemd's) go on holding.
    attach.attr.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, attach) < 0) return Errno{errno};
    // All attached programs must allow: the new one is in force before the old ones go.
    for (const auto id : before.value())
        if (auto gone = detach(group, id); !gone && gone.error() != ENOENT) return gone;
    return {};
}

}  // namespace covey::cgroup
