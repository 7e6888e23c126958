// Fields that the requests for a container and for a debugger share.
// Called by their codecs. Thread rule: pure functions. Do not block.
#pragma once

#include "api/body_reader.hpp"
#include "core/messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace covey::daemon {

/// An absolute path of the host's. `fix` says what it is of.
[[nodiscard]] std::optional<std::string> read_path(BodyReader& reader, std::string_view key,
                                                   std::string_view fix);
/// `capabilities`: {add, drop}, as masks; absent: both 0.
void read_capabilities(BodyReader& reader, std::uint64_t& add, std::uint64_t& drop);
/// `stdio`: {stdin, stdout, stderr}; what is absent keeps its value.
void read_stdio(BodyReader& reader, core::Stdio& stdio);

}  // namespace covey::daemon
