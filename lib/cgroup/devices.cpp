#include "cgroup/devices.hpp"

#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace covey::cgroup {
namespace {

constexpr std::size_t kMostRules = 1000;

/// What runs in nearly every container needs: "Default Devices" of the OCI runtime specification.
/// mknod is harmless by itself: a node without read and write rights opens nothing. Not here, as
/// they are not in the specification's list: the host's console (5:1; a container's /dev/console is
/// a terminal, 136:*) and net/tun (10:200).
constexpr std::array<DeviceMatch, 9> kDefaults = {{
    {true, 'a', {}, {}, kMknod},
    {true, 'c', 1, 3, kAllAccess},    // null
    {true, 'c', 1, 5, kAllAccess},    // zero
    {true, 'c', 1, 7, kAllAccess},    // full
    {true, 'c', 1, 8, kAllAccess},    // random
    {true, 'c', 1, 9, kAllAccess},    // urandom
    {true, 'c', 5, 0, kAllAccess},    // tty
    {true, 'c', 5, 2, kAllAccess},    // ptmx
    {true, 'c', 136, {}, kAllAccess}  // pts/*
}};

[[noreturn]] void refuse_rule(std::size_t index, const std::string& why) {
    throw Error(Code::invalid_argument, fmt::format("device rule {}: {}", index, why))
        .with_fix(
            "a rule has a type of a, b or c, numbers from 0 (or none for any), and an access "
            "of r, w and m");
}

std::optional<std::uint32_t> checked_number(std::optional<std::int64_t> number, std::size_t index) {
    if (!number || *number == -1) return std::nullopt;  // -1: runc's word for any
    if (*number < 0 || *number > std::numeric_limits<std::uint32_t>::max())
        refuse_rule(index, fmt::format("{} is no device number", *number));
    return static_cast<std::uint32_t>(*number);
}

std::uint32_t checked_access(const std::string& letters, std::size_t index) {
    std::uint32_t access = 0;
    for (const char letter : letters) {
        if (letter == 'r')
            access |= kRead;
        else if (letter == 'w')
            access |= kWrite;
        else if (letter == 'm')
            access |= kMknod;
        else
            refuse_rule(index, fmt::format("access '{}'", letters));
    }
    if (access == 0) refuse_rule(index, "an access that is empty");
    return access;
}

/// EINVAL is not among them: it is also what a program that the verifier refuses gets.
bool bpf_is_missing(int error) {
    return error == ENOSYS || error == EPERM || error == EOPNOTSUPP;
}

/// v1's devices folder of a group that is in that hierarchy too. Its rules are there then, where
/// runc's are: engines and tools find them in devices.list.
struct V1Folder {
    std::string dir;
    UniqueFd group;
};
V1Folder v1_folder(const Host& host, const Placement& placement) {
    const auto mount = host.v1.find("devices");
    if (mount == host.v1.end()) return {};
    const auto& path = placement.in(mount->second);
    auto group = open_group(mount->second, path);
    if (!group) return {};
    return {mount->second + path, std::move(group).value()};
}

/// False: this kernel has no BPF for it, but v1's devices, and they may be used.
bool attach_program(const Host& host, FdRef group, const std::string& dir,
                    const std::vector<DeviceMatch>& rules, DeviceRulesIn in) {
    const auto attached = attach_devices(group, compile_devices(rules));
    if (attached) return true;
    const bool has_files = in == DeviceRulesIn::files && host.v1.contains("devices");
    if (bpf_is_missing(attached.error()) && has_files) return false;
    auto error = Error::from_errno(attached.error(), "attach the device program to cgroup", dir);
    if (bpf_is_missing(attached.error()) || attached.error() == EINVAL)
        error.set_fix(
            "run as root with CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN) on a "
            "kernel with CONFIG_CGROUP_BPF");
    throw error;
}

}  // namespace

std::vector<DeviceMatch> effective_rules(const std::vector<DeviceRule>& rules) {
    if (rules.size() > kMostRules)
        throw Error(Code::too_large, fmt::format("{} device rules", rules.size()))
            .with_fix(fmt::format("give at most {}", kMostRules));
    std::vector<DeviceMatch> all{DeviceMatch{}};
    for (std::size_t index = 0; index < rules.size(); ++index) {
        const auto& rule = rules[index];
        if (rule.type != 'a' && rule.type != 'b' && rule.type != 'c')
            refuse_rule(index, fmt::format("type '{}'", rule.type));
        const DeviceMatch match{rule.allow, rule.type, checked_number(rule.major, index),
                                checked_number(rule.minor, index),
                                checked_access(rule.access, index)};
        if (match.is_for_all()) all.clear();
        all.push_back(match);
    }
    all.insert(all.end(), kDefaults.begin(), kDefaults.end());
    return all;
}

void Group::restrict_devices(const std::vector<DeviceRule>& rules, DeviceRulesIn in) {
    const auto effective = effective_rules(rules);
    if (!host_->unified.empty()) {
        const auto v1 = v1_folder(*host_, placement_);
        const bool may_use_files = v1.group && in == DeviceRulesIn::files;
        const auto expressed = may_use_files ? express_on_v1(effective) : std::nullopt;
        if (expressed) {
            // In force before the program of an earlier call goes. Without BPF there is none.
            write_devices_v1(v1.group, v1.dir, *expressed);
            const auto detached = detach_devices(identity_);
            if (detached || bpf_is_missing(detached.error())) return;
            detached.or_throw("detach the device program of cgroup", identity_dir());
        }
        if (attach_program(*host_, identity_, identity_dir(), effective, in)) {
            // Both must allow: what an earlier call wrote there must not hold any more. (EPERM: a
            // group above is restricted itself, and that goes on holding.)
            if (!v1.group) return;
            const auto opened = sys::write_existing_at(v1.group, "devices.allow", "a");
            if (opened || opened.error() == EPERM) return;
            opened.or_throw("write device rule 'a' to", v1.dir + "/devices.allow");
        }
    }
    const auto mount = host_->v1.find("devices");
    if (mount == host_->v1.end())
        throw Error(Code::unsupported_by_host,
                    "device rules need the cgroup controller 'devices', which is not mounted")
            .with_fix("mount -t cgroup -o devices cgroup /sys/fs/cgroup/devices");
    const auto dir = mount->second + placement_.in(mount->second);
    const auto group =
        ensure_group(mount->second, placement_.in(mount->second)).or_throw("create cgroup", dir);
    write_devices_v1(group, dir, devices_for_v1(effective));
}

}  // namespace covey::cgroup
