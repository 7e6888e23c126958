// A shim as a process: reaped when it is our child, and killed when it no longer answers. Shims of
// an earlier daemon are nobody's children of ours; they are only watched. Used by the engine only.
// Thread rule: the io_context's one thread.
#pragma once

#include "base/unique_fd.hpp"
#include "engine/async.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>

namespace covey::daemon {

class ShimProcess : public std::enable_shared_from_this<ShimProcess> {
  public:
    enum class Whose { child, foreign };
    /// Takes the pidfd over and begins to watch it.
    static std::shared_ptr<ShimProcess> watch(boost::asio::any_io_executor executor, UniqueFd pidfd,
                                              Whose whose);

    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// SIGKILL. Gone already: nothing.
    void kill();
    /// False when it still runs at the deadline.
    boost::asio::awaitable<bool> wait_ended(Clock::time_point deadline);

  private:
    ShimProcess(boost::asio::any_io_executor executor, UniqueFd pidfd, Whose whose);
    boost::asio::awaitable<void> reap();
    [[nodiscard]] bool try_reap();

    boost::asio::posix::stream_descriptor pidfd_;
    Whose whose_;
    bool ended_ = false;
    Signal changed_;
};

}  // namespace covey::daemon
