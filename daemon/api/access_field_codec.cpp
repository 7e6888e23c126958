#include "api/access_field_codec.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>

namespace covey::daemon {
namespace {

constexpr std::array<std::string_view, 3> kAccessFields{"see", "signal", "inspect"};
constexpr const char* kFix =
    "use open, private or observer, or an object with see, signal and inspect, each pod or own";

void read_reach(BodyReader& reader, std::string_view key, spec::Reach& out) {
    const auto word = reader.text(key);
    if (!word) return;
    if (const auto reach = spec::reach(*word))
        out = *reach;
    else
        reader.problem(key, fmt::format("'{}' must be pod or own", *word), kFix);
}

}  // namespace

std::optional<spec::Access> read_access(BodyReader& reader) {
    const auto* const value = reader.find("access");
    if (value == nullptr) return std::nullopt;
    if (value->is_object()) {
        spec::Access access;
        BodyReader members{*value, reader.at("access"), reader.problems(), kAccessFields};
        read_reach(members, "see", access.see);
        read_reach(members, "signal", access.signal);
        read_reach(members, "inspect", access.inspect);
        if (const auto why = spec::impossible(access))
            reader.problem("access", *why, "use observer, private or open");
        return access;
    }
    const auto name = value->is_string() ? value->get<std::string>() : std::string{};
    const auto preset = spec::access_preset(name);
    if (!value->is_string())
        reader.problem("access", "must be a preset's name or an object", kFix);
    else if (!preset)
        reader.problem(
            "access",
            fmt::format("unknown access '{}'{}", name, did_you_mean(name, spec::kAccessPresets)),
            kFix);
    return preset;
}

nlohmann::ordered_json access_json(const spec::Access& access) {
    if (const auto preset = spec::preset_name(access)) return *preset;
    // In the order in which people read it, not a map's.
    nlohmann::ordered_json json;
    const auto words = spec::access_words(access);
    for (const auto key : kAccessFields)
        json[std::string{key}] = words.at(std::string{key});
    return json;
}

}  // namespace covey::daemon
