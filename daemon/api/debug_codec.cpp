#include "api/debug_codec.hpp"

#include "api/access_field_codec.hpp"
#include "api/body_reader.hpp"
#include "api/container_field_codec.hpp"
#include "base/id.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 14> kDebugFields{
    "id",      "target", "pidMode", "tools",  "profile",      "ttl",   "remove",
    "command", "env",    "user",    "access", "capabilities", "stdio", "labels"};
constexpr double kLeastSeconds = 0.001;

/// -1 as an id means "leave it" to the kernel: setresuid(2).
std::optional<std::uint32_t> kernel_id(std::string_view text) {
    const auto id = parse_u32(text);
    return id && *id != std::numeric_limits<std::uint32_t>::max() ? id : std::nullopt;
}

void read_profile(BodyReader& reader, DebugAction& action) {
    const auto word = reader.text("profile");
    if (!word) return;
    const auto* const at = std::find(kDebugProfiles.begin(), kDebugProfiles.end(), *word);
    if (at == kDebugProfiles.end())
        reader.problem(
            "profile",
            fmt::format("unknown profile '{}'{}", *word, did_you_mean(*word, kDebugProfiles)),
            "use general, restricted or sysadmin");
    else
        action.profile = static_cast<DebugProfile>(at - kDebugProfiles.begin());
}

void read_target(BodyReader& reader, DebugAction& action) {
    if (const auto target = reader.text("target")) {
        require_valid_id(*target, "target");
        action.target = *target;
    }
    const auto mode = reader.text("pidMode");
    if (!mode || *mode == "pod") return;
    action.joins_target = *mode == "target";
    if (!action.joins_target)
        reader.problem("pidMode", fmt::format("a debugger cannot be in pid mode '{}'", *mode),
                       "use pod (which is the default), or target for the PID namespace of "
                       "`target`");
    else if (action.target.empty())
        reader.problem("target", "is missing: pidMode 'target' joins another container's processes",
                       "name a container of the sandbox, or leave pidMode out");
}

void read_ttl(BodyReader& reader, DebugAction& action) {
    constexpr double kMost = std::chrono::seconds{kLongestDebugging}.count();
    const auto* const value = reader.find("ttl");
    if (value == nullptr) return;
    const double seconds = value->is_number() ? value->get<double>() : 0;
    if (!(seconds >= kLeastSeconds && seconds <= kMost))
        reader.problem("ttl",
                       fmt::format("must be a number of seconds, above 0 and at most {}", kMost),
                       "a debugger is always for a time; leave ttl out for an hour");
    else
        action.ttl = std::chrono::milliseconds{std::llround(seconds * 1000)};
}

void read_debug_user(BodyReader& reader, DebugAction& action) {
    const auto user = reader.text("user");
    if (!user) return;
    const auto colon = user->find(':');
    action.uid = kernel_id(std::string_view{*user}.substr(0, colon));
    if (colon != std::string::npos)
        action.gid = kernel_id(std::string_view{*user}.substr(colon + 1));
    if (!action.uid || (colon != std::string::npos && !action.gid))
        reader.problem("user", fmt::format("'{}' must be UID or UID:GID in digits", *user),
                       "names are not looked up: write \"1000:1000\"");
}

void read_command(BodyReader& reader, DebugAction& action) {
    action.command = reader.texts("command");
    if (!action.command.empty() && action.command.front().empty())
        reader.problem("command", "its first word is empty", "name the program first");
    action.env = reader.texts("env");
    for (std::size_t i = 0; i < action.env.size(); ++i)
        if (const auto equals = action.env[i].find('='); equals == 0 || equals == std::string::npos)
            reader.problems().add(fmt::format("{}/{}", reader.at("env"), i), "must be NAME=value",
                                  "give a value, if only an empty one: NAME=");
    read_stdio(reader, action.stdio);
    if (action.command.empty() && reader.find("stdio") != nullptr)
        reader.problem("stdio", "has no meaning without a command: each exec has its own streams",
                       "give a command, or remove the field 'stdio'");
}

/// A profile that promises something and a field that takes it back.
void check_restricted(BodyReader& reader, const DebugAction& action) {
    if (action.profile != DebugProfile::restricted) return;
    if (action.add_capabilities != 0)
        reader.problem("capabilities", "profile restricted has no capabilities",
                       "use profile general");
    if (action.uid == 0U)
        reader.problem("user", "profile restricted is never root", "use profile general");
}

}  // namespace

DebugAction decode_debug(const std::string& sandbox, std::string_view body) {
    require_valid_id(sandbox, "sandbox id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kDebugFields};
    DebugAction action;
    action.sandbox = sandbox;
    if (const auto id = reader.text("id")) {
        require_valid_id(*id, "container id");
        action.id = *id;
    }
    read_target(reader, action);
    action.tools = read_path(reader, "tools", "name a root folder on the host that has the tools")
                       .value_or(std::string{});
    read_profile(reader, action);
    read_ttl(reader, action);
    read_command(reader, action);
    action.remove = reader.flag("remove").value_or(!action.command.empty());
    read_debug_user(reader, action);
    action.access = read_access(reader).value_or(spec::kOpen);
    read_capabilities(reader, action.add_capabilities, action.drop_capabilities);
    check_restricted(reader, action);
    action.labels = reader.text_map("labels");
    problems.throw_if_any();
    return action;
}

Json debug_terms_json(const DebugTerms& terms) {
    Json json{{"profile", kDebugProfiles.at(static_cast<std::size_t>(terms.profile))},
              {"tools", terms.tools},
              {"remove", terms.remove},
              {"holds", terms.holds},
              {"expiresAt", rfc3339(terms.expires_at)}};
    if (!terms.target.empty()) json["target"] = terms.target;
    return json;
}

}  // namespace covey::daemon
