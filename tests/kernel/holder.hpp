// A process of the test that does nothing but be in namespaces of its own. Used where a container
// joins a namespace by path. Thread rule: the test thread.
#pragma once

#include "catch.hpp"

#include <csignal>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {

/// A process that does nothing but be in namespaces of its own.
class Holder {
  public:
    explicit Holder(int flags) {
        int ready[2];
        REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            if (::unshare(flags) != 0) ::_exit(1);
            const pid_t child = member(flags);
            if (::write(ready[1], &child, sizeof child) != sizeof child) ::_exit(1);
            ::close(ready[1]);
            while (true)
                ::pause();
        }
        ::close(ready[1]);
        const auto got = ::read(ready[0], &member_, sizeof member_);
        ::close(ready[0]);
        REQUIRE(got == sizeof member_);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        // Ours by now, if the test is a subreaper.
        if (member_ > 0) ::waitpid(member_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string path(const std::string& type) const {
        return "/proc/" + std::to_string(pid_) + "/ns/" + type;
    }

  private:
    /// A PID or time namespace that is made by unshare(2) is for children, and has a file once
    /// there is one.
    static pid_t member(int flags) {
        if ((flags & (CLONE_NEWPID | CLONE_NEWTIME)) == 0) return 0;
        const pid_t child = ::fork();
        if (child != 0) return child;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (true)
            ::pause();
    }

    pid_t pid_ = -1, member_ = 0;
};

}  // namespace covey::test
