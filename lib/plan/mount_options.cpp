#include "plan/mount_options.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <linux/mount.h>

namespace covey::plan {
namespace {

enum class OptionKind {
    ignored,
    attribute,
    propagation,
    bind,
    copy_up,
    idmap,
    superblock,
    remount,
    refused
};

struct Option {
    std::string_view name;
    OptionKind kind;
    bool recursive = false;
    std::uint64_t set = 0, clear = 0;
    std::string_view why = {};
};

// An atime mode is one field of two bits, so setting it means clearing the field first
// (mount_setattr(2): MOUNT_ATTR__ATIME must be in attr_clr as a whole).
constexpr std::uint64_t kAtime = MOUNT_ATTR__ATIME;

// config.md's table and runc's. "rX" with an attribute is the recursive form of X.
constexpr auto kOptions = [] {
    using enum OptionKind;
    return std::array{
        Option{"async", ignored},
        Option{"atime", attribute, false, 0, kAtime},
        Option{"bind", bind},
        Option{"defaults", ignored},  // rw, suid, dev, exec, async: what a new mount is
        Option{"dev", attribute, false, 0, MOUNT_ATTR_NODEV},
        Option{"diratime", attribute, false, 0, MOUNT_ATTR_NODIRATIME},
        Option{"dirsync", superblock},
        Option{"exec", attribute, false, 0, MOUNT_ATTR_NOEXEC},
        Option{"idmap", idmap},
        Option{"iversion", refused, false, 0, 0, "fsconfig(2) cannot set it"},
        Option{"lazytime", superblock},
        Option{"loud", ignored},
        Option{"mand", refused, false, 0, 0, "mandatory locking was removed in Linux 5.15"},
        Option{"noatime", attribute, false, MOUNT_ATTR_NOATIME, kAtime},
        Option{"nodev", attribute, false, MOUNT_ATTR_NODEV, 0},
        Option{"nodiratime", attribute, false, MOUNT_ATTR_NODIRATIME, 0},
        Option{"noexec", attribute, false, MOUNT_ATTR_NOEXEC, 0},
        Option{"noiversion", ignored},
        Option{"nolazytime", ignored},
        Option{"nomand", ignored},
        Option{"norelatime", ignored},  // falls back to the kernel's default, which is relatime
        Option{"nostrictatime", attribute, false, 0, kAtime},
        Option{"nosuid", attribute, false, MOUNT_ATTR_NOSUID, 0},
        Option{"nosymfollow", attribute, false, MOUNT_ATTR_NOSYMFOLLOW, 0},
        Option{"private", propagation, false, MS_PRIVATE},
        Option{"ratime", attribute, true, 0, kAtime},
        Option{"rbind", bind, true},
        Option{"rdev", attribute, true, 0, MOUNT_ATTR_NODEV},
        Option{"rdiratime", attribute, true, 0, MOUNT_ATTR_NODIRATIME},
        Option{"relatime", attribute, false, MOUNT_ATTR_RELATIME, kAtime},
        Option{"remount", remount},
        Option{"rexec", attribute, true, 0, MOUNT_ATTR_NOEXEC},
        Option{"ridmap", idmap, true},
        Option{"rnoatime", attribute, true, MOUNT_ATTR_NOATIME, kAtime},
        Option{"rnodev", attribute, true, MOUNT_ATTR_NODEV, 0},
        Option{"rnodiratime", attribute, true, MOUNT_ATTR_NODIRATIME, 0},
        Option{"rnoexec", attribute, true, MOUNT_ATTR_NOEXEC, 0},
        Option{"rnorelatime", ignored},
        Option{"rnostrictatime", attribute, true, 0, kAtime},
        Option{"rnosuid", attribute, true, MOUNT_ATTR_NOSUID, 0},
        Option{"rnosymfollow", attribute, true, MOUNT_ATTR_NOSYMFOLLOW, 0},
        Option{"ro", attribute, false, MOUNT_ATTR_RDONLY, 0},
        Option{"rprivate", propagation, true, MS_PRIVATE},
        Option{"rrelatime", attribute, true, MOUNT_ATTR_RELATIME, kAtime},
        Option{"rro", attribute, true, MOUNT_ATTR_RDONLY, 0},
        Option{"rrw", attribute, true, 0, MOUNT_ATTR_RDONLY},
        Option{"rshared", propagation, true, MS_SHARED},
        Option{"rslave", propagation, true, MS_SLAVE},
        Option{"rstrictatime", attribute, true, MOUNT_ATTR_STRICTATIME, kAtime},
        Option{"rsuid", attribute, true, 0, MOUNT_ATTR_NOSUID},
        Option{"rsymfollow", attribute, true, 0, MOUNT_ATTR_NOSYMFOLLOW},
        Option{"runbindable", propagation, true, MS_UNBINDABLE},
        Option{"rw", attribute, false, 0, MOUNT_ATTR_RDONLY},
        Option{"shared", propagation, false, MS_SHARED},
        Option{"silent", ignored},
        Option{"slave", propagation, false, MS_SLAVE},
        Option{"strictatime", attribute, false, MOUNT_ATTR_STRICTATIME, kAtime},
        Option{"suid", attribute, false, 0, MOUNT_ATTR_NOSUID},
        Option{"symfollow", attribute, false, 0, MOUNT_ATTR_NOSYMFOLLOW},
        Option{"sync", superblock},
        Option{"tmpcopyup", copy_up},
        Option{"unbindable", propagation, false, MS_UNBINDABLE},
    };
}();
static_assert(std::is_sorted(kOptions.begin(), kOptions.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

const Option* find_option(std::string_view name) {
    const auto* found =
        std::lower_bound(kOptions.begin(), kOptions.end(), name,
                         [](const auto& option, auto key) { return option.name < key; });
    return found != kOptions.end() && found->name == name ? found : nullptr;
}

void apply_attribute(const Option& option, MountFlags& flags) {
    auto& set = option.recursive ? flags.recursive_set : flags.set;
    auto& clear = option.recursive ? flags.recursive_clear : flags.clear;
    set = (set & ~option.clear) | option.set;
    // The atime field stays in `clear` beside its new value; any other bit is in one mask only.
    clear = (clear & ~(option.set & ~kAtime)) | option.clear;
}

void apply(const Option& option, std::size_t index, MountOptions& result) {
    using enum OptionKind;
    switch (option.kind) {
        case ignored:
            break;
        case attribute:
            apply_attribute(option, result.flags);
            break;
        case propagation:
            result.flags.propagation = option.set;
            result.flags.propagation_recursive = option.recursive;
            break;
        case bind:
            result.bind = true;
            result.bind_recursive = result.bind_recursive || option.recursive;
            break;
        case copy_up:
            result.copy_up = true;
            break;
        case idmap:
            result.idmap = true;
            result.idmap_recursive = option.recursive;
            break;
        case superblock:
            result.superblock.emplace_back(option.name);
            break;
        case remount:
            result.remount = true;
            break;
        case refused:
            result.refusals.push_back({index, std::string(option.why)});
            break;
    }
}

}  // namespace

MountOptions read_mount_options(const std::vector<std::string>& options) {
    MountOptions result;
    for (std::size_t i = 0; i < options.size(); ++i) {
        const auto& text = options[i];
        if (const auto* option = find_option(text); option != nullptr) {
            apply(*option, i, result);
            continue;
        }
        const auto equals = text.find('=');
        auto key = text.substr(0, equals);
        if (key.empty()) {
            result.refusals.push_back({i, "an option needs a name"});
            continue;
        }
        if (key == "idmap" || key == "ridmap") {
            result.refusals.push_back(
                {i,
                 "takes no value; put the mapping into the mount's uidMappings and gidMappings"});
            continue;
        }
        result.data.emplace_back(std::move(key),
                                 equals == text.npos ? std::string() : text.substr(equals + 1));
        result.data_index.push_back(i);
    }
    return result;
}

std::string similar_mount_option(std::string_view option) {
    std::array<std::string_view, kOptions.size()> names;
    std::transform(kOptions.begin(), kOptions.end(), names.begin(),
                   [](const auto& known) { return known.name; });
    return did_you_mean(option, names);
}

std::vector<std::string_view> mount_option_names() {
    std::vector<std::string_view> names;
    for (const auto& option : kOptions)
        if (option.kind != OptionKind::refused) names.push_back(option.name);
    return names;
}

}  // namespace covey::plan
