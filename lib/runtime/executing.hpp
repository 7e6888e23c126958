// A process more in a container that runs. Called by exec. Thread rule: single-threaded. Blocks
// until the process has executed its program or could not.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/commands.hpp"
#include "runtime/container_store.hpp"
#include "runtime/creating.hpp"
#include "runtime/status.hpp"
#include "spec/types.hpp"

#include <string>
#include <vector>

namespace covey::runtime {

struct ExecTarget {
    const ContainerFolder& folder;
    const ContainerView& view;    // running
    bool plain_newlines = false;  // of the process's terminal
};
struct ExecutedProcess {
    pid_t pid = 0;
    UniqueFd process;   // pidfd; it is this process's child
    UniqueFd terminal;  // pty master, if it has a terminal
};
/// `sub_groups`: groups below the container's that it joins instead (sub_group.hpp).
[[nodiscard]] ExecutedProcess execute_in(const ExecTarget& target, const spec::Process& process,
                                         const InheritedFds& fds,
                                         const std::vector<std::string>& sub_groups);

}  // namespace covey::runtime
