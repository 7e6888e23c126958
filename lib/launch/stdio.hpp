// A container's standard streams, opened on the host before any namespace is entered.
// Called by the launcher. Blocks only as open(2) of a regular file does; FIFOs never block.
#pragma once

#include "base/unique_fd.hpp"
#include "launch/user_namespace.hpp"
#include "plan/plan.hpp"

#include <string>

#include <sys/types.h>

namespace covey::launch {

/// "null", "file:/path", "fifo:/path", "inherit" (the caller's own); for `in` also "hold".
struct StdioNames {
    std::string in = "null", out = "null", err = "null";
};
/// Descriptors to be 0, 1, 2 of the process.
struct Stdio {
    UniqueFd in, out, err;
    UniqueFd held;  // our end of "hold"
};

/// Throws invalid_argument naming the stream and the value.
[[nodiscard]] Stdio open_stdio(const StdioNames& names);
/// One output stream alone (where a terminal's output is copied to).
[[nodiscard]] UniqueFd open_output(const std::string& name, const char* stream);
/// Pipes belong to the process's user, who may then open /dev/stdout anew. Others (the null device,
/// files, FIFOs and terminals of the host) stay whose they are. `uid` as this process's user
/// namespace has it; what it may not give is left as it is, as runc leaves it.
void give_pipes(const Stdio& stdio, uid_t uid);
/// The same from the host, for a process whose user namespace is made later, with these maps: from
/// inside nobody can give away what is not the namespace's own.
void give_pipes_on_host(const Stdio& stdio, const plan::ProcessPlan& process,
                        const IdMappings& uids);
/// Of a stream that could not become 0, 1 or 2. dup2(2): EBADF is also said of a number that
/// RLIMIT_NOFILE does not allow.
[[nodiscard]] Error dup_error(int error, const char* what);
/// The three become 0, 1, 2. In the process that will exec.
void install_stdio(const Stdio& stdio);
/// Descriptors 3 … 2 + count stay open over the exec.
void pass_on_descriptors(unsigned count);

}  // namespace covey::launch
