// A newborn speaks with a thief's words: traced, it sends what we want, so whoever asks the kernel
// for the sender is told the truth. Where the registers are not known (other machines than x86-64)
// it says so and does nothing.
#include "thief.hpp"

#include <cerrno>
#include <cstring>

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {

#if defined(__x86_64__)
namespace {

bool write_memory(pid_t pid, unsigned long address, const void* data, std::size_t length) {
    const auto* bytes = static_cast<const char*>(data);
    for (std::size_t at = 0; at < length; at += sizeof(long)) {
        long word = 0;
        std::memcpy(&word, bytes + at, length - at < sizeof word ? length - at : sizeof word);
        if (ptrace(PTRACE_POKEDATA, pid, reinterpret_cast<void*>(address + at),
                   reinterpret_cast<void*>(word)) != 0)
            return false;
    }
    return true;
}

/// A traced process that stands at the entry of a system call, which it makes in the end.
class Puppet {
  public:
    explicit Puppet(pid_t pid) : pid_(pid) {
        if (ptrace(PTRACE_SEIZE, pid, nullptr, reinterpret_cast<void*>(PTRACE_O_TRACESYSGOOD)) != 0)
            return;
        ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
        obeys_ = at_system_call() && ptrace(PTRACE_GETREGS, pid, nullptr, &before_) == 0;
    }
    ~Puppet() {
        if (obeys_) ptrace(PTRACE_SETREGS, pid_, nullptr, &before_);
        ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
    }
    Puppet(const Puppet&) = delete;
    Puppet& operator=(const Puppet&) = delete;

    [[nodiscard]] bool obeys() const { return obeys_; }
    /// sendmsg(2) of the bytes, with one of its own descriptors if `right` is one.
    long say_for_us(int socket, const std::string& bytes, int right) {
        struct Letter {
            msghdr message;
            iovec piece;
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
            char bytes[64];
        } letter{};
        const unsigned long there = (before_.rsp - 8192) & ~15UL;
        const auto at = [&](const void* member) {
            return reinterpret_cast<void*>(
                there + static_cast<unsigned long>(static_cast<const char*>(member) -
                                                   reinterpret_cast<const char*>(&letter)));
        };
        const auto length = bytes.size() < sizeof letter.bytes ? bytes.size() : sizeof letter.bytes;
        std::memcpy(letter.bytes, bytes.data(), length);
        letter.piece = {at(letter.bytes), length};
        letter.message.msg_iov = static_cast<iovec*>(at(&letter.piece));
        letter.message.msg_iovlen = 1;
        if (right >= 0) {
            auto* header = reinterpret_cast<cmsghdr*>(letter.control);
            *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
            std::memcpy(CMSG_DATA(header), &right, sizeof right);
            letter.message.msg_control = at(letter.control);
            letter.message.msg_controllen = sizeof letter.control;
        }
        if (!write_memory(pid_, there, &letter, sizeof letter)) return -1;
        return call(SYS_sendmsg, static_cast<unsigned long>(socket), there,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    }

  private:
    /// Runs to the next entry or exit of a system call; signals are swallowed, and a stop ends.
    [[nodiscard]] bool at_system_call() const {
        constexpr int kMostStops = 50;
        for (int stops = 0; stops < kMostStops; ++stops) {
            int status = 0;
            if (waitpid(pid_, &status, __WALL) != pid_ || !WIFSTOPPED(status)) return false;
            if (WSTOPSIG(status) == (SIGTRAP | 0x80)) return true;
            if ((status >> 16) == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP)
                kill(pid_, SIGCONT);
            if (ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) != 0) return false;
        }
        return false;
    }
    [[nodiscard]] bool go_on(const user_regs_struct& registers) const {
        return ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) == 0 &&
               ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) == 0 && at_system_call();
    }
    /// Another call in the place of its own, before which it then stands again.
    long call(unsigned long number, unsigned long a, unsigned long b, unsigned long c) {
        auto registers = before_;
        registers.orig_rax = number;
        registers.rdi = a;
        registers.rsi = b;
        registers.rdx = c;
        if (!go_on(registers) || ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0) return -1;
        const auto result = static_cast<long>(registers.rax);
        registers = before_;
        registers.rip -= 2;  // the instruction
        registers.rax = before_.orig_rax;
        registers.orig_rax = ~0UL;  // nothing to restart
        return go_on(registers) ? result : -1;
    }

    pid_t pid_;
    bool obeys_ = false;
    user_regs_struct before_{};
};

}  // namespace

void speak_through(pid_t pid, const std::vector<int>& sockets) {
    Puppet puppet{pid};
    if (!puppet.obeys()) return say("TRIED in vain to trace " + std::to_string(pid));
    int sent = 0;
    std::string fields;
    for (int count = 0; count < 6; ++count)
        fields += std::string{'0', '\0'};
    for (const int socket : sockets)
        for (char letter = 'A'; letter <= 'Z'; ++letter)
            for (const int right : {-1, socket})
                for (const auto& text : {std::string{letter}, letter + fields})
                    sent += puppet.say_for_us(socket, text, right) > 0 ? 1 : 0;
    say("GOT " + std::to_string(sent) + " packets sent by " + std::to_string(pid) + " itself");
}
#else
void speak_through(pid_t /*pid*/, const std::vector<int>& /*sockets*/) {
    say("TRIED in vain: the registers of this machine are unknown");
}
#endif

}  // namespace thief
