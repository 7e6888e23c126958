// The forms in which exec's output can be sent (proto/stream.md): raw, Docker's frames, or NDJSON.
// Thread rule: pure functions. Do not block.
#pragma once

#include "core/messages.hpp"
#include "covey/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace covey::daemon {

enum class StreamForm { raw, frames, lines };
/// The first media type of an Accept header that we know; raw for anything else. `Accept: */*`, as
/// curl sends it, is raw.
[[nodiscard]] StreamForm stream_form(std::string_view accept);
[[nodiscard]] std::string_view content_type(StreamForm form) noexcept;

enum class OutputStream : std::uint8_t { out = 1, err = 2 };  // Docker's numbers
/// `data` as it goes over the wire.
[[nodiscard]] std::string encode_output(StreamForm form, OutputStream stream,
                                        std::string_view data);
/// The end as its own piece: NDJSON only, else "".
[[nodiscard]] std::string encode_exit(StreamForm form, const core::ExitRecord& exit);
/// What went wrong after the answer had begun; "" in the raw form, which has no room for it.
[[nodiscard]] std::string encode_problem(StreamForm form, const Error& error,
                                         std::string_view instance, std::string_view request_id);

}  // namespace covey::daemon
