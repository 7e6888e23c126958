#include "engine/find_shims.hpp"

#include "base/id.hpp"
#include "core/shim_process.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fcntl.h>

namespace covey::daemon {
namespace {

constexpr std::string_view kDeleted = " (deleted)";  // proc_pid_fd(5)
constexpr std::array<const char*, 3> kOwnNamespaces{"mnt", "pid", "user"};

/// "mnt:[4026531841]"; empty when it cannot be read.
std::string namespace_of(FdRef proc, std::string_view process, const char* type) {
    return sys::readlink_at(proc, fmt::format("{}/ns/{}", process, type)).value_or("");
}

class Search {
  public:
    Search(const cgroup::Host& host, FdRef proc, FdRef root) : host_(host), proc_(proc) {
        sandboxes_ =
            sys::readlink_at(sys::kCwd, sys::fd_path(root)).or_throw("find the path of", "--root") +
            "/sandboxes/";
        device_ = sys::stat_fd(root).or_throw("stat", sandboxes_).st_dev;
        for (std::size_t i = 0; i < own_.size(); ++i)
            own_.at(i) = namespace_of(proc, "self", kOwnNamespaces.at(i));
    }

    std::vector<FoundShim> run() const {
        std::vector<FoundShim> found;
        const auto pids = sys::list_processes(proc_).or_throw("list", "/proc");
        for (const auto pid : pids)
            if (auto shim = look_at(pid)) found.push_back(std::move(*shim));
        if (found.empty()) return found;
        for (const auto pid : pids)
            if (const auto stat = sys::read_stat(proc_, pid))
                for (auto& shim : found)
                    if (stat.value().ppid == shim.pid) take_child(shim, pid);
        return found;
    }

  private:
    static std::string folder_of(pid_t pid) {
        return fmt::format("{}/fd/{}", pid, core::kShimFolderFd);
    }

    /// The id, when what the process has as its state folder is called as ours are. The name is as
    /// in its own mounts: no proof.
    std::optional<std::string> named_id(pid_t pid) const {
        const auto link = sys::readlink_at(proc_, folder_of(pid));
        if (!link || !link.value().starts_with(sandboxes_)) return {};
        auto id = link.value().substr(sandboxes_.size());
        if (id.ends_with(kDeleted)) id.resize(id.size() - kDeleted.size());
        return is_valid_id(id) ? std::optional{id} : std::nullopt;
    }

    bool holds_own_folder(pid_t pid) const {
        const auto held = sys::open_at(proc_, folder_of(pid), O_PATH);
        if (!held) return false;
        const auto status = sys::stat_fd(held.value());
        return status && S_ISDIR(status.value().st_mode) && status.value().st_dev == device_;
    }

    bool is_host_root(pid_t pid) const {
        for (std::size_t i = 0; i < own_.size(); ++i)
            if (own_.at(i).empty() ||
                namespace_of(proc_, std::to_string(pid), kOwnNamespaces.at(i)) != own_.at(i))
                return false;
        const auto status = sys::read_status(proc_, pid);
        // All four: a program that somebody else started set-uid has his real one.
        return status && std::all_of(status.value().uids.begin(), status.value().uids.end(),
                                     [](uid_t uid) { return uid == 0; });
    }

    std::optional<FoundShim> look_at(pid_t pid) const {
        auto id = named_id(pid);
        // First of all: a file system of somebody else's may never answer what is asked next.
        if (!id || !is_host_root(pid) || !holds_own_folder(pid)) return {};
        const auto listener =
            sys::open_at(proc_, fmt::format("{}/fd/{}", pid, core::kShimListenFd), O_PATH);
        const auto kind = listener ? sys::stat_fd(listener.value()) : Errno{listener.error()};
        if (!kind || !S_ISSOCK(kind.value().st_mode)) return {};
        // The number may have changed hands while it was looked at: the time tells later.
        const auto stat = sys::read_stat(proc_, pid);
        if (!stat) return {};
        return FoundShim{std::move(*id), pid, stat.value().start_time, {}, 0};
    }

    void take_child(FoundShim& shim, pid_t child) const {
        const auto group = cgroup::identity_of(host_, proc_, child);
        const auto name = "/" + shim.id + ".pod";
        const auto at = (group + "/").find(name + "/");
        if (at == std::string::npos) return;
        shim.cgroup = group.substr(0, at + name.size());
        if (group == shim.cgroup + "/pause") shim.pause_pid = child;
    }

    const cgroup::Host& host_;
    FdRef proc_;
    std::string sandboxes_;
    dev_t device_ = 0;
    std::array<std::string, kOwnNamespaces.size()> own_;
};

}  // namespace

std::vector<FoundShim> find_shims(const cgroup::Host& host, FdRef proc, FdRef state_root) {
    return Search(host, proc, state_root).run();
}

}  // namespace covey::daemon
