#include "engine/shim_link.hpp"

#include "base/log.hpp"
#include "core/protocol.hpp"
#include "engine/loop_descriptor.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLookAgain{1};  // at a shim whose answer is late

}  // namespace

std::shared_ptr<ShimLink> ShimLink::open(asio::any_io_executor executor, std::string name,
                                         UniqueFd connection, std::chrono::milliseconds deadline,
                                         Handlers handlers) {
    sys::set_nonblocking(connection, true).or_throw("make non-blocking", "the shim's socket");
    std::shared_ptr<ShimLink> link(new ShimLink(executor, std::move(name), std::move(connection),
                                                deadline, std::move(handlers)));
    asio::co_spawn(
        executor,
        [](std::shared_ptr<ShimLink> self) -> asio::awaitable<void> {
            co_await self->read_packets();
        }(link),
        asio::detached);
    return link;
}

ShimLink::ShimLink(asio::any_io_executor executor, std::string name, UniqueFd connection,
                   std::chrono::milliseconds deadline, Handlers handlers)
    : descriptor_(loop_descriptor(std::move(executor), std::move(connection))),
      name_(std::move(name)),
      deadline_(deadline),
      handlers_(std::move(handlers)) {
}

ShimLink::~ShimLink() = default;

Error ShimLink::gone_error() const {
    return Error(Code::sandbox_gone, fmt::format("the shim of sandbox '{}' is gone", name_))
        .with_fix(fmt::format(
            "delete the sandbox (covey sandbox rm --force {}) and create it again", name_));
}

Error ShimLink::stopped_error(pid_t pid) const {
    return Error(Code::unavailable,
                 fmt::format("the shim of sandbox '{}' (pid {}) is stopped (state T)", name_, pid))
        .with_fix(fmt::format("continue it with kill -CONT {}, or delete the sandbox: covey "
                              "sandbox rm --force {}",
                              pid, name_));
}

Error ShimLink::wrong_answer() const {
    return Error(Code::internal,
                 fmt::format("the shim of sandbox '{}' gave an answer of another type", name_));
}

asio::awaitable<ShimLink::Answer> ShimLink::call(core::RequestBody body, std::vector<FdRef> fds) {
    const auto self = shared_from_this();
    if (!alive()) throw gone_error();
    const auto deadline = Clock::now() + deadline_;
    const std::string operation{core::operation_name(body)};
    const auto number = ++last_number_;
    auto pending = std::make_shared<Pending>(descriptor_.get_executor());
    struct Forget {
        ShimLink& link;
        std::uint64_t number;
        ~Forget() { link.pending_.erase(number); }
    } const forget{*this, number};
    pending_.emplace(number, pending);

    const core::Request request{number, std::move(body)};
    std::string packet = core::encode(request);
    co_await send(std::move(packet), fds, *pending, deadline);
    co_await await_answer(operation, pending, deadline);
    if (auto* error = std::get_if<Error>(&pending->answer.body)) throw Error(*error);
    co_return std::move(pending->answer);
}

asio::awaitable<void> ShimLink::await_answer(std::string operation,
                                             std::shared_ptr<Pending> pending,
                                             Clock::time_point deadline) {
    std::optional<pid_t> before;
    while (!pending->answered && alive() && Clock::now() < deadline) {
        co_await pending->done.wait_until(std::min(deadline, Clock::now() + kLookAgain));
        if (pending->answered || !alive() || !handlers_.stopped) continue;
        const auto stopped = handlers_.stopped();
        if (stopped && before) throw stopped_error(*stopped);
        before = stopped;
    }
    if (pending->answered) co_return;
    if (!alive()) throw gone_error();
    throw Error(Code::timeout, fmt::format("{}: no answer from the shim of sandbox '{}' in {} ms",
                                           operation, name_, deadline_.count()))
        .with_fix("try again; a mount of the bundle may hang");
}

asio::awaitable<void> ShimLink::send(std::string packet, const std::vector<FdRef>& fds,
                                     Pending& pending, Clock::time_point deadline) {
    while (alive()) {
        const auto sent = sys::send_packet(FdRef{descriptor_.native_handle()}, packet, fds);
        if (sent) co_return;
        if (sent.error() == EPIPE || sent.error() == ECONNRESET || sent.error() == ENOTCONN)
            throw gone_error();  // the reader sees it too, and calls the callback
        if (sent.error() != EAGAIN)
            throw Error::from_errno(sent.error(), "send to the shim of sandbox", name_);
        // Its queue is full: the shim is busy or stopped. Polled, because it is rare and a
        // readiness wait would have no end of its own.
        if (Clock::now() >= deadline) co_return;
        co_await pending.done.wait_until(Clock::now() + std::chrono::milliseconds{2});
    }
    throw gone_error();
}

asio::awaitable<void> ShimLink::read_packets() {
    while (alive()) {
        auto packet = sys::receive_packet(FdRef{descriptor_.native_handle()});
        if (!packet && packet.error() == EAGAIN) {
            boost::system::error_code ignored;
            co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                                            asio::redirect_error(asio::use_awaitable, ignored));
            continue;
        }
        if (!packet) {
            end(Error::from_errno(packet.error(), "receive").detail());
            co_return;
        }
        if (packet.value().data.empty()) {
            end("end of its socket");
            co_return;
        }
        std::optional<core::ShimMessage> message;
        try {
            message = core::decode_shim_message(packet.value().data);
        } catch (const std::exception& error) {
            end(error.what());
            co_return;
        }
        bool answered = false;
        try {
            answered = dispatch(std::move(*message), std::move(packet.value().fds));
        } catch (const std::exception& error) {  // ours: the shim and its pod have done nothing
            log::error("what a shim told could not be dealt with",
                       {{"sandbox", name_}, {"problem", error.what()}});
        }
        // The one who waits was made ready before this, so it runs before the next packet is read.
        if (answered) co_await asio::post(descriptor_.get_executor(), asio::use_awaitable);
    }
}

bool ShimLink::dispatch(core::ShimMessage message, std::vector<UniqueFd> fds) {
    if (auto* event = std::get_if<core::Event>(&message)) {
        if (handlers_.event) handlers_.event(std::move(*event));
        return false;
    }
    auto& reply = std::get<core::Reply>(message);
    const auto at = pending_.find(reply.number);
    if (at == pending_.end()) {
        log::debug("late answer of a shim dropped", {{"sandbox", name_}});
        return false;
    }
    auto& pending = *at->second;
    if (auto* item = std::get_if<core::StatusItem>(&reply.body)) {
        pending.answer.items.push_back(std::move(*item));
        return false;
    }
    pending.answer.body = std::move(reply.body);
    pending.answer.fds = std::move(fds);
    pending.answered = true;
    pending.done.notify();
    return true;
}

void ShimLink::end(const std::string& reason) {
    if (!alive()) return;
    log::debug("shim is gone", {{"sandbox", name_}, {"reason", reason}});
    const auto gone = std::move(handlers_.gone);
    close();
    if (gone) gone();
}

void ShimLink::close() {
    handlers_ = {};
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    for (const auto& [number, pending] : pending_)
        pending->done.notify();
}

}  // namespace covey::daemon
