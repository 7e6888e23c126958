#include "launch/hooks.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "plan/environment.hpp"
#include "sys/file.hpp"
#include "sys/no_sigpipe.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace covey::launch {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMostOutput = 4096;

/// The streams of one hook: ours are non-blocking, so that one that does not read or never stops
/// writing cannot hold us.
struct Streams {
    Pipe in, out;
};

/// What the specification gives a hook is what its `env` says. One that says nothing has PATH all
/// the same, for most are scripts; the runtime's own environment is not the container's to read.
plan::Environment environment_of(const spec::Hook& hook) {
    if (hook.env.empty()) return {fmt::format("PATH={}", plan::kDefaultPath)};
    return plan::unique_environment(hook.env);
}

[[noreturn]] void become_hook(const spec::Hook& hook, const plan::Environment& env,
                              const Streams& streams) noexcept {
    try {
        // A group of its own, to be killed with all it started.
        if (::setpgid(0, 0) < 0) throw Error::from_errno(errno, "setpgid");
        for (const auto& [from, to] : {std::pair{streams.in.read.get(), STDIN_FILENO},
                                       std::pair{streams.out.write.get(), STDOUT_FILENO},
                                       std::pair{streams.out.write.get(), STDERR_FILENO}})
            if (::dup3(from, to, 0) < 0)  // NOLINT(android-cloexec-dup3): to be inherited
                throw Error::from_errno(errno, "dup", "a hook's stream");
        sys::close_all_except({}).or_throw("close", "descriptors");
        const auto args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
        const auto error = sys::exec_path(hook.path, args, env);
        throw Error(Code::failed_precondition,
                    fmt::format("cannot execute it ({})", errno_name(error.value)));
    } catch (const std::exception& error) {
        (void)sys::write_all(FdRef{STDERR_FILENO}, error.what());
    }
    constexpr int kNotExecuted = 127;
    ::_exit(kNotExecuted);
}

class HookRun {
  public:
    HookRun(const spec::Hook& hook, const std::string& state) : state_(state) {
        if (hook.timeout) deadline_ = Clock::now() + std::chrono::seconds{*hook.timeout};
        streams_.in = sys::make_pipe().or_throw("pipe");
        streams_.out = sys::make_pipe().or_throw("pipe");
        const auto env = environment_of(hook);
        child_ = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "hook");
        if (child_.pid == 0) become_hook(hook, env, streams_);
        (void)::setpgid(child_.pid, child_.pid);  // whoever of us two comes first
        streams_.in.read.reset();
        streams_.out.write.reset();
        for (const auto& fd : {streams_.in.write.ref(), streams_.out.read.ref()})
            sys::set_nonblocking(fd, true).or_throw("fcntl", "pipe");
    }

    /// False: its time was over, and it was killed.
    bool wait() {
        while (!poll_once())
            if (is_late()) {
                // Not yet reaped, so the group's number is still its own.
                (void)::killpg(child_.pid, SIGKILL);
                status_ = sys::wait_process(child_.pidfd).or_throw("wait for", "hook");
                return false;
            }
        read_output();
        return true;
    }
    [[nodiscard]] sys::ExitStatus status() const { return status_; }
    [[nodiscard]] std::string output() const {
        std::string line{trim(output_)};
        std::replace_if(
            line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; },
            ' ');
        return line;
    }

  private:
    [[nodiscard]] bool is_late() const { return deadline_ && Clock::now() >= *deadline_; }
    [[nodiscard]] int milliseconds_left() const {
        if (!deadline_) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }

    /// True when it has ended.
    bool poll_once() {
        std::array<pollfd, 3> entries{pollfd{child_.pidfd.get(), POLLIN, 0},
                                      pollfd{streams_.out.read.get(), POLLIN, 0},
                                      pollfd{streams_.in.write.get(), POLLOUT, 0}};
        if (::poll(entries.data(), entries.size(), milliseconds_left()) < 0) return false;
        if (entries[1].revents != 0) read_output();
        if (entries[2].revents != 0) write_state();
        if (entries[0].revents == 0) return false;
        status_ = sys::wait_process(child_.pidfd).or_throw("wait for", "hook");
        return true;
    }

    void write_state() {
        // A hook that does not read its stdin to the end is no error (SIGPIPE is ignored
        // meanwhile).
        const auto wrote =
            ::write(streams_.in.write.get(), state_.data() + written_, state_.size() - written_);
        if (wrote > 0) written_ += static_cast<std::size_t>(wrote);
        const bool again = wrote < 0 && (errno == EAGAIN || errno == EINTR);
        if (written_ == state_.size() || (wrote < 0 && !again)) streams_.in.write.reset();
    }

    void read_output() {
        std::array<char, kMostOutput> chunk{};
        while (streams_.out.read.valid()) {
            const auto got = ::read(streams_.out.read.get(), chunk.data(), chunk.size());
            if (got < 0 && errno != EINTR) return;
            if (got == 0) return streams_.out.read.reset();
            if (got > 0 && output_.size() < kMostOutput)
                output_.append(chunk.data(), std::min(static_cast<std::size_t>(got),
                                                      kMostOutput - output_.size()));
        }
    }

    const std::string& state_;
    Streams streams_;
    sys::Child child_;
    std::optional<Clock::time_point> deadline_;
    std::size_t written_ = 0;
    std::string output_;
    sys::ExitStatus status_;
};

}  // namespace

void run_hook(const spec::Hook& hook, std::string_view kind, std::size_t number,
              const std::string& state) {
    const sys::NoSigpipe no_sigpipe;
    const auto name = fmt::format("{} hook #{} ({})", kind, number, hook.path);
    HookRun run{hook, state};
    if (!run.wait())
        throw Error(Code::timeout,
                    fmt::format("{}: still running after its timeout of {} s, killed", name,
                                hook.timeout.value_or(0)))
            .with_fix("raise the hook's timeout, or look what it waits for");
    const auto status = run.status();
    if (status.code == 0) return;
    auto text = status.signal != 0 ? fmt::format("{}: killed by signal {}", name, status.signal)
                                   : fmt::format("{}: exit status {}", name, status.code);
    if (const auto output = run.output(); !output.empty()) text += ": " + output;
    throw Error(Code::failed_precondition, std::move(text));
}

void run_hooks(const std::vector<spec::Hook>& hooks, std::string_view kind,
               const std::string& state) {
    for (std::size_t i = 0; i < hooks.size(); ++i)
        run_hook(hooks[i], kind, i, state);
}

}  // namespace covey::launch
