// Properties that a configuration asks for by annotation: a few types of GVariant's text format
// (docs.gtk.org/glib/gvariant-text-format.html), and a closed list of names.
#include "base/text.hpp"
#include "cgroup/systemd.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace covey::cgroup {
namespace {

constexpr std::string_view kPrefix = "org.systemd.property.";

/// What engines use (Podman, CRI-O), and cannot act on anything but the scope itself: when and how
/// it is stopped, and its place in the order of a shutdown.
struct Allowed {
    std::string_view name;
    const char* signature;
};
constexpr std::array kAllowed{
    Allowed{"After", "as"},          Allowed{"Before", "as"},
    Allowed{"CollectMode", "s"},     Allowed{"DefaultDependencies", "b"},
    Allowed{"Description", "s"},     Allowed{"KillSignal", "i"},
    Allowed{"SendSIGHUP", "b"},      Allowed{"SendSIGKILL", "b"},
    Allowed{"TimeoutStopUSec", "t"}, Allowed{"RuntimeMaxUSec", "t"},
};

/// 'text' or "text". Escapes are not needed by any of the properties.
std::optional<std::string> unquote(std::string_view text) {
    text = trim(text);
    const bool quoted = text.size() >= 2 && (text.front() == '\'' || text.front() == '"') &&
                        text.front() == text.back();
    if (!quoted) return std::nullopt;
    const auto inner = text.substr(1, text.size() - 2);
    if (inner.find_first_of("\\'\"\n") != std::string_view::npos) return std::nullopt;
    return std::string{inner};
}

std::optional<std::string> list_of_text(std::string_view text) {
    if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
    const auto inner = trim(text.substr(1, text.size() - 2));
    std::string lines;
    if (inner.empty()) return lines;
    for (const auto part : split(inner, ',')) {
        const auto one = unquote(part);
        if (!one || one->empty()) return std::nullopt;
        lines += (lines.empty() ? "" : "\n") + *one;
    }
    return lines;
}

/// With a type's name before it or without, as in "uint64 5" and "5".
std::optional<std::uint64_t> bare_number(std::string_view text) {
    for (const std::string_view type : {"uint64 ", "int64 ", "uint32 ", "int32 "})
        if (text.starts_with(type)) text.remove_prefix(type.size());
    return parse_u64(trim(text));
}

std::optional<std::string> value_of(std::string_view signature, std::string_view text) {
    if (signature == "as") return list_of_text(text);
    if (signature == "s") return unquote(text);
    if (signature == "b")
        return text == "true" || text == "false" ? std::optional{std::string{text}} : std::nullopt;
    const auto value = bare_number(text);
    const bool fits = value && (signature == "t" || *value <= std::numeric_limits<int>::max());
    return fits ? std::optional{std::to_string(*value)} : std::nullopt;
}

[[noreturn]] void refuse_property(std::string_view name) {
    std::vector<std::string> names;
    for (const auto& one : kAllowed)
        names.emplace_back(one.name);
    throw Error(Code::invalid_argument,
                fmt::format("annotation {}{} is not obeyed: a container's configuration may set "
                            "only properties of its own scope",
                            kPrefix, name))
        .with_fix(fmt::format("leave it out; known: {}", join(names, ", ")));
}

}  // namespace

std::vector<UnitProperty> annotated_properties(
    const std::map<std::string, std::string>& annotations) {
    std::vector<UnitProperty> properties;
    for (const auto& [key, text] : annotations) {
        if (!key.starts_with(kPrefix)) continue;
        auto name = key.substr(kPrefix.size());
        // As runc has it: NAMESec takes seconds for NAMEUSec.
        const bool in_seconds = name.ends_with("Sec") && !name.ends_with("USec");
        if (in_seconds) name.replace(name.size() - 3, 3, "USec");
        const auto known = std::find_if(kAllowed.begin(), kAllowed.end(),
                                        [&](const auto& one) { return one.name == name; });
        if (known == kAllowed.end()) refuse_property(key.substr(kPrefix.size()));
        auto value = value_of(known->signature, trim(text));
        constexpr std::uint64_t kMicroseconds = 1'000'000;
        if (value && in_seconds) {
            const auto seconds = parse_u64(*value).value_or(0);
            const bool fits = seconds <= std::numeric_limits<std::uint64_t>::max() / kMicroseconds;
            value = fits ? std::optional{std::to_string(seconds * kMicroseconds)} : std::nullopt;
        }
        if (!value)
            throw Error(Code::invalid_argument,
                        fmt::format("annotation {}: '{}' is not a value of D-Bus type {}", key,
                                    text, known->signature))
                .with_fix("write it as GVariant text: true, uint64 5, 'text', ['a', 'b']");
        // Annotations may be a tenant's: a scope that is never killed would hold the host's
        // shutdown.
        if (name == "SendSIGKILL" && *value == "false")
            throw Error(Code::invalid_argument,
                        fmt::format("annotation {}: a scope that is not killed in the end would "
                                    "hold up the host's shutdown",
                                    key))
                .with_fix("leave it out, or give the container more time by TimeoutStopUSec");
        properties.push_back({name, known->signature, *std::move(value)});
    }
    return properties;
}

}  // namespace covey::cgroup
