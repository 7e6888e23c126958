// Default devices, the spec's devices, the links of /dev and the console. Nodes are made only on a
// filesystem that the plan itself mounts, by the spec's rule also in the root filesystem, but never
// in a folder of the host that is bound into the container.
#include "plan/mount_options.hpp"
#include "plan/sections.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include <linux/mount.h>
#include <sys/stat.h>

namespace covey::plan {
namespace {

/// The target of an operation that attaches something.
const std::string* mount_target(const Operation& body) {
    if (const auto* op = std::get_if<MountFilesystem>(&body)) return &op->target;
    if (const auto* op = std::get_if<MountProc>(&body)) return &op->target;
    if (const auto* op = std::get_if<MountCgroup>(&body)) return &op->target;
    if (const auto* op = std::get_if<BindMount>(&body)) return &op->target;
    return nullptr;
}

/// What `path` lies on: the mount nearest above it, null for the root filesystem itself.
const Operation* mount_above(const Sections& s, std::string_view path) {
    const Operation* nearest = nullptr;
    std::size_t length = 0;
    for (const auto& operation : s.plan.operations) {
        const auto* target = mount_target(operation);
        if (target == nullptr || !is_within(path, *target) || target->size() < length) continue;
        nearest = &operation;
        length = target->size();
    }
    return nearest;
}

bool can_make_nodes(const Sections& s, std::string_view path) {
    const auto* above = mount_above(s, path);
    // An engine's root filesystem is the container's own; runc makes nodes in it too.
    if (above == nullptr && s.request.namespaces == NamespaceRule::spec) return true;
    const auto* filesystem = above == nullptr ? nullptr : std::get_if<MountFilesystem>(above);
    return filesystem != nullptr && filesystem->target != path;
}

bool is_mount_point(const Sections& s, std::string_view path) {
    for (const auto& operation : s.plan.operations)
        if (const auto* target = mount_target(operation); target != nullptr && *target == path)
            return true;
    return false;
}

bool is_device_of_spec(const Sections& s, std::string_view path) {
    for (const auto& device : s.spec.linux.devices)
        if (clean_path(device.path) == path) return true;
    return false;
}

void default_devices(Sections& s) {
    struct Default {
        std::string_view path;
        unsigned major, minor;
    };
    // config-linux.md#default-devices; the numbers are in the kernel's admin-guide/devices.rst.
    static constexpr std::array<Default, 6> kDevices{{{"/dev/null", 1, 3},
                                                      {"/dev/zero", 1, 5},
                                                      {"/dev/full", 1, 7},
                                                      {"/dev/random", 1, 8},
                                                      {"/dev/urandom", 1, 9},
                                                      {"/dev/tty", 5, 0}}};
    for (const auto& device : kDevices)
        if (!is_device_of_spec(s, device.path) && !is_mount_point(s, device.path))
            s.add(MakeDevice{std::string(device.path), S_IFCHR | 0666, device.major, device.minor,
                             0, 0, has_user_namespace(s)});
}

std::optional<mode_t> type_bits(char type) {
    switch (type) {
        case 'c':
        case 'u':
            return S_IFCHR;
        case 'b':
            return S_IFBLK;
        case 'p':
            return S_IFIFO;
        default:
            return std::nullopt;
    }
}

void spec_device(Sections& s, const spec::Device& device, const std::string& pointer) {
    const auto type = type_bits(device.type);
    if (!type) {
        s.problem(pointer + "/type", fmt::format("'{}' is none of c, u, b, p", device.type));
        return;
    }
    // MAJOR and MINOR of a dev_t in the kernel have 12 and 20 bits.
    const bool numbered = *type != S_IFIFO;
    if (numbered && (device.major < 0 || device.major >= 1 << 12 || device.minor < 0 ||
                     device.minor >= 1 << 20)) {
        s.problem(pointer, fmt::format("{}:{} is no device number", device.major, device.minor));
        return;
    }
    auto path = clean_path(device.path);
    if (is_mount_point(s, path) || !can_make_nodes(s, path)) {
        s.warn(
            fmt::format("device {} is not made: Covey makes nodes only on a filesystem that the "
                        "spec mounts, such as a tmpfs on /dev",
                        path));
        return;
    }
    // Engines pass a host's st_mode here, with the type in it.
    const mode_t mode = *type | (device.file_mode.value_or(0666) & 07777);
    s.add(MakeDevice{path, mode, numbered ? static_cast<unsigned>(device.major) : 0,
                     numbered ? static_cast<unsigned>(device.minor) : 0, device.uid.value_or(0),
                     device.gid.value_or(0), numbered && has_user_namespace(s)});
}

void links(Sections& s) {
    static constexpr std::array<std::array<std::string_view, 2>, 5> kLinks{
        {{"/proc/self/fd", "/dev/fd"},
         {"/proc/self/fd/0", "/dev/stdin"},
         {"/proc/self/fd/1", "/dev/stdout"},
         {"/proc/self/fd/2", "/dev/stderr"},
         {"pts/ptmx", "/dev/ptmx"}}};
    for (const auto& [target, path] : kLinks)
        if (!is_device_of_spec(s, path) && !is_mount_point(s, path))
            s.add(MakeSymlink{std::string(target), std::string(path)});
}

void console(Sections& s) {
    if (!may_have_devpts(s.spec, s.request.namespaces))
        s.problem("/process/terminal",
                  "needs a mount of type devpts on /dev/pts; add it or set terminal to false");
    const auto* above = mount_above(s, "/dev/console");
    const auto* bind = above == nullptr ? nullptr : std::get_if<BindMount>(above);
    s.add(BindConsole{bind == nullptr || bind->flags.propagation != MS_SHARED, bind == nullptr});
}

}  // namespace

bool may_have_devpts(const spec::Spec& spec, NamespaceRule rule) {
    constexpr std::string_view kPlace = "/dev/pts";
    const spec::Mount* nearest = nullptr;
    std::size_t length = 0;
    for (const auto& mount : spec.mounts) {
        const auto target = clean_path(mount.destination);
        if (!is_within(kPlace, target) || target.size() < length) continue;
        nearest = &mount;
        length = target.size();
    }
    // An engine's root filesystem may bring one along.
    if (nearest == nullptr) return rule == NamespaceRule::spec;
    if (nearest->type == "devpts") return length == kPlace.size();
    return nearest->type == "bind" || read_mount_options(nearest->options).bind;
}

void compile_devices(Sections& s) {
    const auto* dev = mount_above(s, "/dev");
    const auto* filesystem = dev == nullptr ? nullptr : std::get_if<MountFilesystem>(dev);
    const bool own_dev = (filesystem != nullptr && filesystem->target == "/dev") ||
                         (dev == nullptr && s.request.namespaces == NamespaceRule::spec);
    // A bound /dev brings its own nodes. Asked now: the list of operations moves as it grows.
    const bool bound_dev = dev != nullptr && std::holds_alternative<BindMount>(*dev);
    if (own_dev) default_devices(s);
    for (std::size_t i = 0; i < s.spec.linux.devices.size(); ++i)
        spec_device(s, s.spec.linux.devices[i], fmt::format("/linux/devices/{}", i));
    if (own_dev) links(s);
    if (!own_dev && !bound_dev)
        s.warn("the spec mounts nothing on /dev: no devices are made; mount a tmpfs there");
    if (s.spec.process && s.spec.process->terminal) console(s);
}

}  // namespace covey::plan
