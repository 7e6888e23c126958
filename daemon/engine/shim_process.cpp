#include "engine/shim_process.hpp"

#include "base/log.hpp"
#include "engine/loop_descriptor.hpp"
#include "sys/process.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

std::shared_ptr<ShimProcess> ShimProcess::watch(asio::any_io_executor executor, UniqueFd pidfd,
                                                Whose whose) {
    std::shared_ptr<ShimProcess> process(new ShimProcess(executor, std::move(pidfd), whose));
    asio::co_spawn(
        executor,
        [](std::shared_ptr<ShimProcess> self) -> asio::awaitable<void> {
            co_await self->reap();
        }(process),
        asio::detached);
    return process;
}

ShimProcess::ShimProcess(asio::any_io_executor executor, UniqueFd pidfd, Whose whose)
    : pidfd_(loop_descriptor(executor, std::move(pidfd))), whose_(whose), changed_(executor) {
}

asio::awaitable<void> ShimProcess::reap() {
    for (bool running = true; running;) {
        boost::system::error_code failed;
        co_await pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                                   asio::redirect_error(asio::use_awaitable, failed));
        if (failed) co_return;
        running = whose_ == Whose::child && !try_reap();
    }
    ended_ = true;
    boost::system::error_code ignored;
    pidfd_.close(ignored);
    changed_.notify();
}

/// False while there is nothing to reap: asio may report readiness that is none.
bool ShimProcess::try_reap() {
    const auto status = sys::try_wait_process(FdRef{pidfd_.native_handle()});
    if (!status) return true;  // ECHILD: it is not ours any more
    if (!status.value()) return false;
    if (status.value()->code != 0)
        log::warning("a shim ended badly", {{"status", std::to_string(status.value()->code)}});
    return true;
}

void ShimProcess::kill() {
    if (ended_) return;
    const auto sent = sys::pidfd_send_signal(FdRef{pidfd_.native_handle()}, SIGKILL);
    if (!sent && sent.error() != ESRCH)
        log::warning("cannot kill a shim", {{"errno", std::to_string(sent.error())}});
}

asio::awaitable<bool> ShimProcess::wait_ended(Clock::time_point deadline) {
    const auto self = shared_from_this();
    while (!ended_ && Clock::now() < deadline)
        co_await changed_.wait_until(deadline);
    co_return ended_;
}

}  // namespace covey::daemon
