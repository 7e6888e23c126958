// The socket's file: where it is, whose it is, and that only one daemon listens there.
// Owned by the listener. Thread rule: one owner. Does not block.
#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace covey::daemon {

class SocketFile {
  public:
    /// Makes missing folders, replaces a stale socket, binds, listens. Mode 0660, group `group`.
    /// Paths of any length: the address goes through /proc/self/fd. Throws failed_precondition when
    /// somebody listens there, already_exists when the file is no socket.
    SocketFile(const std::string& path, std::optional<gid_t> group);
    SocketFile(SocketFile&&) noexcept = default;
    SocketFile& operator=(SocketFile&&) = delete;
    SocketFile(const SocketFile&) = delete;
    ~SocketFile() = default;

    /// Non-blocking.
    [[nodiscard]] FdRef listener() const noexcept { return listener_.ref(); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Takes the file away: for an orderly end. A killed daemon leaves it, the next one replaces
    /// it.
    void remove() const noexcept;

  private:
    void share_folder(std::optional<gid_t> group) const;
    std::string path_, name_;
    UniqueFd folder_, listener_;
};

}  // namespace covey::daemon
