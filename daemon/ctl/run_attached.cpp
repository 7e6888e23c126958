#include "ctl/run_attached.hpp"

#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/client.hpp"
#include "ctl/relay.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace covey::ctl {
namespace {

constexpr int kInterruptsToLeave = 3;

UniqueFd open_fifo(const std::string& path, int flags) {
    return sys::open(path, flags | O_NONBLOCK).or_throw("open the FIFO", path);
}

/// The signals that are meant for the container, as a descriptor. SIGPIPE is blocked too: a reader
/// that went away is an error of write(2) then.
UniqueFd take_signals() {
    sigset_t forwarded{}, blocked{};
    sigemptyset(&forwarded);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
        sigaddset(&forwarded, signal);
    blocked = forwarded;
    sigaddset(&blocked, SIGPIPE);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    UniqueFd signals{::signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!signals) throw Error::from_errno(errno, "make a signal descriptor");
    return signals;
}

class Follower {
  public:
    Follower(const Session& session, const std::string& container, AttachedStreams& streams)
        : session_(session),
          container_(container),
          streams_(streams),
          signals_(take_signals()),
          waiting_(session.settings.socket, get("containers", container, "wait")),
          output_(streams.output(), FdRef{STDOUT_FILENO}, Pump::OnRefusal::discard),
          error_(streams.error(), FdRef{STDERR_FILENO}, Pump::OnRefusal::discard),
          input_(FdRef{STDIN_FILENO}, streams.input(), Pump::OnRefusal::end) {}

    FollowedEnd run() {
        waiting_.advance();
        while (!waiting_.finished()) {
            wait();
            waiting_.advance();
        }
        drain(output_);
        drain(error_);
        const std::string body = waiting_.take_body();
        if (waiting_.status() >= kFirstFailure) throw decode_problem(waiting_.status(), body);
        return {decode_exit(body).exit_code, refused()};
    }

  private:
    void wait() {
        const bool reads_input = streams_.input().valid() && input_.wants_to_read();
        const bool writes_input = streams_.input().valid() && input_.wants_to_write();
        const int wait_events = POLLIN | (waiting_.wants_to_send() ? POLLOUT : 0);
        std::array<pollfd, 6> fds{pollfd{waiting_.fd().get(), static_cast<short>(wait_events), 0},
                                  pollfd{signals_.get(), POLLIN, 0},
                                  pollfd{output_.ended() ? -1 : output_.from().get(), POLLIN, 0},
                                  pollfd{error_.ended() ? -1 : error_.from().get(), POLLIN, 0},
                                  pollfd{reads_input ? STDIN_FILENO : -1, POLLIN, 0},
                                  pollfd{writes_input ? streams_.input().get() : -1, POLLOUT, 0}};
        constexpr int kLook = 500;  // milliseconds
        if (::poll(fds.data(), fds.size(), kill_at_ ? kLook : -1) < 0) {
            if (errno == EINTR) return;
            throw Error::from_errno(errno, "wait for the container");
        }
        if (fds[1].revents != 0) forward_signal();
        if (fds[2].revents != 0) output_.advance();
        if (fds[3].revents != 0) error_.advance();
        if (fds[4].revents != 0 || fds[5].revents != 0) forward_input();
        end_where_nothing_is_taken();
    }

    /// Why this command's own output takes nothing more; 0: it does.
    [[nodiscard]] int refused() const noexcept {
        return output_.write_error() != 0 ? output_.write_error() : error_.write_error();
    }

    /// Its streams are FIFOs, which it may have open itself: no write of it would fail.
    void end_where_nothing_is_taken() {
        constexpr std::chrono::seconds kGrace{10};
        if (refused() == 0 || is_killed_) return;
        const auto now = std::chrono::steady_clock::now();
        is_killed_ = refused() == EPIPE || (kill_at_ && now >= *kill_at_);
        if (is_killed_) return send(SIGKILL, true);
        if (kill_at_) return;
        kill_at_ = now + kGrace;
        send(SIGTERM, false);
    }

    void send(int signal, bool all) {
        try {
            static_cast<void>(session_.look_up(kill(container_, fmt::to_string(signal), all)));
        } catch (const Error& error) {
            note(fmt::format("covey: signal {} not delivered: {}", signal, error.detail()));
        }
    }

    void forward_input() {
        input_.advance();
        if (input_.ended()) streams_.close_input();
    }

    void forward_signal() {
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
        const int signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGINT && ++interrupts_ >= kInterruptsToLeave)
            throw Error(Code::failed_precondition,
                        fmt::format("left container '{}' running", container_))
                .with_fix("end it: covey rm -f " + container_);
        send(signal, false);
    }

    /// Its processes are gone: what they wrote is in the FIFO, and nothing will follow.
    static void drain(Pump& pump) {
        while (!pump.ended()) {
            pollfd ready{pump.from().get(), POLLIN, 0};
            if (pump.wants_to_read() &&
                (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLIN) == 0))
                return;
            pump.advance();
        }
    }

    const Session& session_;
    const std::string& container_;
    AttachedStreams& streams_;
    UniqueFd signals_;
    Exchange waiting_;
    Pump output_, error_, input_;
    int interrupts_ = 0;
    bool is_killed_ = false;
    std::optional<std::chrono::steady_clock::time_point> kill_at_;
};

}  // namespace

AttachedStreams::AttachedStreams(const TemporaryBundle& folder, CreateContainerRequest& wish,
                                 bool with_input) {
    if (wish.out.empty()) {
        const std::string path = folder.make_fifo("stdout");
        output_ = open_fifo(path, O_RDONLY);
        wish.out = "fifo:" + path;
    }
    if (wish.err.empty()) {
        const std::string path = folder.make_fifo("stderr");
        error_ = open_fifo(path, O_RDONLY);
        wish.err = "fifo:" + path;
    }
    if (with_input) {
        input_path_ = folder.make_fifo("stdin");
        // For writing alone it could not be opened before the other end is; for both it can
        // (fifo(7)).
        input_ = open_fifo(input_path_, O_RDWR);
        wish.in = "fifo:" + input_path_;
    }
}

void AttachedStreams::connect_input() {
    // With the reading end of our own gone, a container that closes its input is noticed.
    if (input_) input_ = open_fifo(input_path_, O_WRONLY);
}

FollowedEnd follow_container(const Session& session, const std::string& container,
                             AttachedStreams& streams) {
    return Follower(session, container, streams).run();
}

}  // namespace covey::ctl
