#include "task/launching.hpp"

#include "sys/process.hpp"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include <poll.h>
#include <sys/epoll.h>

namespace covey::task {
namespace {

constexpr std::chrono::seconds kLimit{30};

bool has_input(FdRef socket) {
    pollfd entry{socket.get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

}  // namespace

Launching::Launching(Owner& owner, Reaper& reaper, UniqueFd handshake, UniqueFd launcher,
                     Callbacks callbacks)
    : owner_(owner),
      reaper_(reaper),
      handshake_(std::move(handshake)),
      launcher_(std::move(launcher)),
      callbacks_(std::move(callbacks)),
      awaits_launcher_(!launcher_) {
    messages_ = owner_.watch(handshake_, EPOLLIN, [this] { drain(); });
    if (launcher_)
        launcher_end_ = reaper_.expect(launcher_, owner_, [this](const sys::ExitStatus&) {
            launcher_.reset();
            on_child_ended();
        });
    deadline_ = owner_.after(kLimit, [this] {
        failed_ = true;
        callbacks_.failed(
            Error(Code::timeout, "the launch took longer than 30 s")
                .with_fix("look for a mount or a device that hangs: the launcher was killed"));
    });
}

void Launching::cancel_deadline() {
    deadline_.cancel();
}

void Launching::drain() {
    while (handshake_ && has_input(handshake_)) {
        std::optional<launch::Message> message;
        try {
            message = launch::receive_message(handshake_);
        } catch (const Error& error) {
            message = launch::Failed{error};
        }
        if (message)
            handle(std::move(*message));
        else
            close();
    }
}

void Launching::handle(launch::Message message) {
    if (auto* born = std::get_if<launch::Born>(&message)) {
        born_ = true;
        callbacks_.born(std::move(*born));
        tell_failure();
        if (ready_) on_ready();
    } else if (auto* ready = std::get_if<launch::Ready>(&message)) {
        // Launcher and init share their end: a quick init speaks before the launcher tells its
        // birth.
        ready_ = true;
        terminal_ = std::move(ready->terminal);
        if (born_) on_ready();
    } else if (auto* helper = std::get_if<launch::Helper>(&message)) {
        awaits_launcher_ = false;
        const int number = helper->pidfd.get();
        auto end = reaper_.expect(helper->pidfd, owner_, [this, number](const sys::ExitStatus&) {
            helpers_.erase(number);
            on_child_ended();
        });
        helpers_[number] = {std::move(helper->pidfd), std::move(end)};
    } else if (std::holds_alternative<launch::NeighboursDue>(message)) {
        callbacks_.neighbours_due();
    } else if (auto* spawner = std::get_if<launch::Spawner>(&message)) {
        callbacks_.spawner(std::move(*spawner));
    } else if (auto* filter = std::get_if<launch::SeccompListener>(&message)) {
        callbacks_.listener(std::move(filter->listener));
    } else if (std::holds_alternative<launch::Dropped>(message)) {
        callbacks_.dropped();
    } else if (!std::exchange(failed_, true)) {
        // The API refuses hooks, so a launcher that asks for them is one that went wrong.
        const auto* failed = std::get_if<launch::Failed>(&message);
        failure_ = failed != nullptr ? failed->error
                                     : Error(Code::internal, "the launcher asks for hooks");
        // A quick init fails before the launcher has told its birth. Who tidied up now would kill
        // the launcher, and nobody would ever know whom to reap.
        if (born_ || !launcher_alive()) tell_failure();
    }
}

void Launching::go() {
    if (!handshake_) return;
    try {
        launch::send_go(handshake_);
    } catch (const Error&) {
        // The launcher has ended: the end of its stream tells that.
    }
}

void Launching::tell_failure() {
    if (failure_) callbacks_.failed(*std::exchange(failure_, std::nullopt));
}

void Launching::on_ready() {
    cancel_deadline();
    callbacks_.ready(std::move(terminal_));
}

void Launching::close() {
    cancel_deadline();
    messages_.end();
    handshake_.reset();
    // The spawner has ended, or could not clone it.
    const bool never_came = std::exchange(awaits_launcher_, false);
    if (failed_) {
        if (never_came) on_child_ended();
        return;
    }
    if (born_)
        callbacks_.closed();
    else
        callbacks_.failed(
            Error(Code::internal, "the launcher ended without a word")
                .with_fix("it was killed (out of memory?) or crashed: look into the kernel's log"));
}

void Launching::on_child_ended() {
    if (launcher_alive()) return;
    drain();
    if (launcher_alive()) return;  // its last word was of a helper
    tell_failure();
    callbacks_.launcher_ended();
}

}  // namespace covey::task
