// mounts → operations, in the spec's order. What a mount is, is decided by its options and type: a
// bind of a host path, a procfs of the right PID namespace, the container's cgroup, or any other
// filesystem.
#include "base/text.hpp"
#include "plan/mount_options.hpp"
#include "plan/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <linux/mount.h>

namespace covey::plan {
namespace {

enum class MountKind { bind, proc, cgroup, filesystem };

MountKind kind_of(const spec::Mount& mount, const MountOptions& options) {
    if (options.bind || mount.type == "bind") return MountKind::bind;
    if (mount.type == "proc") return MountKind::proc;
    if (mount.type == "cgroup" || mount.type == "cgroup2") return MountKind::cgroup;
    return MountKind::filesystem;
}

/// One mount of the spec and where it stands.
struct Item {
    const spec::Mount& mount;
    std::string pointer, target;
    MountOptions options;
};

/// For a mount of a filesystem that is there already. "mode=755" and the like are common and
/// harmless there, as mount(2) ignores them; a word alone is most often one of mount(8)'s,
/// misspelt.
void no_data(Sections& s, const Item& item, std::string_view what) {
    for (std::size_t i = 0; i < item.options.data.size(); ++i) {
        const auto& [key, value] = item.options.data[i];
        if (!value.empty())
            s.warn(fmt::format("{}: '{}={}' is not applied: a {} shares its filesystem",
                               item.target, key, value, what));
        else
            s.problem(
                fmt::format("{}/options/{}", item.pointer, item.options.data_index[i]),
                fmt::format("'{}' is no option of a {}{}", key, what, similar_mount_option(key)));
    }
    if (!item.options.superblock.empty())
        s.warn(fmt::format("{}: '{}' is not applied: a {} shares its filesystem", item.target,
                           item.options.superblock.front(), what));
}

bool joins_user_namespace(const Sections& s) {
    const auto& all = s.plan.namespaces;
    return std::any_of(all.begin(), all.end(), [](const NamespacePlan& entry) {
        return entry.type == spec::NamespaceType::user &&
               entry.source == NamespacePlan::Source::path;
    });
}

/// The path in the container of a source that lies in its root, if something that stands before it
/// in the list is mounted there, above or below. Compared as texts: of two names for one folder the
/// other one is the host's.
std::string mounted_source(const Sections& s, const BindMount& bind) {
    const auto root = clean_path(s.plan.root.host_path), source = clean_path(bind.host_source);
    if (root == "/" || !is_within(source, root)) return {};
    const auto inner = source == root ? "/" : source.substr(root.size());
    const auto& all = s.plan.operations;
    const bool is_mounted = std::any_of(all.begin(), all.end(), [&](const Operation& before) {
        const auto target = target_of(before);
        return is_within(inner, target) || is_within(target, inner);
    });
    return is_mounted ? inner : std::string{};
}

void bind(Sections& s, Item& item) {
    no_data(s, item, "bind mount");
    if (item.mount.source.empty()) {
        s.problem(item.pointer + "/source", "required: the host path to bind");
        return;
    }
    const auto& source = item.mount.source;
    BindMount bind{source.starts_with('/') ? source : s.request.bundle + "/" + source,
                   item.target,
                   item.options.bind_recursive,
                   item.options.flags,
                   item.mount.uid_mappings,
                   item.mount.gid_mappings,
                   item.options.idmap_recursive};
    // config.md#mounts: without mappings of its own the container's.
    if (item.options.idmap && bind.uid_mappings.empty()) {
        bind.uid_mappings = s.plan.uid_mappings;
        bind.gid_mappings = s.plan.gid_mappings;
        bind.idmap_of_joined = bind.uid_mappings.empty() && joins_user_namespace(s);
        if (bind.uid_mappings.empty() && !bind.idmap_of_joined)
            s.problem(item.pointer + "/options",
                      "idmap needs uidMappings and gidMappings in the mount, or a user namespace");
    }
    bind.inner_source = mounted_source(s, bind);
    if (!bind.inner_source.empty() && s.request.access.is_restricted())
        s.problem(item.pointer + "/source",
                  "lies in the root filesystem where another mount of this list is: restricted "
                  "access cannot be kept with it; bind what is mounted there once more");
    s.add(std::move(bind));
}

/// The filesystem's own options, then those of every superblock.
std::vector<std::pair<std::string, std::string>> take_data(MountOptions& options) {
    auto data = std::move(options.data);
    for (auto& name : options.superblock)
        data.emplace_back(std::move(name), "");
    return data;
}

/// "size=1m,mode=700" in one text, as mount(2) took it, for a tmpfs: of its options only mpol has a
/// comma in its value, and a number behind it.
std::vector<std::pair<std::string, std::string>> split_data(
    const std::vector<std::pair<std::string, std::string>>& data) {
    std::vector<std::pair<std::string, std::string>> parts;
    for (const auto& [key, value] : data) {
        bool is_first = true;
        const auto text = value.empty() ? key : key + "=" + value;
        for (const auto piece : split(text, ',')) {
            const bool is_number =
                !piece.empty() && piece.find_first_not_of("0123456789-") == piece.npos;
            if (!is_first && is_number && !parts.empty()) {
                parts.back().second.append(",").append(piece);
                continue;
            }
            is_first = false;
            if (piece.empty()) continue;
            const auto equals = piece.find('=');
            parts.emplace_back(piece.substr(0, equals), equals == piece.npos
                                                            ? std::string_view{}
                                                            : piece.substr(equals + 1));
        }
    }
    return parts;
}

void filesystem(Sections& s, Item& item) {
    const auto& mount = item.mount;
    if (mount.type.empty() || mount.type == "none") {
        s.problem(item.pointer + "/type",
                  "required: a filesystem type, or the option bind or rbind");
        return;
    }
    auto data = take_data(item.options);
    if (mount.type == "tmpfs") data = split_data(data);
    // Of the others SELinux's policy knows the files one by one.
    const bool takes_label = mount.type == "tmpfs" || mount.type == "devpts";
    if (takes_label && !s.spec.linux.mount_label.empty())
        data.emplace_back("context", s.spec.linux.mount_label);
    auto flags = item.options.flags;
    // Of an own and empty one: what is to be mounted or made in it comes first.
    const bool read_only_later =
        mount.type == "tmpfs" && ((flags.set | flags.recursive_set) & MOUNT_ATTR_RDONLY) != 0;
    if (read_only_later) {
        flags.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
        flags.recursive_set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
        s.protect(Remount{s.plan.operations.size(), item.target, {}, {MOUNT_ATTR_RDONLY}});
    }
    s.add(MountFilesystem{mount.type, mount.source.empty() ? mount.type : mount.source, item.target,
                          std::move(data), flags, item.options.copy_up});
}

/// Through a file of its own group's an equal user moves a neighbour's processes there (v1; v2
/// without nsdelegate).
void refuse_written_groups(Sections& s, const Item& item) {
    const auto read_only =
        (item.options.flags.set | item.options.flags.recursive_set) & MOUNT_ATTR_RDONLY;
    if (s.request.access.signal == spec::Reach::pod || !has_neighbours(s) || read_only != 0) return;
    s.problem(item.pointer + "/options",
              "restricted access cannot be kept with a cgroup mount that can be written: add ro, "
              "or use access open");
}

void cgroup(Sections& s, const Item& item) {
    refuse_written_groups(s, item);
    const auto& all = s.plan.namespaces;
    const bool own = std::any_of(all.begin(), all.end(), [](const NamespacePlan& entry) {
        return entry.type == spec::NamespaceType::cgroup;
    });
    // Through the API a container is in few v1 hierarchies: only those that have a limit for it.
    const bool with_v1 = s.request.namespaces == NamespaceRule::spec && item.mount.type == "cgroup";
    s.add(MountCgroup{item.target, item.options.flags, with_v1, own});
}

void proc(Sections& s, Item& item) {
    const auto& access = s.request.access;
    // An equal user writes oom_score_adj and its like in a neighbour's folder: no domain asks.
    if (access.see == spec::Reach::pod && access.signal == spec::Reach::own && has_neighbours(s))
        item.options.flags.set |= MOUNT_ATTR_RDONLY;
    s.add(
        MountProc{item.target, proc_options(access, take_data(item.options)), item.options.flags});
}

/// The last mount before this one at the same place that a remount can change; the operations' size
/// if there is none. A cgroup mount may be of several filesystems.
std::size_t mounted_before(const Sections& s, const std::string& target) {
    const auto& all = s.plan.operations;
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const Operation& operation) {
        const auto stands_there = [&](const auto* mount) {
            return mount != nullptr && mount->target == target;
        };
        return stands_there(std::get_if<MountFilesystem>(&operation)) ||
               stands_there(std::get_if<MountProc>(&operation)) ||
               stands_there(std::get_if<BindMount>(&operation));
    });
    return found == all.rend() ? all.size()
                               : static_cast<std::size_t>(std::distance(found, all.rend())) - 1;
}

