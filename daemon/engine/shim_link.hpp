// The daemon's end of one shim's socket, without ever blocking: each request waits as a coroutine
// for the answer with its number, events go to a callback in the order in which the shim sent them,
// and the end of the socket fails every request that still waits. An answer is acted upon before
// the next packet is read: whoever awaits it runs up to its next suspension first. So "created" is
// always recorded before "exited" is handled. Used by the engine only. Thread rule: the
// io_context's one thread.
#pragma once

#include "base/unique_fd.hpp"
#include "core/messages.hpp"
#include "engine/async.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::daemon {

class ShimLink : public std::enable_shared_from_this<ShimLink> {
  public:
    struct Handlers {
        std::function<void(core::Event)> event;
        /// The shim is gone, or speaks nonsense: once, and never after close().
        std::function<void()> gone;
        /// Of the shim, when it stands still (state T or t): asked while an answer is late.
        std::function<std::optional<pid_t>()> stopped;
    };
    /// Takes the connected socket over. `name` is the sandbox's id, for errors.
    /// `deadline` is the longest time that it may take for an answer.
    static std::shared_ptr<ShimLink> open(boost::asio::any_io_executor executor, std::string name,
                                          UniqueFd connection, std::chrono::milliseconds deadline,
                                          Handlers handlers);
    ~ShimLink();

    struct Answer {
        core::ReplyBody body;
        std::vector<core::StatusItem> items;  // of Status
        std::vector<UniqueFd> fds;
    };
    /// Throws the shim's own Error; sandbox_gone when the shim is gone or goes; timeout when it
    /// does not answer in time (it may still do what it was asked for), unavailable when it was
    /// stopped by a signal, or is traced, and so for two seconds. `fds` are borrowed until sent.
    boost::asio::awaitable<Answer> call(core::RequestBody body, std::vector<FdRef> fds = {});
    /// The same for an answer of one type.
    template <typename Reply>
    boost::asio::awaitable<Reply> ask(core::RequestBody body) {
        auto answer = co_await call(std::move(body));
        if (auto* reply = std::get_if<Reply>(&answer.body)) co_return std::move(*reply);
        throw wrong_answer();
    }

    [[nodiscard]] bool alive() const noexcept { return descriptor_.is_open(); }
    /// Requests that still wait fail with sandbox_gone; no callback any more.
    void close();
    [[nodiscard]] Error wrong_answer() const;

  private:
    struct Pending {
        explicit Pending(boost::asio::any_io_executor executor) : done(std::move(executor)) {}
        Signal done;
        bool answered = false;
        Answer answer;
    };
    ShimLink(boost::asio::any_io_executor executor, std::string name, UniqueFd connection,
             std::chrono::milliseconds deadline, Handlers handlers);

    /// Throws unless the answer is there.
    boost::asio::awaitable<void> await_answer(std::string operation,
                                              std::shared_ptr<Pending> pending,
                                              Clock::time_point deadline);
    boost::asio::awaitable<void> send(std::string packet, const std::vector<FdRef>& fds,
                                      Pending& pending, Clock::time_point deadline);
    boost::asio::awaitable<void> read_packets();
    /// True when an answer went to a request that waits.
    bool dispatch(core::ShimMessage message, std::vector<UniqueFd> fds);
    void end(const std::string& reason);
    [[nodiscard]] Error gone_error() const;
    [[nodiscard]] Error stopped_error(pid_t pid) const;

    boost::asio::posix::stream_descriptor descriptor_;
    std::string name_;
    std::chrono::milliseconds deadline_;
    Handlers handlers_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, std::shared_ptr<Pending>> pending_;
};

}  // namespace covey::daemon
