// The interpreter of a plan's mount operations: walks the list, one small function for each kind,
// every target found by the resolver beneath the descriptor of the root, or of the mount that it
// lies on (launch/placed_mounts.hpp), and attached by descriptor.
// Called before the pivot (launch/world.hpp says by whom). Thread rule: single-threaded. Blocks as
// mounts do.
#pragma once

#include "base/unique_fd.hpp"
#include "launch/placed_mounts.hpp"
#include "launch/proc_context.hpp"
#include "launch/sources.hpp"
#include "launch/terminal.hpp"
#include "plan/plan.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace covey::launch {

/// Where a procfs comes from. All invalid: a plain one, of the caller's PID namespace.
struct ProcSource {
    FdRef pid_namespace{-1};  // procfs `pidns=` (Linux 6.18)
    UniqueFd clone;           // a detached clone of the pod's shared procfs (older kernels)
    FdRef context{-1};        // a context that pause's set-up stage opened (older kernels)
    bool may_enter = false;   // a helper may enter `pid_namespace` for a context (older kernels)
};

class RootBuilder {
  public:
    RootBuilder(const plan::LaunchPlan& plan, Sources& sources, ProcSource proc);

    /// Attaches the root's tree in the caller's new mount namespace.
    void attach_root();
    /// The container's procfs cannot be made yet (pid mode nested): it and what lies on it is left
    /// out by build and protect, and made by finish_proc, which works after the pivot too.
    void defer_proc() noexcept { defers_proc_ = true; }
    [[nodiscard]] bool defers_proc() const noexcept { return defers_proc_; }
    void finish_proc(ProcSource proc);
    /// The container is in the pod's user namespace: how a procfs is allowed there.
    void use_sight(ProcSight sight) noexcept { sight_ = std::move(sight); }
    /// Runs the plan's operations, in order, and makes the working directory where it is missing,
    /// as runc does. Errors name the operation and its number.
    void build();
    /// Runs the plan's protections; later nothing can be made in the root any more.
    void protect();
    /// The root becomes "/"; nothing of the host can be reached any more.
    void pivot();
    /// The host's "/" is a ramdisk, which cannot be pivoted from: pivot() uses chroot(2).
    void use_chroot() noexcept { use_chroot_ = true; }
    /// Lets go of the root's descriptors and of the sources (not of the terminal's).
    void close();
    /// What close() would let go of and init still needs to finish the root.
    [[nodiscard]] std::vector<int> descriptors() const;

    [[nodiscard]] FdRef root() const noexcept { return root_; }
    [[nodiscard]] bool used_proc_context() const noexcept { return used_proc_context_; }
    /// Opened by the BindConsole operation.
    [[nodiscard]] Terminal& terminal() noexcept { return terminal_; }

  private:
    [[nodiscard]] UniqueFd own_path() const;
    [[nodiscard]] bool is_deferred(const plan::Operation& operation) const;
    void execute_named(std::size_t number, const plan::Operation& operation);
    void execute(std::size_t number, const plan::Operation& any);
    void mount(const plan::MountFilesystem& operation);
    void mount(const plan::MountProc& operation);
    [[nodiscard]] UniqueFd make_proc(const plan::MountProc& operation);
    [[nodiscard]] static UniqueFd make_empty_folder();
    void mount_cgroup(std::size_t number, const plan::MountCgroup& operation);
    void attach_cgroup_folders(std::vector<CgroupTree> trees, const plan::MountCgroup& operation);
    void remount(const plan::Remount& operation);
    [[nodiscard]] bool is_remounted(std::size_t number) const;
    void bind(std::size_t number, const plan::BindMount& operation);
    void make_device(std::size_t number, const plan::MakeDevice& operation);
    void make_symlink(const plan::MakeSymlink& operation);
    void open_console(const plan::BindConsole& operation);
    [[nodiscard]] UniqueFd place_for(const std::string& target, sys::TargetKind kind) const;
    [[nodiscard]] UniqueFd place_of_tmpfs(const plan::MountFilesystem& operation,
                                          sys::MountOptions& options) const;
    void mask(const std::string& path);
    void make_readonly(const std::string& path);
    void attach_with_flags(UniqueFd mount, const plan::MountFlags& flags,
                           const std::string& target);
    void attach_on(FdRef place, UniqueFd mount, const plan::MountFlags& flags,
                   const std::string& target);

    const plan::LaunchPlan& plan_;
    Sources& sources_;
    ProcSource proc_;
    ProcSight sight_;
    UniqueFd root_;
    PlacedMounts placed_;
    /// What masks a folder (a read-only tmpfs) and a file, once attached: clones of it are cheap.
    UniqueFd empty_folder_, null_device_;
    Terminal terminal_;
    UniqueFd attached_;                       // by the operation that runs
    std::map<std::size_t, UniqueFd> mounts_;  // those that a later operation changes
    bool used_proc_context_ = false;
    bool use_chroot_ = false;
    std::vector<std::string> host_views_;  // what has to be out of sight then
    bool defers_proc_ = false;
};

}  // namespace covey::launch
