// Brings limits into force: finds which hierarchy has each controller, makes the group there or
// enables the controller, and writes the settings of that dialect.
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
                          "or leave {} out",
                          host.unified, field)
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
        failure.set_fix("the group uses more than the new limit: free some first");
    else if (error == EINVAL || error == ERANGE)
        failure.set_fix("the kernel refuses this value, or it exceeds that of the group above");
    return failure;
}

void write_settings(const Host& host, FdRef group, const std::string& dir,
                    std::vector<Setting> settings) {
    for (std::size_t at = 0; at < settings.size(); ++at) {
        auto& setting = settings[at];
        const auto written = sys::write_existing_at(group, setting.file, setting.value);
        if (written) continue;
        if (written.error() == ENOENT && setting.may_be_missing) continue;
        if (written.error() == EINVAL && setting.may_swap_with_next) {
            setting.may_swap_with_next = false;
            std::swap(setting, settings.at(at + 1));
            --at;
            continue;
        }
        throw refused(host, written.error(), setting, dir);
    }
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

void apply_on_v1(const Host& host, const std::string& path, Controller controller,
                 const Limits& limits) {
    const auto& mount = host.v1.at(std::string{controller_name(controller)});
    const auto dir = mount + path;
    const auto group = ensure_group(mount, path).or_throw("create cgroup", dir);
    if (controller == Controller::cpuset) inherit_cpuset(mount, path);
    write_settings(host, group, dir, settings_v1(controller, limits, reader_of(group)));
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

}  // namespace

std::string_view controller_name(Controller controller) noexcept {
    switch (controller) {
        case Controller::pids:
            return "pids";
        case Controller::memory:
            return "memory";
        case Controller::cpu:
            return "cpu";
        case Controller::cpuset:
            return "cpuset";
    }
    return "";
}

std::string_view field_for(Controller controller, const Limits& limits) noexcept {
    switch (controller) {
        case Controller::pids:
            return limits.pids_max ? "pids.limit" : "";
        case Controller::memory:
            if (limits.memory_max) return "memory.limit";
            if (limits.memory_swap) return "memory.swap";
            return limits.memory_reservation ? "memory.reservation" : "";
        case Controller::cpu:
            if (limits.cpu_shares) return "cpu.shares";
            if (limits.cpu_quota) return "cpu.quota";
            return limits.cpu_period ? "cpu.period" : "";
        case Controller::cpuset:
            if (limits.cpuset_cpus) return "cpu.cpus";
            return limits.cpuset_mems ? "cpu.mems" : "";
    }
    return "";
}

bool Limits::empty() const noexcept {
    return unified.empty() &&
           std::all_of(std::begin(kControllers), std::end(kControllers),
                       [&](Controller one) { return field_for(one, *this).empty(); });
}

void Group::apply(const Limits& limits) {
    std::vector<Controller> on_v1, on_v2;
    std::vector<std::string> to_enable;
    for (const auto controller : kControllers) {
        const auto field = field_for(controller, limits);
        if (field.empty()) continue;
        const std::string name{controller_name(controller)};
        if (offered_by_v2(*host_, name)) {
            on_v2.push_back(controller);
            to_enable.push_back(name);
        } else if (host_->v1.contains(name)) {
            on_v1.push_back(controller);
        } else {
            lacks_controller(*host_, name, field, identity_dir() + "/" + name + ".*");
        }
    }
    for (const auto& [file, value] : limits.unified) {
        check_unified_name(file);
        const auto name = file.substr(0, file.find('.'));
        const auto field = fmt::format("unified['{}']", file);
        if (host_->unified.empty())
            lacks_controller(*host_, name, field, "/sys/fs/cgroup" + path_ + "/" + file);
        if (offered_by_v2(*host_, name)) to_enable.push_back(name);
    }

    enable_for(*host_, identity_, path_, to_enable);
    for (const auto controller : on_v2)
        write_settings(*host_, identity_, identity_dir(),
                       settings_v2(controller, limits, reader_of(identity_)));
    for (const auto controller : on_v1)
        apply_on_v1(*host_, path_, controller, limits);
    for (const auto& [file, value] : limits.unified)
        write_settings(*host_, identity_, identity_dir(),
                       {{file, value, "unified['" + file + "']"}});
}

}  // namespace covey::cgroup
