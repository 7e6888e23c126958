// Making a container: from the bundle to an init that waits at its gate. The command forks a
// launcher (lib/launch), which clones init as the command's own child; when the command ends, the
// caller's subreaper inherits it. Called by create and run. Thread rule: single-threaded. Blocks
// until init is ready, hooks included. What fails is undone before the error is thrown.
#pragma once

#include "base/unique_fd.hpp"
#include "launch/launcher.hpp"
#include "launch/message.hpp"
#include "runtime/commands.hpp"
#include "runtime/console.hpp"
#include "runtime/container_store.hpp"
#include "runtime/options.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::runtime {

/// How many descriptors from 3 up go to the container's program.
struct InheritedFds {
    unsigned count = 0;
    unsigned listen_fds = 0;  // of these, systemd's (sd_listen_fds(3))
    /// What else was inherited: names on the command line may mean it (/dev/fd/N).
    std::vector<int> others;
};
/// From the flag's value and LISTEN_FDS, if that is meant for this process. It comes before
/// anything of ours is open. Throws invalid_argument when one of them is not open. `also` is none
/// of the others.
[[nodiscard]] InheritedFds take_inherited_fds(const std::string& flag, FdRef also = FdRef{-1});
/// Once, when the command line's names have been opened and before anything is launched: the
/// others, but the one that `log_file` names.
void close_others(const InheritedFds& fds, std::string_view log_file);

struct CreateOptions {
    std::string bundle = ".", console_socket, pid_file, pidfd_socket, preserve_fds = "0";
    bool no_pivot = false, no_new_keyring = false;
    /// Nobody relays the terminal: it goes to the console socket.
    bool detached = true;
    InheritedFds fds;
};
void add_create_flags(Flags& flags, CreateOptions& options);

/// A container whose init waits at the gate.
struct CreatedContainer {
    core::ContainerRecord record;
    ContainerFolder folder;  // locked
    UniqueFd init;           // pidfd; init is this process's child
    UniqueFd terminal;       // pty master, unless it went to a console socket
};

[[nodiscard]] CreatedContainer create_container(const Globals& globals,
                                                const CreateOptions& options,
                                                const std::string& id);

/// LISTEN_FDS and LISTEN_PID of the container's program.
void add_listen_variables(spec::Process& process, const InheritedFds& fds);

/// Folder of compiled seccomp filters, shared with the shims; "" when it cannot be used.
[[nodiscard]] std::string seccomp_cache_folder();

}  // namespace covey::runtime
