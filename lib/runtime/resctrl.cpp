#include "runtime/resctrl.hpp"

#include "base/text.hpp"
#include "runtime/failure.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>

namespace covey::runtime {
namespace {

constexpr std::string_view kSchemata = "schemata";
constexpr std::string_view kTasks = "tasks";
constexpr std::string_view kBandwidth = "MB:";
constexpr mode_t kGroupMode = 0755;
constexpr std::size_t kMountinfoLimit = 64U << 20U;
constexpr int kClassLockSeconds = 10;

/// resctrl.rst, "Locking": flock(2) on the root's folder, by whoever changes classes.
UniqueFd lock_classes(const std::string& root) {
    auto folder = sys::open(root, O_RDONLY | O_DIRECTORY).or_throw("open", root);
    sys::lock_within(folder, kClassLockSeconds).or_throw("lock", root);
    return folder;
}

bool exists(const std::string& path) {
    return sys::stat_at(sys::kCwd, path).has_value();
}

/// "MB:0=20;1=70" → resource and, for each cache, its value: bandwidths are decimal, masks are not.
struct Share {
    std::string_view resource;
    std::map<std::string_view, std::uint64_t> values;
};

std::optional<Share> read_line(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == line.npos) return std::nullopt;
    Share share{trim(line.substr(0, colon)), {}};
    const int base = share.resource.starts_with("MB") ? 10 : 16;
    for (const auto entry : split(line.substr(colon + 1), ';')) {
        const auto equals = entry.find('=');
        if (equals == entry.npos) return std::nullopt;
        const auto text = trim(entry.substr(equals + 1));  // resctrl pads it
        std::uint64_t value = 0;
        const auto* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value, base);
        if (error != std::errc{} || rest != end) return std::nullopt;
        share.values[trim(entry.substr(0, equals))] = value;
    }
    return share;
}

bool holds(const Share& wanted, std::string_view schemata) {
    for (const auto line : split(schemata, '\n'))
        if (const auto share = read_line(line); share && share->resource == wanted.resource)
            return std::all_of(wanted.values.begin(), wanted.values.end(), [&](const auto& one) {
                const auto found = share->values.find(one.first);
                return found != share->values.end() && found->second == one.second;
            });
    return false;
}

/// One that has ended is listed until somebody waits for it.
bool has_living(const std::string& group) {
    const auto text = sys::read_file(group + "/" + std::string{kTasks}, kMountinfoLimit);
    if (!text) return false;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto line : split(text.value(), '\n')) {
        const auto number = parse_u32(trim(line));
        if (!number) continue;
        const auto stat = sys::read_stat(proc, static_cast<pid_t>(*number));
        if (stat && stat.value().state != 'Z' && stat.value().state != 'X') return true;
    }
    return false;
}

void remove_folder(const std::string& folder) {
    const auto removed = sys::rmdir_at(sys::kCwd, folder);
    if (!removed && removed.error() != ENOENT) removed.or_throw("remove resctrl group", folder);
}

}  // namespace

std::string resctrl_mount(std::string_view mountinfo) {
    for (const auto line : split(mountinfo, '\n')) {
        if (line.find(" - resctrl ") == line.npos) continue;
        // proc_pid_mountinfo(5): the fifth is the mount point.
        if (const auto words = split(line, ' '); words.size() > 4) return std::string{words[4]};
    }
    return {};
}

Resctrl Resctrl::find() {
    auto root = resctrl_mount(sys::read_file("/proc/self/mountinfo", kMountinfoLimit)
                                  .or_throw("read", "/proc/self/mountinfo"));
    // Another mount may lie over it.
    if (const auto folder = sys::open_dir(root);
        root.empty() || !folder ||
        sys::filesystem_magic(folder.value()).value_or(0) != RDTGROUP_SUPER_MAGIC)
        throw Error(Code::unsupported_by_host,
                    "linux.intelRdt: no resctrl filesystem is mounted on this host")
            .with_fix(
                "mount -t resctrl resctrl /sys/fs/resctrl where the processor has Intel RDT, or "
                "remove linux.intelRdt from the configuration");
    Resctrl found{std::move(root)};
    found.lock_ = lock_classes(found.root_);
    return found;
}

Error Resctrl::refused(int error, std::string_view operation, const std::string& object) const {
    auto result = Error::from_errno(error, operation, object);
    if (error == ENOSPC)
        result.set_fix("the processor has no more classes (info/*/num_closids, num_rmids)");
    const auto status = sys::read_file(root_ + "/info/last_cmd_status").value_or({});
    if (const auto words = trim(status); !words.empty() && words != "ok")
        result.add_cause(fmt::format("kernel: {}", words));
    return result;
}

void Resctrl::check_resources(const std::string& schemata) const {
    for (const auto line : split(schemata, '\n')) {
        const std::string name{trim(line.substr(0, line.find(':')))};
        if (name.empty() || exists(root_ + "/info/" + name)) continue;
        throw Error(Code::unsupported_by_host,
                    fmt::format("linux.intelRdt: this processor allots no {}", name))
            .with_fix(fmt::format("see {}/info for what there is", root_));
    }
}

