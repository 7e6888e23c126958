// A group tree of a test's own below /covey-test-<pid>, and processes born in it; all of it is
// killed and removed at the end of the test case, whatever happened. The same on v2, hybrid and v1.
// Used by tests/kernel/cgroup_*_test.cpp. Thread rule: the test thread. Blocks up to 5 s at the
// end.
#pragma once

#include "cgroup/cgroup.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <utility>

#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {

class CgroupTree {
  public:
    CgroupTree() : host_(cgroup::detect()), top_("/covey-test-" + std::to_string(::getpid())) {
        // Orphans come to us, so that we can reap what we have killed.
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    }
    CgroupTree(const CgroupTree&) = delete;
    CgroupTree& operator=(const CgroupTree&) = delete;
    ~CgroupTree() {
        try {
            auto top = cgroup::Group::open(host_, top_);
            top.thaw();
            top.kill();
            (void)top.wait_empty(std::chrono::seconds{5});
            reap();
            top.remove();
        } catch (const std::exception&) {
            // Nothing was made, or the leak check of the harness will show what is left.
        }
        reap();
        ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    }

    [[nodiscard]] const cgroup::Host& host() const { return host_; }
    [[nodiscard]] std::string path(const std::string& below) const { return top_ + "/" + below; }
    [[nodiscard]] cgroup::Group create(const std::string& below) const {
        return cgroup::Group::create(host_, path(below));
    }

    /// A child of the test that is in `group` from its first instruction on, in v1 hierarchies
    /// before `body` runs. It exits with what `body` returns.
    static pid_t spawn(const cgroup::Group& group, const std::function<int()>& body) {
        clone_args args{};
        args.exit_signal = SIGCHLD;
        const auto target = group.clone_target();
        if (target.valid()) {
            args.flags = CLONE_INTO_CGROUP;
            args.cgroup = static_cast<unsigned>(target.get());
        }
        const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
        if (pid != 0) return pid;
        int status = 127;
        try {
            group.join(target.valid() ? cgroup::Group::Identity::already_there
                                      : cgroup::Group::Identity::move);
            status = body();
        } catch (const std::exception&) {
            status = 126;
        }
        ::_exit(status);
    }
    static int sleep_for_ever() {
        while (true)
            ::pause();
    }
    /// Exit status of a child, or 128 + the signal that ended it.
    static int wait_for(pid_t pid) {
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0)
            if (errno != EINTR) return -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    static void reap() {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }
    /// Polls; no test may depend on how fast a process is.
    static bool eventually(const std::function<bool()>& condition,
                           std::chrono::milliseconds limit = std::chrono::seconds{10}) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!condition()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            const timespec pause{0, 1'000'000};
            ::nanosleep(&pause, nullptr);
        }
        return true;
    }

  private:
    cgroup::Host host_;
    std::string top_;
};

}  // namespace covey::test