/// Of a mount that this list has made, and no other: one that the image or the host has is not the
/// container's to change. A bind's filesystem is the host's, and of others there may be other
/// mounts: only its own mount is changed, but a tmpfs is always the container's.
void remount(Sections& s, Item& item) {
    if (item.options.idmap || item.options.copy_up || !item.mount.uid_mappings.empty()) {
        s.problem(item.pointer + "/options", "id maps and tmpcopyup are for new mounts");
        return;
    }
    const auto of = mounted_before(s, item.target);
    if (of == s.plan.operations.size()) {
        s.problem(item.pointer + "/options",
                  fmt::format("'remount' changes a mount that stands before it in this list (a "
                              "filesystem, proc or a bind): there is none at {}",
                              item.target));
        return;
    }
    const auto* filesystem = std::get_if<MountFilesystem>(&s.plan.operations[of]);
    auto data = take_data(item.options);
    if (!data.empty() && (filesystem == nullptr || filesystem->type != "tmpfs"))
        s.problem(item.pointer + "/options",
                  fmt::format("'{}': of what is no tmpfs a remount changes only how it is mounted "
                              "(ro, nosuid, …), not the filesystem{}",
                              data.front().first, similar_mount_option(data.front().first)));
    if (((item.options.flags.clear | item.options.flags.recursive_clear) & MOUNT_ATTR_RDONLY) != 0)
        std::erase_if(s.plan.protections, [&](const Operation& later) {
            const auto* ours = std::get_if<Remount>(&later);
            return ours != nullptr && ours->of == of;
        });
    s.add(Remount{of, item.target, std::move(data), item.options.flags});
}

