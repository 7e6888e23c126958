#include "runtime/foreground.hpp"

#include "covey/error.hpp"
#include "runtime/relay.hpp"
#include "sys/file.hpp"
#include "sys/inherited_state.hpp"
#include "sys/proc.hpp"
#include "task/children.hpp"

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr int kLook = 1000;  // milliseconds: nobody tells that a tracer keeps who has ended

void pass_on(int signal, FdRef process, Relay* relay) {
    if (signal == SIGWINCH && relay != nullptr)
        relay->copy_size();
    else
        (void)sys::pidfd_send_signal(process, signal);  // it may have ended just now
}

}  // namespace

std::optional<int> next_signal(const Signals& signals) {
    signalfd_siginfo info{};
    while (::read(signals.fd().get(), &info, sizeof info) == sizeof info) {
        const int signal = static_cast<int>(info.ssi_signo);
        if (signal != SIGCHLD && signal != SIGPIPE && signal != SIGURG) return signal;
    }
    return std::nullopt;
}

Signals::Signals() {
    sigset_t all;
    sigfillset(&all);
    // These say that this program itself is wrong; held back they would be lost.
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
        sigdelset(&all, signal);
    // From the terminal driver, when a background process prints: must not be eaten.
    for (const int signal : {SIGTTOU, SIGTTIN, SIGTSTP})
        sigdelset(&all, signal);
    // sys::lock_within's.
    sigdelset(&all, SIGALRM);
    // A shell or nohup(1) has the caller ignore them: so does what it calls. (Blocked ones would
    // come all the same.)
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT})
        if (sys::is_ignored(signal)) sigdelset(&all, signal);
    ::sigprocmask(SIG_BLOCK, &all, &before_);
    fd_.reset(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) throw Error::from_errno(errno, "signalfd");
}

Signals::~Signals() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

sys::ExitStatus run_in_foreground(const Signals& signals, FdRef process, FdRef terminal,
                                  NotifySocket* notify, const Seat* seat) {
    std::optional<Relay> relay;
    if (terminal.valid()) relay.emplace(terminal);
    const auto number = sys::pidfd_number(process).or_throw("look up", "the container's process");
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    while (true) {
        std::vector<pollfd> entries{{process.get(), POLLIN, 0},
                                    {signals.fd().get(), POLLIN, 0},
                                    {notify != nullptr ? notify->fd().get() : -1, POLLIN, 0},
                                    {seat != nullptr ? seat->fd().get() : -1, POLLIN, 0}};
        if (relay) relay->add_to(entries);
        const int ready = ::poll(entries.data(), entries.size(), kLook);
        if (ready < 0 && errno != EINTR)
            throw Error::from_errno(errno, "wait for", "the container's process");
        const bool is_kept = ready == 0 && sys::is_ending(proc, number);
        // It may have made children and tracees of this one's; a traced thread would keep it.
        task::tend_children(number);
        auto* const terminal_relay = relay ? &*relay : nullptr;
        while (const auto signal = next_signal(signals))
            pass_on(*signal, process, terminal_relay);
        if (entries[3].revents != 0) {
            const auto signal = seat->receive_signal();
            if (!signal) seat = nullptr;
            pass_on(signal.value_or(SIGKILL), process, terminal_relay);
        }
        if (entries[2].revents != 0 && notify->pass_on()) notify = nullptr;
        if (relay) relay->copy(entries);
        if (entries[0].revents == 0 && !is_kept) continue;
        if (relay) relay->drain();
        return task::take_status(process);
    }
}

}  // namespace covey::runtime
