// sd_notify(3) through the container's wall: where the caller has a NOTIFY_SOCKET, the container
// gets one of its own (/run/notify/notify.sock), and when its program says READY=1 the caller's is
// told, with init's number as MAINPID. As runc does it. Called by create, start and run. Thread
// rule: single-threaded. Blocks as each function says.
#pragma once

#include "base/unique_fd.hpp"
#include "spec/types.hpp"

#include <string>

#include <sys/types.h>

namespace covey::runtime {

class NotifySocket {
  public:
    [[nodiscard]] static bool is_wanted();
    /// The mount and the variable; the container's state folder is `root`/`id`.
    static void add_to(spec::Spec& spec, const std::string& root, const std::string& id);
    static void make_folder(FdRef state_folder);
    /// Whether that was done when the container was created.
    [[nodiscard]] static bool has_folder(FdRef state_folder);

    /// Before the gate opens, so that no message is lost.
    NotifySocket(FdRef state_folder, pid_t init);
    [[nodiscard]] FdRef fd() const noexcept { return socket_; }
    /// What has arrived; true when the program is ready and the caller has been told.
    bool pass_on();
    /// Blocks until the program is ready or `init` (a pidfd) has ended.
    void wait(FdRef init);

  private:
    UniqueFd socket_;
    pid_t init_;
};

}  // namespace covey::runtime
