// Names and places: systemd.unit(5), systemd.slice(5), and runc's reading of cgroupsPath.
#include "base/text.hpp"
#include "cgroup/systemd.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::cgroup {
namespace {

constexpr std::string_view kSliceEnd = ".slice", kScopeEnd = ".scope";
constexpr std::size_t kLongestName = 255;  // UNIT_NAME_MAX

bool is_unit_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{":-_.\\@"}.find(c) != std::string_view::npos;
}

void check_unit_name(std::string_view name, std::string_view cgroups_path) {
    const auto wrong = std::find_if_not(name.begin(), name.end(), is_unit_character);
    if (wrong != name.end())
        throw Error(Code::invalid_argument,
                    fmt::format("/linux/cgroupsPath: '{}' gives the unit name '{}', in which '{}' "
                                "cannot be",
                                cgroups_path, name, *wrong))
            .with_fix("systemd takes letters, digits and : - _ . \\ @ in the name of a unit");
    if (name.size() > kLongestName)
        throw Error(Code::invalid_argument,
                    fmt::format("/linux/cgroupsPath: the unit's name has {} characters, and "
                                "systemd takes {}: {}",
                                name.size(), kLongestName, name))
            .with_fix("choose a shorter container id, or a shorter prefix");
}

[[noreturn]] void bad_slice(std::string_view slice, std::string_view why) {
    throw Error(Code::invalid_argument,
                fmt::format("/linux/cgroupsPath: invalid slice name '{}': {}", slice, why))
        .with_fix("a slice is NAME.slice; a-b.slice lies in a.slice");
}

}  // namespace

std::string slice_path(std::string_view slice) {
    if (!slice.ends_with(kSliceEnd) || slice.size() == kSliceEnd.size())
        bad_slice(slice, "it does not end in .slice");
    if (slice.find('/') != std::string_view::npos) bad_slice(slice, "it has a '/'");
    const auto name = slice.substr(0, slice.size() - kSliceEnd.size());
    if (name == "-") return "";
    std::string path, prefix;
    for (const auto part : split(name, '-')) {
        if (part.empty()) bad_slice(slice, "a part of it is empty");
        path += fmt::format("/{}{}{}", prefix, part, kSliceEnd);
        prefix += std::string{part} + "-";
    }
    return path;
}

Scope parse_scope(std::string_view cgroups_path, std::string_view id, Manager manager) {
    Scope scope{manager == Manager::user ? "user.slice" : "system.slice", "", manager};
    if (cgroups_path.empty()) {
        scope.name = fmt::format("covey-{}{}", id, kScopeEnd);
    } else {
        const auto parts = split(cgroups_path, ':');
        if (parts.size() != 3 || parts[2].empty())
            throw Error(Code::invalid_argument,
                        fmt::format("/linux/cgroupsPath: expected cgroupsPath to be of format "
                                    "\"slice:prefix:name\" for systemd cgroups, got \"{}\" instead",
                                    cgroups_path))
                .with_fix(
                    "write it as system.slice:PREFIX:NAME, or leave --systemd-cgroup away for a "
                    "path");
        if (!parts[0].empty()) scope.slice = parts[0];
        if (parts[2].ends_with(kSliceEnd))
            throw Error(Code::invalid_argument,
                        fmt::format("/linux/cgroupsPath: '{}': a slice cannot hold a container's "
                                    "processes",
                                    cgroups_path))
                .with_fix("name the slice first, and the container last: SLICE:PREFIX:NAME");
        scope.name = fmt::format("{}-{}{}", parts[1], parts[2], kScopeEnd);
    }
    (void)slice_path(scope.slice);
    check_unit_name(scope.slice, cgroups_path);
    check_unit_name(scope.name, cgroups_path.empty() ? id : cgroups_path);
    return scope;
}

std::vector<UnitProperty> scope_properties(const Scope& scope, std::string_view id, Layout layout) {
    std::vector<UnitProperty> properties{
        {"Description", "s", fmt::format("container {}", id)},
        {"Slice", "s", scope.slice},
        // What is below the scope's group is the container's own.
        {"Delegate", "b", "true"},
        // Not stopped in the midst of a shutdown's order: who made the container ends it.
        {"DefaultDependencies", "b", "false"},
        {"CollectMode", "s", "inactive-or-failed"},
    };
    // With accounting the controllers are there from the first process on. A unit with an IO
    // setting is one of v2, and what it has of BlockIO is passed over (systemd's core/cgroup.c).
    const char* const io = layout == Layout::v2 ? "IOAccounting" : "BlockIOAccounting";
    for (const char* name : {"CPUAccounting", "MemoryAccounting", io, "TasksAccounting"})
        properties.push_back({name, "b", "true"});
    return properties;
}

}  // namespace covey::cgroup