void compile_mount(Sections& s, Item& item) {
    for (const auto& refusal : item.options.refusals)
        s.problem(fmt::format("{}/options/{}", item.pointer, refusal.index),
                  fmt::format("'{}': {}", item.mount.options[refusal.index], refusal.message));
    if (item.mount.destination.empty() || item.target == "/") {
        s.problem(item.pointer + "/destination",
                  "must be a path below the root; the root itself is what root.path names");
        return;
    }
    if (item.options.remount) return remount(s, item);
    const auto kind = kind_of(item.mount, item.options);
    if (kind != MountKind::bind && (item.options.idmap || !item.mount.uid_mappings.empty()))
        s.problem(item.pointer, "id-mapped mounts are only supported for bind mounts");
    if (item.options.copy_up && !(kind == MountKind::filesystem && item.mount.type == "tmpfs"))
        s.problem(item.pointer + "/options", "tmpcopyup is for a tmpfs only");
    switch (kind) {
        case MountKind::bind:
            return bind(s, item);
        case MountKind::proc:
            return proc(s, item);
        case MountKind::cgroup:
            no_data(s, item, "cgroup mount");
            return cgroup(s, item);
        case MountKind::filesystem:
            return filesystem(s, item);
    }
}

}  // namespace

void compile_mounts(Sections& s) {
    s.plan.mount_label = s.spec.linux.mount_label;
    for (std::size_t i = 0; i < s.spec.mounts.size(); ++i) {
        const auto& mount = s.spec.mounts[i];
        Item item{mount, fmt::format("/mounts/{}", i), clean_path(mount.destination),
                  read_mount_options(mount.options)};
        compile_mount(s, item);
    }
    if (!s.request.shows_root) return;
    s.add(ShowRoot{kShownRoot});
    if (s.request.access.is_restricted())
        s.warn(
            fmt::format("{}: the root filesystem alone, without what is mounted in it: a /proc "
                        "there would show what the access hides",
                        kShownRoot));
}

}  // namespace covey::plan
