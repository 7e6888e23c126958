// Pid mode `nested`: init becomes PID 1 of a namespace inside the pod's. The kernel makes one only
// for a member of the pod's namespace with CAP_SYS_ADMIN, so a short-lived process goes between
// launcher and init; those who could seize it stand still until init has cut its privileges. The
// launcher stays outside, mounts init's /proc from there and lets init go on. docs/LAUNCH.md.
// Called by the launcher and by init. Thread rule: single-threaded, in processes of their own.
// Blocks until the other side has spoken.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"
#include "launch/root_builder.hpp"
#include "plan/plan.hpp"
#include "sys/socket.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace covey::launch {

/// What init needs to know of its launcher.
struct NestedEnd {
    FdRef socket{-1};
    /// The kernel's procfs takes no `pidns=` (before Linux 6.18): init opens a context for it.
    bool opens_proc = false;
    /// The launcher's, which would show in the pod.
    std::vector<int> not_for_init;
};

class NestedLaunch {
  public:
    /// `builder` has pivoted and not yet run what lies on the container's /proc; `channel` is the
    /// launcher's, which the others do without. Before the launcher enters the pod's PID namespace.
    NestedLaunch(RootBuilder& builder, FdRef channel, bool opens_proc);

    struct Steps {
        /// In init; does not return.
        std::function<void(const NestedEnd& end)> run_init;
        /// The neighbours go on; before init does.
        std::function<void()> on_dropped;
        /// What the launcher needs for that, and init must not have.
        std::vector<int> not_for_init;
    };
    /// In the launcher, whose children are born in the pod's namespace by now. Returns when init
    /// has its /proc and goes on.
    void launch(const Steps& steps);

  private:
    UniqueFd clone_between(UniqueFd socket, const Steps& steps);
    [[nodiscard]] int run_between(FdRef socket, const Steps& steps);
    void finish(FdRef between, const Steps& steps);
    void await_word(FdRef between);
    void await_drop(FdRef between);
    void take(sys::Packet packet);
    [[nodiscard]] ProcSource proc_source();

    RootBuilder& builder_;
    FdRef channel_;
    bool opens_proc_, dropped_ = false;
    UniqueFd socket_, childs_socket_, init_, proc_context_;
    UniqueFd pid_namespace_;
};

/// For ENOSPC of a clone with CLONE_NEWPID (pid_namespaces(7), namespaces(7)).
[[nodiscard]] Error namespace_limit_error(std::string_view instead);

/// In init: cuts its privileges, reports that and waits until its /proc is mounted.
/// `channel` is the newborn's.
void drop_in_nested(const plan::ProcessPlan& process, const NestedEnd& launcher, FdRef channel);

}  // namespace covey::launch
