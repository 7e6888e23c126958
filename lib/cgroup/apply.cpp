// Brings limits into force: finds which hierarchy has each controller, makes the group there or
// enables the controller, and writes the settings of that dialect. What cannot be kept is refused
// before anything is written.
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/settings.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace covey::cgroup {
namespace {

bool has_word(std::string_view text, std::string_view word) {
    const auto words = split(text, ' ');
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool offered_by_v2(const Host& host, std::string_view controller) {
    const auto& offered = host.unified_controllers;
    return std::find(offered.begin(), offered.end(), controller) != offered.end();
}

[[noreturn]] void lacks_controller(const Host& host, std::string_view controller,
                                   std::string_view field, std::string_view file) {
    auto error = Error(Code::unsupported_by_host,
                       fmt::format("{} needs the cgroup controller '{}', which this host does not "
                                   "offer: missing: {} (ENOENT)",
                                   field, controller, file));
    error.set_fix(
        host.layout == Layout::v2
            ? fmt::format("boot with the controller enabled (see {}/cgroup.controllers) "
                          "or leave {} out{}",
                          host.unified, field,
                          controller.starts_with("net_")
                              ? ": cgroup v2 has no network classes or priorities"
                              : "")
            : fmt::format("mount -t cgroup -o {0} cgroup /sys/fs/cgroup/{0}, or leave {1} "
                          "out",
                          controller, field));
    throw error;
}

/// Switches controllers on from the root down to the group's parent; those that are on stay on.
void enable(const Host& host, std::string_view path, const std::vector<std::string>& controllers) {
    std::string dir = host.unified;
    const auto parent = parent_path(path);
    for (std::size_t end = 0; true; end = parent.find('/', end + 1)) {
        dir = host.unified + std::string{parent.substr(0, end)};
        const auto group = sys::open_dir(dir).or_throw("open cgroup", dir);
        const auto on = read_control(group, "cgroup.subtree_control").value_or("");
        for (const auto& controller : controllers) {
            if (has_word(on, controller)) continue;
            const auto written =
                sys::write_existing_at(group, "cgroup.subtree_control", "+" + controller);
            if (written) continue;
            auto error = Error::from_errno(
                written.error(), fmt::format("enable cgroup controller '{}' in", controller),
                dir + "/cgroup.subtree_control");
            if (written.error() == EBUSY)
                error.set_fix(
                    fmt::format("move the processes in {}/cgroup.procs into a group "
                                "below it: v2 passes controllers on only from groups "
                                "without processes",
                                dir));
            throw error;
        }
        if (end == std::string_view::npos || parent.empty()) return;
    }
}

Error refused(const Host& host, int error, const Setting& setting, const std::string& dir) {
    const auto file = dir + "/" + setting.file;
    if (error == ENOENT)
        return Error(Code::unsupported_by_host,
                     fmt::format("{}: missing: {} (ENOENT)", setting.field, file))
            .with_fix(fmt::format("this kernel has no {} ({} layout): leave {} out", setting.file,
                                  layout_name(host.layout), setting.field));
    auto failure = Error::from_errno(
        error, fmt::format("{}: write '{}' to", setting.field, setting.value), file);
    if (error == EBUSY)
        return std::move(failure)
            .with_code(Code::resource_exhausted)
            .with_fix(fmt::format("the group uses more than that already, perhaps only what starts "
                                  "its first process: raise {}, or free some",
                                  setting.field));
    else if (error == EINVAL || error == ERANGE)
        failure.set_fix("the kernel refuses this value, or it exceeds that of the group above");
    return failure;
}

/// Settings of one group, all known before the first is written.
struct Writing {
    UniqueFd group;
    std::string dir;
    std::vector<Setting> settings;
    UniqueFd seat;  // where the processes are, if that is below
};

/// v1 has files that say something of the group alone, where it has `main` of the processes in
/// there.
bool is_of_one_group(const std::string& file) {
    return file == "memory.swappiness" || file.starts_with("cpu.rt_");
}

/// What v1 never lets be more below than above: tried there first, for it may become less.
bool is_never_more_below(const std::string& file) {
    return file.starts_with("cpu.rt_") || file.starts_with("cpu.cfs_");
}

void check_files(const Host& host, const Writing& writing) {
    for (const auto& setting : writing.settings)
        if (!setting.may_be_missing && !sys::stat_at(writing.group, setting.file))
            throw refused(host, ENOENT, setting, writing.dir);
}

/// Whether `main` is told the same. It holds nobody back that the group does not; but whoever reads
/// the limits where the processes are finds them: an engine by a process's number, a language's
/// runtime inside by the root of its cgroup namespace.
bool is_for_readers(const std::string& file) {
    return holds_for_all_below(file.substr(0, file.find('.')));
}

/// `main` is the container's to write to, so it may refuse, unless the setting works there alone.
void write_to_seat(const Host& host, const Writing& writing) {
    std::vector<const Setting*> later;
    for (const auto& setting : writing.settings)
        if (is_for_readers(setting.file) &&
            !sys::write_existing_at(writing.seat, setting.file, setting.value))
            later.push_back(&setting);
    for (const auto* setting : later) {
        const auto written = sys::write_existing_at(writing.seat, setting->file, setting->value);
        if (!written && written.error() != ENOENT && is_of_one_group(setting->file))
            throw refused(host, written.error(), *setting, writing.dir);
    }
}

void write_settings(const Host& host, const Writing& writing) {
    std::vector<const Setting*> later;
    const auto write = [&](const Setting& setting, bool again) {
        if (writing.seat && is_never_more_below(setting.file))
            (void)sys::write_existing_at(writing.seat, setting.file, setting.value);
        const auto written = sys::write_existing_at(writing.group, setting.file, setting.value);
        if (written || (written.error() == ENOENT && setting.may_be_missing)) return;
        if (written.error() != EINVAL || !setting.may_come_later || again)
            throw refused(host, written.error(), setting, writing.dir);
        later.push_back(&setting);
    };
    for (const auto& setting : writing.settings)
        write(setting, false);
    for (const auto* setting : later)
        write(*setting, true);
    if (writing.seat) write_to_seat(host, writing);
}

Reader reader_of(FdRef group) {
    return [group](const std::string& file) { return read_control(group, file); };
}

void enable_for(const Host& host, FdRef group, std::string_view path,
                const std::vector<std::string>& controllers) {
    if (controllers.empty()) return;
    const auto have = read_control(group, "cgroup.controllers").value_or("");
    const bool complete = std::all_of(controllers.begin(), controllers.end(),
                                      [&](const auto& name) { return has_word(have, name); });
    if (!complete) enable(host, path, controllers);
}

Writing settings_on_v1(const Host& host, const Placement& placement, Controller controller,
                       const Limits& limits) {
    const auto& mount = host.v1.at(std::string{controller_name(controller, Version::v1)});
    const auto& path = placement.in(mount);
    Writing writing{{}, mount + path, {}, {}};
    writing.group = ensure_group(mount, path).or_throw("create cgroup", writing.dir);
    if (auto opened = open_group(mount, seat_below(path))) writing.seat = std::move(opened).value();
    if (controller == Controller::cpuset) inherit_cpuset(mount, path);
    writing.settings = settings_v1(controller, limits, reader_of(writing.group));
    return writing;
}

/// `linux.resources.unified` names files; those of cgroup core would move processes or change what
/// Covey itself relies on.
void check_unified_name(const std::string& file) {
    const bool is_core = file.starts_with("cgroup.") && file != "cgroup.max.depth" &&
                         file != "cgroup.max.descendants";
    if (file.find('.') == std::string::npos || file.front() == '.' || is_core ||
        file.find('/') != std::string::npos || file.find('\0') != std::string::npos)
        throw Error(Code::invalid_argument,
                    fmt::format("unified['{}'] is not a file of a cgroup controller", file))
            .with_fix("name a file such as memory.high or pids.max, without a folder");
}

/// Which controllers are needed, and where they are.
struct Needs {
    std::vector<Controller> v1, v2;
    std::vector<std::string> to_enable;  // of v2
};

void find_controllers(Needs& needs, const Host& host, const std::string& dir,
                      const Limits& limits) {
    for (const auto controller : kControllers) {
        const auto field = field_for(controller, limits);
        if (field.empty()) continue;
        const std::string v1_name{controller_name(controller, Version::v1)};
        const std::string v2_name{controller_name(controller, Version::v2)};
        if (offered_by_v2(host, v2_name)) {
            needs.v2.push_back(controller);
            needs.to_enable.push_back(v2_name);
        } else if (host.v1.contains(v1_name)) {
            needs.v1.push_back(controller);
        } else {
            const auto& name = host.layout == Layout::v2 ? v2_name : v1_name;
            lacks_controller(host, name, field, dir + "/" + name + ".*");
        }
    }
}

void find_unified(Needs& needs, const Host& host, const std::string& path, const Limits& limits) {
    for (const auto& [file, value] : limits.unified) {
        check_unified_name(file);
        const auto name = file.substr(0, file.find('.'));
        const auto field = fmt::format("unified['{}']", file);
        const bool is_core = name == "cgroup";
        if (!is_core && !offered_by_v2(host, name) && host.v1.contains(name))
            throw Error(
                Code::unsupported_by_host,
                fmt::format("{} is a file of cgroup v2, and on this host controller '{}' is "
                            "v1's",
                            field, name))
                .with_fix(fmt::format("say it by linux.resources.{} where that has a field for it, "
                                      "leave it out, or boot with cgroup v2 alone",
                                      name));
        if (host.unified.empty() || (!is_core && !offered_by_v2(host, name)))
            lacks_controller(host, name, field, "/sys/fs/cgroup" + path + "/" + file);
        if (!is_core) needs.to_enable.push_back(name);
    }
}

}  // namespace

void Group::apply(const Limits& limits) {
    Needs needs;
    find_controllers(needs, *host_, identity_dir(), limits);
    find_unified(needs, *host_, placement_.path, limits);
    enable_for(*host_, identity_, placement_.path, needs.to_enable);
    if (passes_on_) pass_on_controllers();

    std::vector<Writing> writings;
    if (!needs.v2.empty() || !limits.unified.empty()) {
        auto& writing = writings.emplace_back(Writing{
            sys::open_dir_at(identity_, ".").or_throw("open", "cgroup"), identity_dir(), {}, {}});
        if (seat_) writing.seat = sys::open_dir_at(seat_, ".").or_throw("open", "cgroup");
        for (const auto controller : needs.v2)
            for (auto& setting : settings_v2(controller, limits, reader_of(identity_)))
                writing.settings.push_back(std::move(setting));
        for (const auto& [file, value] : limits.unified)
            writing.settings.push_back({file, value, "unified['" + file + "']"});
    }
    for (const auto controller : needs.v1)
        writings.push_back(settings_on_v1(*host_, placement_, controller, limits));
    for (const auto& writing : writings)
        check_files(*host_, writing);
    for (const auto& writing : writings)
        write_settings(*host_, writing);
}

}  // namespace covey::cgroup
