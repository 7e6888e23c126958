#include "cgroup/cgroup.hpp"
#include "core/sandbox_state.hpp"
#include "core/shim_process.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <cerrno>
#include <csignal>
#include <optional>

namespace covey::core {
namespace {

constexpr int kShimEndMs = 5000;
constexpr std::chrono::seconds kGroupLimit{10};

/// Asks the shim to stop everything and to end. False when it is dead or does not answer: then its
/// processes must be ended without it.
bool stop_by_shim(FdRef folder) {
    try {
        ShimClient client{connect_shim(folder)};
        (void)client.call(StopSandbox{}, kCallLimit);
        (void)client.call(Shutdown{}, kCallLimit);
        return true;
    } catch (const Error&) {
        return false;  // whatever it was: the cgroup is emptied and the shim killed by us
    }
}

/// A pidfd of exactly the recorded process; nothing when it is gone.
std::optional<UniqueFd> find_process(pid_t pid, std::uint64_t start_time) {
    if (pid <= 0) return {};
    auto pidfd = sys::pidfd_open(pid);
    if (!pidfd) return {};
    // The order matters: once the pidfd is open, the number cannot become another's unnoticed.
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto stat = sys::read_stat(proc, pid);
    if (!stat || stat.value().start_time != start_time) return {};
    return std::move(pidfd).value();
}

}  // namespace

std::uint64_t start_time_of(pid_t pid) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    return sys::read_stat(proc, pid)
        .or_throw("read start time of process", std::to_string(pid))
        .start_time;
}

void end_shim(sys::Child& shim) {
    if (!shim.pidfd.valid()) return;
    if (!sys::wait_ended(shim.pidfd, kShimEndMs)) {
        (void)sys::pidfd_send_signal(shim.pidfd, SIGKILL);
        (void)sys::wait_ended(shim.pidfd, kShimEndMs);
    }
    // ECHILD: another process's child, and that one reaps it.
    (void)sys::try_wait_process(shim.pidfd);
    shim = {};
}

void clear_group(const std::string& cgroup) {
    if (cgroup.empty()) return;
    const auto host = cgroup::detect();
    try {
        auto group = cgroup::Group::open(host, cgroup);
        group.end(kGroupLimit);
        group.remove();
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
    }
}

void dismantle(const std::string& state_root, const std::string& id, sys::Child& shim) {
    const auto folder = sys::open_dir(state_root + "/sandboxes/" + id);
    if (!folder && folder.error() == ENOENT) {
        end_shim(shim);
        return;
    }
    if (!folder) throw Error::from_errno(folder.error(), "open state of sandbox", id);
    const auto record = read_sandbox_record(folder.value());
    if (!shim.pidfd.valid())
        if (auto found = find_process(record.shim_pid, record.shim_start_time))
            shim = {record.shim_pid, *std::move(found)};
    if (!stop_by_shim(folder.value()) && shim.pidfd.valid())
        (void)sys::pidfd_send_signal(shim.pidfd, SIGKILL);
    end_shim(shim);
    clear_group(record.cgroup);
    unpin_namespaces(folder.value());
    const auto sandboxes = sys::open_dir(state_root + "/sandboxes").or_throw("open", state_root);
    sys::remove_tree_at(sandboxes, id).or_throw("remove state of sandbox", id);
}

}  // namespace covey::core
