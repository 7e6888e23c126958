// A group tree of a test's own below /covey-test-<pid>, and processes born in it; all of it is
// killed and removed at the end of the test case, whatever happened. The same on v2, hybrid and v1.
// Used by tests/kernel/cgroup_*_test.cpp. Thread rule: the test thread. Blocks up to 5 s at the
// end.
#pragma once

#include "catch.hpp"
#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"

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

/// How much of the machine a test sees: all, or on a hybrid one v1 alone, as if there were no v2.
enum class View { whole, v1_only };

inline cgroup::Host seen_host(View view) {
    auto host = cgroup::detect();
    if (view == View::whole) return host;
    host.layout = cgroup::Layout::v1;
    host.unified.clear();
    host.unified_controllers.clear();
    return host;
}

class CgroupTree {
  public:
    explicit CgroupTree(View view = View::whole)
        : host_(seen_host(view)), top_("/covey-test-" + std::to_string(::getpid())) {
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
    /// before `body` runs. It exits with what `body` returns. Returns when the child is in place.
    static pid_t spawn(const cgroup::Group& group, const std::function<int()>& body) {
        auto ready = sys::make_pipe().or_throw("pipe");
        clone_args args{};
        args.exit_signal = SIGCHLD;
        args.flags = CLONE_CLEAR_SIGHAND;  // Catch has handlers of its own
        const auto target = group.clone_target();
        if (target.valid()) {
            args.flags |= CLONE_INTO_CGROUP;
            args.cgroup = static_cast<unsigned>(target.get());
        }
        const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
        if (pid == 0) ::_exit(run_child(group, ready.write, body));
        if (pid < 0) throw Error::from_errno(errno, "clone3 into", group.path());
        ready.write.reset();
        char byte = 0;
        (void)!::read(ready.read.get(), &byte, 1);
        return pid;
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
    static int run_child(const cgroup::Group& group, UniqueFd& ready,
                         const std::function<int()>& body) {
        try {
            group.join(group.clone_target().valid() ? cgroup::Group::Identity::already_there
                                                    : cgroup::Group::Identity::move);
            ready.reset();
            return body();
        } catch (const std::exception&) {
            return 126;
        }
    }

    cgroup::Host host_;
    std::string top_;
};

}  // namespace covey::test

/// Runs the test case once for each view, and says so where the machine has no v1 to show.
#define COVEY_EACH_VIEW(name)                                                         \
    const auto name = GENERATE(covey::test::View::whole, covey::test::View::v1_only); \
    if (name == covey::test::View::v1_only) COVEY_REQUIRES("cgroup_v1")
