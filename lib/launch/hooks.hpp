// The hooks of config.json: each a program with the container's state as JSON on its stdin, run in
// order, the first that fails ending the row. Called by covey-runtime (prestart, createRuntime,
// poststart, poststop), the launcher (createContainer) and init (startContainer): in whose
// namespaces a hook runs is decided by who calls. Thread rule: single-threaded programs. Blocks
// until a hook ends or its time is over; then it and its process group are killed.
#pragma once

#include "spec/types.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::launch {

/// The container's state as JSON, with this pid and status.
using HookState = std::function<std::string(pid_t pid, const char* status)>;

/// `kind` ("createRuntime") and the hook's number are in the error, with what it printed (the first
/// 4 KiB). The hook gets exactly its own args and env, no descriptor of ours, no signal blocked.
/// Throws Code::failed_precondition when it fails, Code::timeout when it takes too long.
void run_hook(const spec::Hook& hook, std::string_view kind, std::size_t number,
              const std::string& state);
/// All of them; throws what the first that fails throws.
void run_hooks(const std::vector<spec::Hook>& hooks, std::string_view kind,
               const std::string& state);

}  // namespace covey::launch
