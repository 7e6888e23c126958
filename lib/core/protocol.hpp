// The shim's protocol as a codec: bytes in, bytes out, no descriptor, no waiting, so that the
// shim's epoll loop, coveyd's coroutines and the façade's blocking client can all drive it. Thread
// rule: pure functions.
#pragma once

#include "core/messages.hpp"

#include <string>
#include <string_view>

namespace covey::core {

/// JSON in UTF-8, one object a packet: {"n":7,"op":"createContainer",…}.
[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const Reply& reply);
[[nodiscard]] std::string encode(const Event& event);
/// "createContainer": the word in `op`, also for logs.
[[nodiscard]] std::string_view operation_name(const RequestBody& body) noexcept;
/// Throw Code::invalid_argument on anything that is not such a message, naming the field. A request
/// with a field too many is refused (unknown_field): a wish that is not understood must not be
/// dropped. Facts and events may have more fields than we know: shims outlive their daemon.
[[nodiscard]] Request decode_request(std::string_view packet);
[[nodiscard]] ShimMessage decode_shim_message(std::string_view packet);

/// The same JSON forms, for the records on disk (lib/core writes and reads them with these).
[[nodiscard]] std::string encode_facts(const SandboxFacts& facts);
[[nodiscard]] std::string encode_facts(const ContainerFacts& facts);
[[nodiscard]] SandboxFacts decode_sandbox_facts(std::string_view text);
[[nodiscard]] ContainerFacts decode_container_facts(std::string_view text);

}  // namespace covey::core
