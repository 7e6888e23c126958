#include "ctl/relay.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/client.hpp"
#include "ctl/frames.hpp"
#include "ctl/requests.hpp"
#include "ctl/terminal.hpp"
#include "sys/file.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace covey::ctl {
namespace {

constexpr std::size_t kBuffer = std::size_t{64} * 1024;

/// At most one buffer of what is there; empty at the end of the file.
std::string read_once(FdRef fd) {
    std::string buffer(kBuffer, '\0');
    ssize_t got = -1;
    do {
        got = ::read(fd.get(), buffer.data(), buffer.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw Error::from_errno(errno, "read standard input");
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
}

class ExecRelay {
  public:
    ExecRelay(const std::string& socket_path, const Request& request, FollowedSize size)
        : socket_path_(socket_path),
          followed_(std::move(size)),
          exchange_(socket_path, request),
          input_open_(request.streams_input),
          framed_(!request.accept.empty()) {}

    int run() {
        exchange_.advance();
        while (!exchange_.finished()) {
            wait();
            exchange_.advance();
            deliver(exchange_.take_body());
        }
        deliver(exchange_.take_body());
        return result();
    }

  private:
    void wait() {
        const bool sending = exchange_.wants_to_send();
        // Before the head of the answer has come nobody knows the exec's id.
        const bool sizes = followed_.changes && exchange_.has_header();
        std::array<pollfd, 3> waiting{
            pollfd{exchange_.fd().get(), static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0},
            // One piece of input at a time: a process that does not read holds its writer up.
            pollfd{input_open_ && !sending ? STDIN_FILENO : -1, POLLIN, 0},
            pollfd{sizes ? followed_.changes.get() : -1, POLLIN, 0}};
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            if (errno == EINTR) return;
            throw Error::from_errno(errno, "wait for the process");
        }
        if (waiting[1].revents != 0) forward_input();
        if (waiting[2].revents != 0) forward_size();
    }

    /// Not worth an end of the session where it does not succeed: the exec may have ended
    /// meanwhile, or coveyd be out of connections.
    void forward_size() {
        take_window_change(followed_.changes);
        const auto size = terminal_size(FdRef{STDIN_FILENO});
        const auto exec = exchange_.field("Covey-Exec-Id");
        if (exec.empty() || size.rows == 0 || size.columns == 0) return;
        try {
            static_cast<void>(
                call(socket_path_, resize(followed_.container, size.rows, size.columns, exec)));
        } catch (const Error&) {  // said above
        }
    }

    void forward_input() {
        const std::string data = read_once(FdRef{STDIN_FILENO});
        if (data.empty()) {
            exchange_.end_chunks();
            input_open_ = false;
        } else {
            exchange_.send_chunk(data);
        }
    }

    void deliver(const std::string& body) {
        if (body.empty()) return;
        if (exchange_.status() >= kFirstFailure) {
            problem_ += body;
        } else if (!framed_) {
            write(STDOUT_FILENO, body);
        } else {
            for (const Piece& piece : frames_.feed(body))
                deliver(piece);
        }
    }

    void deliver(const Piece& piece) {
        if (piece.stream == Stream::problem)
            problem_ += piece.bytes;
        else
            write(piece.stream == Stream::error ? STDERR_FILENO : STDOUT_FILENO, piece.bytes);
    }

    static void write(int fd, const std::string& bytes) {
        sys::write_all(FdRef{fd}, bytes).or_throw("write the output of the process");
    }

    [[nodiscard]] int result() const {
        if (!problem_.empty() || exchange_.status() >= kFirstFailure)
            throw decode_problem(exchange_.status(), problem_);
        const auto code = parse_u32(exchange_.field("Covey-Exit-Code"));
        if (!code || *code > 255 || (framed_ && !frames_.at_boundary()))
            throw Error(Code::unavailable,
                        "coveyd's answer ended without the exit code of the process")
                .with_fix("see coveyd's log");
        return static_cast<int>(*code);
    }

    std::string socket_path_;
    FollowedSize followed_;
    Exchange exchange_;
    FrameReader frames_;
    std::string problem_;
    bool input_open_, framed_;
};

}  // namespace

int relay_exec(const std::string& socket_path, const Request& request, FollowedSize size) {
    return ExecRelay(socket_path, request, std::move(size)).run();
}

void Pump::advance() {
    if (ended_) return;
    if (pending_.empty()) {
        pending_.resize(kBuffer);
        const ssize_t got = ::read(from_.get(), pending_.data(), pending_.size());
        const int error = errno;
        pending_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        if (got == 0 || (got < 0 && error != EAGAIN && error != EINTR)) ended_ = true;
    }
    if (write_error_ != 0) pending_.clear();
    if (pending_.empty()) return;
    const ssize_t sent = ::write(to_.get(), pending_.data(), pending_.size());
    if (sent > 0) {
        pending_.erase(0, static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        write_error_ = errno;
        ended_ = on_refusal_ == OnRefusal::end;
        pending_.clear();
    }
}

}  // namespace covey::ctl
