#include "plan/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace covey::plan {

void Sections::refuse(std::string pointer, std::string_view what) {
    problem(std::move(pointer), fmt::format("{} is not supported yet; remove it", what));
}

void Sections::add(std::string_view path, OperationBody body) {
    // With a PID namespace of its own the container's procfs can only be made when that is there,
    // so what lies on it has to wait for it, in the spec's order.
    const bool has_own =
        plan.pid_mode == spec::PidMode::container || plan.pid_mode == spec::PidMode::nested;
    const bool on_proc =
        has_own && std::any_of(proc_targets.begin(), proc_targets.end(),
                               [&](const auto& target) { return is_within(path, target); });
    plan.operations.push_back({on_proc ? Runner::init : Runner::launcher, std::move(body)});
}

std::string clean_path(std::string_view path) {
    auto clean = (std::filesystem::path("/") / path).lexically_normal().string();
    // An implementation may keep "//" at the front: it has no meaning on Linux.
    if (clean.starts_with("//")) clean.erase(0, 1);
    while (clean.size() > 1 && clean.back() == '/')
        clean.pop_back();
    return clean;
}

bool is_within(std::string_view path, std::string_view folder) noexcept {
    if (folder == "/") return true;
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string pointer_key(std::string_view key) {
    std::string escaped;
    for (const char c : key) {
        if (c == '~')
            escaped += "~0";
        else if (c == '/')
            escaped += "~1";
        else
            escaped += c;
    }
    return escaped;
}

}  // namespace covey::plan
