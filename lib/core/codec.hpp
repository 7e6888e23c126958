// Inside lib/core's codecs only: facts, configurations and errors as JSON values, and back.
// Readers of facts pass over fields they do not know (a shim outlives the coveyd that started it,
// and may be older or newer than the next one); readers of requests refuse them, because a wish
// that is not understood must never be dropped in silence. Thread rule: pure functions.
#pragma once

#include "core/json_fields.hpp"
#include "core/messages.hpp"

namespace covey::core {

[[nodiscard]] Json to_json(const SandboxConfig& config);
[[nodiscard]] Json to_json(const ContainerConfig& config);
[[nodiscard]] Json to_json(const ExecConfig& config);
[[nodiscard]] SandboxConfig read_sandbox_config(Fields fields);
[[nodiscard]] ContainerConfig read_container_config(Fields& fields);
[[nodiscard]] ExecConfig read_exec_config(Fields fields);

[[nodiscard]] Json to_json(const SandboxFacts& facts);
[[nodiscard]] Json to_json(const ContainerFacts& facts);
[[nodiscard]] Json to_json(const ExecFacts& facts);
[[nodiscard]] Json to_json(const ExitRecord& record);
[[nodiscard]] SandboxFacts read_sandbox_facts(Fields fields);
[[nodiscard]] ContainerFacts read_container_facts(Fields fields);
[[nodiscard]] ExecFacts read_exec_facts(Fields fields);
[[nodiscard]] ExitRecord read_exit_record(Fields fields);

[[nodiscard]] Json to_json(const Error& error);
[[nodiscard]] Error read_error(Fields fields);

}  // namespace covey::core
