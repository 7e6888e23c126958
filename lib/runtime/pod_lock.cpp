#include "runtime/pod_lock.hpp"

#include "base/log.hpp"
#include "base/patience.hpp"
#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"
#include "runtime/container_store.hpp"
#include "runtime/standstill.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"
#include "sys/lock.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr std::chrono::seconds kLockLimit{10};
constexpr mode_t kMode = 0600;

std::string folder_name() {
    const auto root = default_root();
    return root.substr(0, root.rfind('/')) + "/pods";
}

std::string lock_name(FdRef pid_namespace) {
    const auto id = sys::namespace_id(pid_namespace).or_throw("stat", "the pod's PID namespace");
    return fmt::format("{}-{}", id.device, id.inode);
}

[[noreturn]] void throw_is_kept(FdRef record) {
    if (!is_standstill_noted(record))
        throw Error(Code::failed_precondition,
                    fmt::format("a start, exec, pause or resume in the pod has not ended for {} s",
                                kLockLimit.count()))
            .with_fix("wait for it, or end that command");
    const auto who = who_keeps_still(record, cgroup::detect());
    throw Error(Code::failed_precondition,
                fmt::format("a launch in pid mode nested holds the pod still for more than {} s{}",
                            kLockLimit.count(), who.empty() ? "" : ": its end waits for " + who))
        .with_fix(
            "one that waits in the kernel (state D) cannot be ended: try again when what it "
            "waits for answers");
}

}  // namespace

/// Until the file that is locked is the one that has the name.
class LockTaking {
  public:
    LockTaking(FdRef pid_namespace, FdRef folder, std::chrono::milliseconds limit = kLockLimit)
        : folder_(folder), limit_(limit) {
        lock_.name_ = lock_name(pid_namespace);
        lock_.folder_ = sys::duplicate(folder).or_throw("dup", "folder of the pods' locks");
    }

    PodLock take(sys::Lock kind) {
        while (!try_take(kind)) {
        }
        return std::move(lock_);
    }

  private:
    bool try_take(sys::Lock kind) {
        open_locked(kind);
        if (!lock_.file_) return false;
        if (!is_standstill_noted(lock_.file_)) return true;
        // Nobody is at work, or he would have the lock alone.
        if (kind == sys::Lock::shared) open_locked(sys::Lock::alone);
        if (lock_.file_ && is_standstill_noted(lock_.file_)) {
            log::warning("a launch in pid mode nested was killed: its pod goes on",
                         {{"pod", lock_.name_}});
            undo_standstill(lock_.file_, cgroup::detect(), Newcomer::ends);
        }
        if (kind == sys::Lock::shared) lock_.file_.reset();
        return lock_.file_.valid();
    }

    /// Without a file afterwards: it was taken away meanwhile.
    void open_locked(sys::Lock kind) {
        lock_.file_.reset();
        lock_.file_ =
            sys::open_at(folder_, lock_.name_, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, kMode)
                .or_throw("open", "lock of the pod");
        const auto locked = sys::lock_file(lock_.file_, kind, limit_);
        if (!locked && locked.error() == EWOULDBLOCK) throw_is_kept(lock_.file_);
        locked.or_throw("lock", "the pod");
        if (sys::stat_fd(lock_.file_).or_throw("stat", "lock of the pod").st_nlink == 0)
            lock_.file_.reset();
    }

    FdRef folder_;
    std::chrono::milliseconds limit_;
    PodLock lock_;
};

void make_good_standstill(const core::ContainerRecord& record) noexcept {
    constexpr std::chrono::milliseconds kLook{
        1000};  // five tries of a launch to hold the pod still
    try {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        const auto file = sys::open_namespace(proc, record.pid, "pid");
        const auto folder = sys::open_dir(folder_name());
        if (!file || !folder) return;
        const auto status = sys::stat_at(folder.value(), lock_name(file.value()));
        if (status && status.value().st_size > 0)
            (void)LockTaking{file.value(), folder.value(), patience(kLook)}.take(sys::Lock::shared);
    } catch (const std::exception& error) {
        log::debug("the pod stands still", {{"error", error.what()}});
    }
}

PodLock PodLock::shared(FdRef pid_namespace) {
    std::optional<store::StateDir> folder;
    try {
        folder.emplace(store::StateDir::open(folder_name()));
    } catch (const Error&) {
        // Root of a user namespace too: /run/covey is not his.
        if (sys::stat_at(sys::kCwd, folder_name()) && ::access(folder_name().c_str(), W_OK) == 0)
            throw;
        return PodLock{};
    }
    return LockTaking{pid_namespace, folder->fd()}.take(sys::Lock::shared);
}

PodLock PodLock::shared(const core::ContainerRecord& record) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto file = sys::open_namespace(proc, record.pid, "pid");
    // It has ended just now: whoever asks will find that.
    if (!file) return PodLock{};
    return shared(file.value());
}

PodLock PodLock::alone(FdRef pid_namespace) {
    const auto folder = store::StateDir::open(folder_name());
    return LockTaking{pid_namespace, folder.fd()}.take(sys::Lock::alone);
}

void PodLock::let_go() noexcept {
    if (!file_) return;
    try {
        const bool is_last = sys::lock_file(file_, sys::Lock::alone, {}).has_value();
        const auto status = sys::stat_fd(file_).or_throw("stat", "lock of the pod");
        if (is_last && status.st_size == 0 && status.st_nlink > 0)
            (void)sys::unlink_at(folder_, name_);
    } catch (const std::exception& error) {
        log::warning("the pod's lock is left", {{"error", error.what()}});
    }
    file_.reset();
}

}  // namespace covey::runtime
