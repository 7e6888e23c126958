#include "task/members.hpp"

#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include <linux/capability.h>
#include <unistd.h>

namespace covey::task {
namespace {

constexpr std::uint64_t bit(unsigned capability) {
    return std::uint64_t{1} << capability;
}

constexpr std::uint64_t kReaching =
    bit(CAP_SYS_PTRACE) | bit(CAP_SYS_ADMIN) | bit(CAP_PERFMON) | bit(CAP_BPF);

std::optional<sys::NamespaceId> user_namespace_of(FdRef proc, pid_t pid) {
    const auto file = sys::open_namespace(proc, pid, "user");
    if (!file) return std::nullopt;
    const auto id = sys::namespace_id(file.value());
    return id ? std::optional{id.value()} : std::nullopt;
}

}  // namespace

bool is_enough_to_reach(std::uint64_t capabilities) noexcept {
    return (capabilities & kReaching) != 0;
}

bool could_reach(FdRef proc, pid_t pid) {
    constexpr std::size_t kMostThreads = 200;  // 4 ms
    const auto threads = sys::open_dir_at(proc, fmt::format("{}/task", pid));
    if (!threads) return false;
    const auto numbers = sys::list_processes(threads.value());
    if (!numbers) return false;
    if (numbers.value().size() > kMostThreads) return true;
    return std::any_of(numbers.value().begin(), numbers.value().end(), [&](pid_t thread) {
        const auto status = sys::read_status(threads.value(), thread);
        return status &&
               is_enough_to_reach(status.value().cap_permitted | status.value().cap_effective |
                                  status.value().cap_bounding);
    });
}

bool is_in_own_user_namespace(FdRef proc, pid_t pid) {
    const auto own_proc = sys::open_proc().or_throw("open", "/proc");
    const auto own = user_namespace_of(own_proc, ::getpid());
    const auto its = user_namespace_of(proc, pid);
    // Gone, or not to be looked at: to be safe it could.
    return !its || its == own;
}

void Members::begin() {
    left_ = sys::list_processes(proc_).or_throw("list", "the pod's processes");
}

bool Members::look(std::vector<Found>& found) {
    constexpr std::chrono::milliseconds kATurn{2};
    const auto until = std::chrono::steady_clock::now() + kATurn;
    while (!left_.empty()) {
        if (auto one = judge_(proc_, left_.back())) found.push_back(std::move(*one));
        left_.pop_back();
        if (std::chrono::steady_clock::now() >= until) break;
    }
    return left_.empty();
}

}  // namespace covey::task
