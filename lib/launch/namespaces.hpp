// The namespaces of a launch: which descriptors they are, in which order they are entered, and what
// is set in them (host names, sysctls, the loopback interface). Called by the launcher. Thread
// rule: single-threaded, in a process of its own. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"

#include <vector>

namespace covey::launch {

/// The pod's namespaces, as nsfs descriptors; an invalid one: the pod has the host's.
struct PodNamespaces {
    FdRef pid{-1}, net{-1}, ipc{-1}, uts{-1}, time{-1};
    /// To which all the others belong.
    FdRef user{-1};
    /// For kernels without `pidns=` and for pods in a user namespace, else invalid: a mount
    /// namespace whose root is a procfs of the pod, for clones, and (without `pidns=`) a context
    /// good for one superblock more (docs/decisions/002).
    FdRef proc_keeper{-1}, proc_context{-1};
    /// In pid mode target: the PID namespace of the container that was named.
    FdRef target{-1};
};

class Namespaces {
  public:
    Namespaces(const plan::LaunchPlan& plan, const PodNamespaces& pod);

    /// On the host. Opens what the plan names by path; throws invalid_spec for what is no namespace
    /// of its type, is not the sandbox's as it must be, or is the host's where that would change
    /// the host.
    void open();
    /// The container has a user namespace, new or joined, that the caller is not in yet.
    [[nodiscard]] bool has_user() const;
    /// The user namespace that the container will be in; invalid: the caller's. Until enter().
    [[nodiscard]] FdRef user() const noexcept { return user_; }
    /// A caller without privilege needs it at once, with a mount namespace of its own, to do
    /// anything; any other enters it with the rest.
    void enter_user_early();
    /// Every namespace but the PID namespace, and what is set in them.
    void enter();
    /// The PID namespace that is joined, or nested in; invalid: a new one, or the caller's.
    [[nodiscard]] FdRef pid() const;
    /// For children only: the caller stays where it is.
    void enter_pid() const;
    /// Lets go of all descriptors but that of pid().
    void close();

  private:
    struct Joined {
        spec::NamespaceType type;
        UniqueFd file;
        bool is_own = false;  // the launcher was in it already: the host's
    };
    void check_sandbox() const;
    void open_path(const plan::NamespacePlan& entry);
    /// False: it belongs to the user namespace that is not entered yet.
    [[nodiscard]] bool join(spec::NamespaceType type, bool may_wait) const;
    void enter_user();
    [[nodiscard]] bool has(spec::NamespaceType type, plan::NamespacePlan::Source source) const;
    void set_time_offsets();
    void set_up() const;
    void enter_mount() const;
    [[nodiscard]] FdRef pod(spec::NamespaceType type) const;
    [[nodiscard]] const Joined* joined(spec::NamespaceType type) const;
    [[nodiscard]] bool creates(spec::NamespaceType type) const {
        return has(type, plan::NamespacePlan::Source::create);
    }

    const plan::LaunchPlan& plan_;
    const PodNamespaces& pod_;
    std::vector<Joined> joined_;
    UniqueFd user_, time_offsets_;
};

}  // namespace covey::launch
