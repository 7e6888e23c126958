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

}  // namespace

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

Result<void> detach_devices(FdRef group) {
    const auto attached = attached_programs(group);
    if (!attached) return Errno{attached.error()};
    for (const auto id : attached.value())
        if (auto gone = detach(group, id); !gone && gone.error() != ENOENT) return gone;
    return {};
}

}  // namespace covey::cgroup
