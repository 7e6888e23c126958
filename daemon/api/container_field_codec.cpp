#include "api/container_field_codec.hpp"

#include "api/body_reader.hpp"
#include "api/capability_codec.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

namespace covey::daemon {
namespace {

constexpr std::array<std::string_view, 2> kCapabilityFields{"add", "drop"};
constexpr std::array<std::string_view, 3> kStdioFields{"stdin", "stdout", "stderr"};

std::uint64_t read_mask(BodyReader& reader, std::string_view key) {
    std::uint64_t mask = 0;
    const auto names = reader.texts(key);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (const auto bit = capability_bit(names[i]))
            mask |= *bit;
        else
            reader.problems().add(fmt::format("{}/{}", reader.at(key), i),
                                  unknown_capability(names[i]),
                                  "capabilities(7) lists the names; CAP_ may be left out");
    }
    return mask;
}

/// A stdio value: null, file:/path, fifo:/path, for stdin also hold.
void read_stream(BodyReader& reader, std::string_view key, std::string& out) {
    const auto value = reader.text(key);
    if (!value) return;
    const bool is_input = key == "stdin";
    const bool has_path = value->starts_with("file:/") || value->starts_with("fifo:/");
    if (*value != "null" && !(is_input && *value == "hold") && !has_path)
        reader.problem(key,
                       fmt::format("'{}' must be \"null\", \"file:/path\"{} \"fifo:/path\"{}",
                                   *value, is_input ? "," : " or", is_input ? " or \"hold\"" : ""),
                       "use null, or file: or fifo: with an absolute path");
    else if (value->size() > kLongestPath)
        reader.problem(key, fmt::format("must have at most {} bytes", kLongestPath));
    out = *value;
}

}  // namespace

std::optional<std::string> read_path(BodyReader& reader, std::string_view key,
                                     std::string_view fix) {
    auto path = reader.text(key);
    if (path && (!path->starts_with('/') || path->size() > kLongestPath))
        reader.problem(key, fmt::format("'{}' must be an absolute path", *path), std::string{fix});
    return path;
}

void read_capabilities(BodyReader& reader, std::uint64_t& add, std::uint64_t& drop) {
    const auto* const value = reader.find("capabilities");
    if (value == nullptr) return;
    BodyReader change{*value, reader.at("capabilities"), reader.problems(), kCapabilityFields};
    add = read_mask(change, "add");
    drop = read_mask(change, "drop");
    if ((add & drop) != 0)
        reader.problem("capabilities", "the same capability is in 'add' and in 'drop'",
                       "name each capability in one of the two");
}

void read_stdio(BodyReader& reader, core::Stdio& stdio) {
    const auto* const value = reader.find("stdio");
    if (value == nullptr) return;
    BodyReader streams{*value, reader.at("stdio"), reader.problems(), kStdioFields};
    read_stream(streams, "stdin", stdio.in);
    read_stream(streams, "stdout", stdio.out);
    read_stream(streams, "stderr", stdio.err);
}

}  // namespace covey::daemon