void Resctrl::check_counters(const spec::IntelRdt& wanted) const {
    const auto features = sys::read_file(root_ + "/info/L3_MON/mon_features").value_or({});
    const auto require = [&](const char* field, std::string_view counter) {
        if (features.find(counter) != features.npos) return;
        throw Error(Code::unsupported_by_host,
                    fmt::format("linux.intelRdt.{}: this processor counts no {}", field, counter))
            .with_fix(fmt::format("see {}/info/L3_MON for what there is", root_));
    };
    if (wanted.enable_monitoring && trim(features).empty())
        throw Error(Code::unsupported_by_host,
                    "linux.intelRdt.enableMonitoring: this processor counts nothing")
            .with_fix("leave it out");
    if (wanted.enable_cmt) require("enableCMT", "llc_occupancy");
    if (wanted.enable_mbm) require("enableMBM", "mbm_");
}

core::ResctrlPlace Resctrl::choose(const spec::IntelRdt& wanted, const std::string& id) const {
    const auto schemata = schemata_of(wanted);
    check_resources(schemata);
    check_counters(wanted);
    core::ResctrlPlace place;
    place.group = root_;
    if (wanted.clos_id != "/") place.group += "/" + (wanted.clos_id.empty() ? id : wanted.clos_id);
    if (wanted.enable_monitoring || wanted.enable_cmt || wanted.enable_mbm)
        place.monitor = place.group + "/mon_groups/" + id;
    if (!exists(place.group)) {
        if (!wanted.clos_id.empty() && schemata.empty())
            throw Error(Code::failed_precondition,
                        fmt::format("linux.intelRdt.closID: there is no {}", place.group))
                .with_fix(
                    "make it, or set l3CacheSchema, memBwSchema or schemata: then it is made with "
                    "the container");
        place.is_made = true;
        return place;
    }
    if (wanted.clos_id.empty())
        throw Error(Code::already_exists,
                    fmt::format("resctrl group {} is there already", place.group))
            .with_fix("remove it if nobody uses it, or name it by linux.intelRdt.closID");
    const auto file = place.group + "/" + std::string{kSchemata};
    const auto now = sys::read_file(file).or_throw("read", file);
    if (!is_met(schemata, now))
        throw Error(Code::failed_precondition,
                    fmt::format("linux.intelRdt: {} has another share", place.group))
            .with_cause(fmt::format("{} says: {}", kSchemata, trim(now)))
            .with_fix("give what it has, or another closID");
    return place;
}

void Resctrl::make(const core::ResctrlPlace& place) const {
    if (exists(place.group)) return;
    if (const auto made = sys::mkdir_at(sys::kCwd, place.group, kGroupMode); !made)
        throw refused(made.error(), "make resctrl group", place.group);
}

void Resctrl::configure(const core::ResctrlPlace& place, const spec::IntelRdt& wanted) const {
    const auto schemata = schemata_of(wanted);
    const auto file = place.group + "/" + std::string{kSchemata};
    if (!is_met(schemata, sys::read_file(file).value_or({})))
        if (const auto written = sys::write_existing(file, schemata + "\n"); !written)
            throw refused(written.error(), fmt::format("write '{}' to", schemata), file);
    if (place.monitor.empty()) return;
    if (const auto made = sys::mkdir_at(sys::kCwd, place.monitor, kGroupMode); !made)
        throw refused(made.error(), "make resctrl monitoring group", place.monitor);
}

std::string schemata_of(const spec::IntelRdt& wanted) {
    std::vector<std::string> lines;
    // config-linux.md: a line of memory bandwidth belongs to memBwSchema alone.
    for (const auto line : split(wanted.l3_cache_schema, '\n'))
        if (!line.empty() && (wanted.mem_bw_schema.empty() || !line.starts_with(kBandwidth)))
            lines.emplace_back(line);
    if (!wanted.mem_bw_schema.empty()) lines.push_back(wanted.mem_bw_schema);
    // Last: what it says of a resource again is what counts.
    lines.insert(lines.end(), wanted.schemata.begin(), wanted.schemata.end());
    return join(lines, "\n");
}

bool is_met(std::string_view wanted, std::string_view schemata) {
    for (const auto line : split(wanted, '\n')) {
        if (trim(line).empty()) continue;
        const auto share = read_line(line);
        if (!share || !holds(*share, schemata)) return false;
    }
    return true;
}

void join_class(const core::ResctrlPlace& place, pid_t process) {
    // A monitoring group takes only who is in its class already.
    for (const auto& group : {place.group, place.monitor})
        if (!group.empty())
            sys::write_existing(group + "/" + std::string{kTasks}, std::to_string(process))
                .or_throw("join resctrl group", group);
}

void remove_class(const core::ResctrlPlace& place) noexcept {
    if (place.monitor.empty() && !place.is_made) return;
    try {
        // resctrl's own folder alone has "info".
        const bool is_root = exists(place.group + "/info");
        const auto lock =
            lock_classes(is_root ? place.group : place.group.substr(0, place.group.rfind('/')));
        remove_own_class(place);
    } catch (const std::exception& error) {
        report_warning(error.what());
    }
}

void remove_own_class(const core::ResctrlPlace& place) {
    if (!place.monitor.empty()) remove_folder(place.monitor);
    // rmdir(2) would move who is still in it to the root's class.
    if (place.is_made && !has_living(place.group)) remove_folder(place.group);
}

}  // namespace covey::runtime
