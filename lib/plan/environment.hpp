// Environments as environ(7) has them: a list of NAME=VALUE that every program takes for a map, the
// one the first and the other the last of a name. So a name stands once in what Covey gives to a
// process or a hook, and the last one counts. Thread rule: pure functions. Do not block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace covey::plan {

using Environment = std::vector<std::string>;

/// Where programs are looked for when nobody says so.
inline constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The value of the last entry of that name; empty as well when there is none.
[[nodiscard]] std::string_view variable(const Environment& env, std::string_view name);
/// It is the last entry then, and the only one of its name.
void set_variable(Environment& env, std::string_view name, std::string_view value);
/// Of several entries of a name only the last stays, where it stands.
[[nodiscard]] Environment unique_environment(const Environment& env);
/// Entries of `added` win over those of the same name. Throws Code::invalid_argument for one that
/// is not NAME=VALUE.
void merge_environment(Environment& env, const Environment& added);
/// PATH and TERM as every engine gives them, where `env` has none.
void complete_environment(Environment& env, bool terminal);

}  // namespace covey::plan
