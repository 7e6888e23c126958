#include "cgroup/detect.hpp"

#include "base/text.hpp"
#include "cgroup/residents.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <linux/magic.h>

namespace covey::cgroup {
namespace {

constexpr std::string_view kUsualPlace = "/sys/fs/cgroup";
constexpr std::size_t kMountinfoLimit = 64U << 20U;

/// One cgroup line of mountinfo, proc_pid_mountinfo(5).
struct Mount {
    std::string_view root, point, type, super_options;
};

/// Undoes \040 and its like. Octal, always three digits.
std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\' || at + 3 >= text.size()) {
            plain += text[at];
            continue;
        }
        const auto digit = [&](std::size_t index) { return text[at + index] - '0'; };
        plain += static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3));
        at += 3;
    }
    return plain;
}

std::optional<Mount> parse_line(std::string_view line) {
    const auto separator = line.find(" - ");
    if (separator == std::string_view::npos) return std::nullopt;
    const auto left = split(line.substr(0, separator), ' ');
    const auto right = split(line.substr(separator + 3), ' ');
    if (left.size() < 5 || right.size() < 3) return std::nullopt;
    return Mount{left[3], left[4], right[0], right[2]};
}

/// The better of two mounts of one hierarchy: its own root before a part of it, the usual place
/// before others (a container's rootfs may have one bound into it).
bool is_better(const Mount& candidate, const Mount& current) {
    const auto rank = [](const Mount& mount) {
        return (mount.root == "/" ? 2 : 0) + (mount.point.starts_with(kUsualPlace) ? 1 : 0);
    };
    return rank(candidate) > rank(current);
}

std::vector<std::string> read_words(const std::string& path) {
    std::vector<std::string> words;
    const auto text = sys::read_file(path).value_or({});
    for (const auto word : split(trim(text), ' '))
        if (!word.empty()) words.emplace_back(word);
    return words;
}

/// v1 names its controllers in the mount's options: "rw,cpu,cpuacct" or "rw,name=systemd".
std::vector<std::string_view> controllers_of(const Mount& mount) {
    static constexpr std::array<std::string_view, 8> kNotControllers = {
        "rw", "ro", "xattr", "noprefix", "clone_children", "all", "none", "cpuset_v2_mode"};
    std::vector<std::string_view> names;
    for (const auto option : split(mount.super_options, ','))
        if (std::find(kNotControllers.begin(), kNotControllers.end(), option) ==
                kNotControllers.end() &&
            !option.starts_with("release_agent="))
            names.push_back(option);
    return names;
}

[[noreturn]] void nothing_usable(std::string_view detail) {
    throw Error(Code::unsupported_by_host, std::string{detail})
        .with_fix("mount -t cgroup2 none /sys/fs/cgroup");
}

struct Found {
    std::optional<Mount> unified;
    std::map<std::string_view, Mount> v1;
};

Found read_mounts(std::string_view mountinfo, const std::string& root,
                  const FilesystemType& type_of) {
    Found found;
    for (const auto line : split(mountinfo, '\n')) {
        const auto mount = parse_line(line);
        if (!mount || !mount->type.starts_with("cgroup")) continue;
        const bool is_v2 = mount->type == "cgroup2";
        // Another mount may lie over this one: only what is on top can be used.
        if (type_of(root + unescape(mount->point)) !=
            (is_v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
            continue;
        if (is_v2) {
            if (!found.unified || is_better(*mount, *found.unified)) found.unified = mount;
            continue;
        }
        for (const auto name : controllers_of(*mount)) {
            const auto [place, is_new] = found.v1.try_emplace(name, *mount);
            if (!is_new && is_better(*mount, place->second)) place->second = *mount;
        }
    }
    return found;
}

std::string subtree_of(const Mount& mount) {
    return mount.root == "/" ? std::string{} : unescape(mount.root);
}

}  // namespace

std::string_view layout_name(Layout layout) noexcept {
    switch (layout) {
        case Layout::v2:
            return "v2";
        case Layout::hybrid:
            return "hybrid";
        case Layout::v1:
            return "v1";
    }
    return "v2";
}

Host detect_with(const std::string& root, const FilesystemType& type_of) {
    const auto mountinfo = sys::read_file(root + "/proc/self/mountinfo", kMountinfoLimit)
                               .or_throw("read", root + "/proc/self/mountinfo");
    const auto found = read_mounts(mountinfo, root, type_of);

    Host host;
    for (const auto& [name, mount] : found.v1) {
        const auto point = root + unescape(mount.point);
        host.v1.emplace(name, point);
        if (auto part = subtree_of(mount); !part.empty())
            host.v1_roots.emplace(point, std::move(part));
    }
    if (found.unified) {
        host.unified = root + unescape(found.unified->point);
        host.identity_root = subtree_of(*found.unified);
        host.unified_controllers = read_words(host.unified + "/cgroup.controllers");
        host.layout = host.v1.empty() ? Layout::v2 : Layout::hybrid;
        return host;
    }
    host.layout = Layout::v1;
    if (host.v1.empty()) nothing_usable("no cgroup hierarchy is mounted");
    const auto freezer = found.v1.find("freezer");
    if (freezer == found.v1.end())
        nothing_usable("cgroup v1 without its freezer hierarchy, and no v2 tree");
    host.identity_root = subtree_of(freezer->second);
    return host;
}

bool has_nsdelegate(std::string_view mountinfo) {
    for (const auto line : split(mountinfo, '\n')) {
        const auto mount = parse_line(line);
        if (!mount || mount->type != "cgroup2") continue;
        // An option of the tree, which every mount of it shows.
        const auto options = split(mount->super_options, ',');
        return std::find(options.begin(), options.end(), "nsdelegate") != options.end();
    }
    return false;
}

bool lets_others_be_moved(const Host& host) {
    if (host.unified.empty()) return true;
    return !has_nsdelegate(sys::read_file("/proc/self/mountinfo", kMountinfoLimit)
                               .or_throw("read", "/proc/self/mountinfo"));
}

Host detect(const std::string& root) {
    return detect_with(root, [](const std::string& path) -> std::uint64_t {
        return sys::filesystem_magic_of(path).value_or(0);
    });
}

}  // namespace covey::cgroup
