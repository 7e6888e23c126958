// A descriptor that the io_context watches. One place, because it can fail: the kernel counts
// watches for each user (fs.epoll.max_user_watches), and then it is that account's fault, not ours.
// Used by the engine and the API. Thread rule: the io_context's one thread. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <utility>

namespace covey::daemon {

/// Takes `fd` over; throws what the kernel says, and then `fd` is closed.
template <typename Where>
[[nodiscard]] boost::asio::posix::stream_descriptor loop_descriptor(Where&& where, UniqueFd fd) {
    boost::asio::posix::stream_descriptor descriptor(std::forward<Where>(where));
    boost::system::error_code error;
    descriptor.assign(fd.get(), error);
    if (error) throw Error::from_errno(error.value(), "epoll_ctl", "a descriptor of coveyd's");
    (void)fd.release();
    return descriptor;
}

}  // namespace covey::daemon
