// Work that may take long and touches nothing of the engine's: in a thread of its own, while the
// coroutine waits and the loop goes on. Used by the engine only. Thread rule: the io_context's one
// thread calls; `work` runs in another one, and what it has is its own. Nothing blocks.
#pragma once

#include "covey/error.hpp"
#include "engine/loop_descriptor.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace covey::daemon {

/// What `work` returns, or throws. Whoever does not wait any more, or a coveyd that ends, leaves
/// the thread to itself. Throws resource_exhausted when there is no thread to be had.
template <typename T>
boost::asio::awaitable<T> beside(boost::asio::any_io_executor executor, std::function<T()> work) {
    struct Outcome {
        std::mutex mutex;
        UniqueFd done;  // not the loop's own: that one may be closed first
        bool ended = false;
        std::exception_ptr error;
        std::optional<T> value;

        [[nodiscard]] bool has_ended() {
            const std::lock_guard lock{mutex};
            return ended;
        }
    };
    auto outcome = std::make_shared<Outcome>();
    UniqueFd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!event) throw Error::from_errno(errno, "eventfd");
    outcome->done = UniqueFd{::fcntl(event.get(), F_DUPFD_CLOEXEC, 3)};
    if (!outcome->done) throw Error::from_errno(errno, "dup", "eventfd");
    auto descriptor = loop_descriptor(executor, std::move(event));
    try {
        std::thread([outcome, task = std::move(work)] {
            std::exception_ptr error;
            std::optional<T> value;
            try {
                value.emplace(task());
            } catch (...) {
                error = std::current_exception();
            }
            const std::lock_guard lock{outcome->mutex};
            outcome->error = std::move(error);
            outcome->value = std::move(value);
            outcome->ended = true;
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto told = ::write(outcome->done.get(), &one, sizeof one);
        }).detach();
    } catch (const std::system_error& error) {
        throw Error(Code::resource_exhausted,
                    std::string{"no thread can be had for a list of processes: "} + error.what())
            .with_fix("give containers a pids.limit: the host's threads are used up");
    }
    // The loop may wake for what a descriptor of the same number had before.
    while (!outcome->has_ended())
        co_await descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                       boost::asio::use_awaitable);
    if (outcome->error) std::rethrow_exception(outcome->error);
    co_return std::move(*outcome->value);
}

}  // namespace covey::daemon
