#include "ctl/run_words.hpp"

#include "base/text.hpp"
#include "bundle/seccomp_profile.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

namespace covey::ctl {
namespace {

using bundle::ExtraMount;

constexpr std::string_view kDefaultSeccomp = "default";

Error bad_mount(std::string_view text, std::string_view why) {
    return Error(Code::invalid_argument, fmt::format("--mount '{}': {}", text, why))
        .with_fix(
            "--mount type=bind,src=/host/path,dst=/container/path,ro   or type=tmpfs,dst=/path");
}

void check_mount(const ExtraMount& mount, std::string_view text) {
    if (mount.type != "bind" && mount.type != "tmpfs")
        throw bad_mount(text, fmt::format("type '{}' is neither bind nor tmpfs", mount.type));
    if (!mount.destination.starts_with('/')) throw bad_mount(text, "dst= must be an absolute path");
    if (mount.type == "bind" && !mount.source.starts_with('/'))
        throw bad_mount(text, "src= must be an absolute path");
    if (mount.type == "tmpfs" && !mount.source.empty())
        throw bad_mount(text, "a tmpfs has no src=");
}

}  // namespace

ExtraMount parse_mount(std::string_view text) {
    static constexpr std::array<std::string_view, 11> kKeys{
        "type", "src",      "source", "dst",  "destination", "target",
        "ro",   "readonly", "rw",     "size", "mode"};
    ExtraMount mount;
    mount.type = "bind";
    for (const std::string_view part : split(text, ',')) {
        const std::size_t equals = part.find('=');
        const std::string_view key = part.substr(0, equals);
        const std::string value{equals == part.npos ? "" : part.substr(equals + 1)};
        if (key == "type") {
            mount.type = value;
        } else if (key == "src" || key == "source") {
            mount.source = value;
        } else if (key == "dst" || key == "destination" || key == "target") {
            mount.destination = value;
        } else if (equals == part.npos && (key == "ro" || key == "readonly" || key == "rw")) {
            mount.options.emplace_back(key == "rw" ? "rw" : "ro");
        } else if (key == "size" || key == "mode") {
            mount.options.emplace_back(part);
        } else {
            throw bad_mount(text, fmt::format("unknown key '{}'{}", key, did_you_mean(key, kKeys)));
        }
    }
    check_mount(mount, text);
    if (mount.type == "bind") mount.options.insert(mount.options.begin(), "rbind");
    if (mount.type == "tmpfs") mount.source = "tmpfs";
    return mount;
}

UserIds parse_user(std::string_view text) {
    const std::size_t colon = text.find(':');
    const auto uid = parse_u32(text.substr(0, colon));
    const auto gid =
        colon == text.npos ? std::optional<std::uint32_t>{0} : parse_u32(text.substr(colon + 1));
    if (!uid || !gid)
        throw Error(Code::invalid_argument, fmt::format("--user '{}' is not UID or UID:GID", text))
            .with_fix("use the numbers in the container's /etc/passwd, as in --user 101:101");
    return {*uid, *gid};
}

SeccompChoice choose_seccomp(const std::vector<std::string>& options,
                             const std::vector<std::string>& capabilities) {
    constexpr std::string_view kKey = "seccomp=";
    constexpr std::size_t kLargestProfile = 1U << 20U;
    std::string value{kDefaultSeccomp};
    for (const auto& option : options) {
        if (!option.starts_with(kKey) || option.size() == kKey.size())
            throw Error(Code::invalid_argument, fmt::format("unknown --security-opt '{}'", option))
                .with_fix("--security-opt seccomp=unconfined   or seccomp=FILE");
        value = option.substr(kKey.size());
    }
    if (value == "unconfined") return {value, ""};
    if (value == kDefaultSeccomp)
        return {value, bundle::resolve_seccomp(bundle::default_profile(), capabilities,
                                               "the default profile")};
    const auto path = std::filesystem::absolute(value).lexically_normal().string();
    const auto text = sys::read_file(path, kLargestProfile).or_throw("read the profile", path);
    return {path, bundle::resolve_seccomp(text, capabilities, path)};
}

std::vector<std::string> capabilities_with(const std::vector<std::string>& added,
                                           const std::vector<std::string>& dropped) {
    const auto full = [](const std::string& name) {
        const auto upper = to_upper(name);
        return upper.starts_with("CAP_") ? upper : "CAP_" + upper;
    };
    std::vector<std::string> names{bundle::kDefaultCapabilities.begin(),
                                   bundle::kDefaultCapabilities.end()};
    for (const auto& name : added)
        names.push_back(full(name));
    for (const auto& name : dropped)
        std::erase(names, full(name));
    return names;
}

std::uint64_t parse_duration(std::string_view text) {
    static constexpr std::array<std::pair<char, std::uint64_t>, 3> kUnits{
        {{'h', 3600}, {'m', 60}, {'s', 1}}};
    const auto refuse = [&] {
        return Error(Code::invalid_argument, fmt::format("--ttl '{}' is no time", text))
            .with_fix("write a number of seconds, or 90s, 15m, 1h, 1h30m");
    };
    std::uint64_t total = 0;
    for (std::string_view rest = text; !rest.empty() || text.empty();) {
        const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const auto number = parse_u32(rest.substr(0, digits));
        if (!number) throw refuse();
        rest.remove_prefix(digits);
        std::uint64_t factor = rest.empty() ? 1 : 0;
        for (const auto& [name, seconds] : kUnits)
            if (!rest.empty() && rest.front() == name) factor = seconds;
        if (factor == 0) throw refuse();
        if (!rest.empty()) rest.remove_prefix(1);
        total += *number * factor;
    }
    return total;
}

}  // namespace covey::ctl
