// Sockets and files that a caller names on the command line. They are found, from the caller's
// working directory, before anything is made, so that a wrong name costs nothing. Thread rule:
// single-threaded. Blocks as connect(2) and the filesystem do.
#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace covey::runtime {

/// The number in a path that means a descriptor of this process: /dev/fd/N, /proc/self/fd/N,
/// /dev/stdin, /dev/stdout, /dev/stderr.
[[nodiscard]] std::optional<int> descriptor_named(std::string_view path);
/// All of a file, pipe or device; waits for who writes to a pipe. Throws with the flag's name.
[[nodiscard]] std::string read_named(const std::string& path, std::string_view flag,
                                     std::size_t limit);
/// A connection to the stream socket at `path`; `flag` names it in errors.
[[nodiscard]] UniqueFd connect_socket(const std::string& path, std::string_view flag);
/// One message: `name` as its bytes, the descriptor in SCM_RIGHTS (what conmon and containerd's
/// shim read).
void send_descriptor(FdRef socket, FdRef descriptor, std::string_view name);

/// A file that the caller waits for: written whole under another name, then renamed.
class PidFile {
  public:
    PidFile() = default;
    /// Empty: there is none. Throws when its folder is not there, or something else than a regular
    /// file has its name.
    explicit PidFile(const std::string& path);
    /// The host's number, digits only.
    void write(pid_t pid) const;

  private:
    void require_replaceable() const;

    std::string path_, name_;
    UniqueFd folder_;
};

}  // namespace covey::runtime
