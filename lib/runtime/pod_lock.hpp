// One lock for each PID namespace that several containers are in: while a launch in pid mode nested
// has a privileged newborn there (stillness.hpp), no other such launch takes its standstill for a
// pause, and nobody starts, executes, pauses or resumes there. The file is in a folder that nobody
// in a pod can reach, /run/covey/pods (for others than root below XDG_RUNTIME_DIR), for all state
// folders alike; never the namespace's own file, which the pod can open. What a launch whose
// command and guard were both killed has left still is found in it, and undone by whoever comes
// next. Called by create, start, exec, pause, resume, and whoever finds a container paused. Thread
// rule: single-threaded. Blocks up to 10 s.
#pragma once

#include "base/unique_fd.hpp"
#include "core/container_record.hpp"

#include <string>

namespace covey::runtime {

/// For who only looks: a launch in mode nested that was killed in the PID namespace of the
/// container's init is made good, and one that is under way is waited for, some 100 ms at most.
/// Whoever cannot do that sees the pod as it is.
void make_good_standstill(const core::ContainerRecord& record) noexcept;

class PodLock {
  public:
    /// No launch in mode nested is under way there as long as the object lives; many may have it at
    /// once. Throws failed_precondition with who keeps that launch when it takes longer than 10 s.
    /// An empty one for a caller who may not make the folder: nor may he launch there.
    [[nodiscard]] static PodLock shared(FdRef pid_namespace);
    /// The same, of the namespace in which the container's init is, which lives.
    [[nodiscard]] static PodLock shared(const core::ContainerRecord& record);
    /// For such a launch.
    [[nodiscard]] static PodLock alone(FdRef pid_namespace);

    PodLock(PodLock&&) noexcept = default;
    PodLock& operator=(PodLock&&) = delete;
    ~PodLock() { let_go(); }

    /// Where the standstill is noted (standstill.hpp). Who inherits it has the lock too.
    [[nodiscard]] FdRef record() const noexcept { return file_; }
    /// What a guard needs to take the lock's file away itself.
    [[nodiscard]] FdRef folder() const noexcept { return folder_; }
    /// The last one, with nothing left to undo, takes the file away.
    void let_go() noexcept;

  private:
    PodLock() = default;
    UniqueFd folder_, file_;
    std::string name_;

    friend class LockTaking;
};

}  // namespace covey::runtime
