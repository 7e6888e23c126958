#include "plan/environment.hpp"

#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace covey::plan {
namespace {

std::string_view name_of(std::string_view entry) {
    return entry.substr(0, entry.find('='));
}

bool has_variable(const Environment& env, std::string_view name) {
    return std::any_of(env.begin(), env.end(),
                       [&](const auto& entry) { return name_of(entry) == name; });
}

}  // namespace

std::string_view variable(const Environment& env, std::string_view name) {
    const auto found = std::find_if(env.rbegin(), env.rend(), [&](const std::string& entry) {
        return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
    });
    return found == env.rend() ? std::string_view{}
                               : std::string_view{*found}.substr(name.size() + 1);
}

void set_variable(Environment& env, std::string_view name, std::string_view value) {
    std::erase_if(env, [&](const auto& entry) { return name_of(entry) == name; });
    env.push_back(fmt::format("{}={}", name, value));
}

Environment unique_environment(const Environment& env) {
    std::unordered_set<std::string_view> seen;
    Environment unique;
    for (auto entry = env.rbegin(); entry != env.rend(); ++entry)
        if (seen.insert(name_of(*entry)).second) unique.push_back(*entry);
    std::reverse(unique.begin(), unique.end());
    return unique;
}

void merge_environment(Environment& env, const Environment& added) {
    for (const auto& entry : added) {  // not quoted below: it may be a secret
        const auto end = entry.find('=');
        if (end == std::string::npos || end == 0)
            throw Error(Code::invalid_argument,
                        fmt::format("environment variable {} of {} is not NAME=VALUE",
                                    &entry - added.data() + 1, added.size()))
                .with_fix("give a value, if only an empty one: NAME=");
        const auto key = std::string_view(entry).substr(0, end + 1);
        std::erase_if(env, [&](const auto& old) { return old.starts_with(key); });
        env.push_back(entry);
    }
}

void complete_environment(Environment& env, bool terminal) {
    if (!has_variable(env, "PATH")) env.push_back(fmt::format("PATH={}", kDefaultPath));
    if (terminal && !has_variable(env, "TERM")) env.emplace_back("TERM=xterm");
}

}  // namespace covey::plan
