// The foreground half of `covey run`: the container's streams on this terminal, its signals from
// it, its exit code to it. Called by cmd_run.cpp. Thread rule: one thread.
#pragma once

#include "base/unique_fd.hpp"
#include "ctl/requests.hpp"
#include "ctl/session.hpp"
#include "ctl/temporary_bundle.hpp"

#include <string>

namespace covey::ctl {

/// FIFOs in the bundle's folder, for the streams that the user did not send elsewhere.
class AttachedStreams {
  public:
    /// Fills in the streams of `wish` that are empty; `with_input` also its standard input. Our
    /// ends that read are open when it returns, so that nothing is lost and nobody waits for us.
    AttachedStreams(const TemporaryBundle& folder, CreateContainerRequest& wish, bool with_input);

    /// After the container was created, when the other end of its standard input is open.
    void connect_input();
    [[nodiscard]] FdRef output() const { return output_.ref(); }
    [[nodiscard]] FdRef error() const { return error_.ref(); }
    [[nodiscard]] FdRef input() const { return input_.ref(); }
    /// The container sees the end of its input.
    void close_input() { input_.reset(); }

  private:
    std::string input_path_;
    UniqueFd input_, output_, error_;
};

struct FollowedEnd {
    int exit_code = 0;
    /// Why not all that it wrote could be passed on: EPIPE, ENOSPC …; 0: all was.
    int output_error = 0;
};
/// Blocks until the container has ended and all it wrote is printed. Where nobody reads this
/// command's own output any more the container is killed, as a program in a pipeline is; where it
/// cannot be written for another reason the container is told to end, and killed after 10 s.
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT go to the container; the third SIGINT ends the command
/// instead.
[[nodiscard]] FollowedEnd follow_container(const Session& session, const std::string& container,
                                           AttachedStreams& streams);

}  // namespace covey::ctl
