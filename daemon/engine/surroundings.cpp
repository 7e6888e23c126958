#include "engine/surroundings.hpp"

#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <map>
#include <utility>

namespace covey::daemon {
namespace {

class HostSurroundings final : public Surroundings {
  public:
    explicit HostSurroundings(UniqueFd seccomp_cache)
        : seccomp_cache_(std::move(seccomp_cache)),
          proc_(sys::open_proc().or_throw("open", "/proc")),
          host_(cgroup::detect()) {}

    core::SpawnedShim spawn(const std::string& sandbox, FdRef folder) override {
        // Copied at the first use: a daemon without sandboxes needs neither memory nor programs.
        if (!programs_) programs_ = core::Programs::load();
        return core::spawn_shim(*programs_, sandbox, folder, seccomp_cache_);
    }
    UniqueFd connect(FdRef folder) override { return core::connect_shim(folder); }
    void pin(core::SandboxFacts& facts, FdRef folder, const std::string& path) override {
        core::pin_namespaces(facts, folder, path);
    }
    void unpin(FdRef folder) override { core::unpin_namespaces(folder); }

    void kill_group(const std::string& cgroup) override {
        auto& killing = endings_[cgroup].killing;
        if (!killing) killing.emplace(host_, cgroup);
        (void)killing->turn(cgroup::TurnClock::now() + cgroup::kTurn);
    }
    std::string survivors(const std::string& cgroup) override {
        const auto group = open_group(cgroup);
        return group ? group->survivors() : std::string{};
    }
    cgroup::Removal::Left remove_group(const std::string& cgroup) override {
        using cgroup::Removal;
        const auto group = open_group(cgroup);
        auto& removal = endings_[cgroup].removal;
        auto left = Removal::Left::processes;
        if (!group || group->is_empty()) {
            if (!removal) removal.emplace(host_, cgroup);
            left = turn(removal);
        }
        if (left == Removal::Left::nothing) endings_.erase(cgroup);
        return left;
    }
    std::optional<UniqueFd> find_process(pid_t pid, std::uint64_t start_time) override {
        if (pid <= 0) return {};
        auto pidfd = sys::pidfd_open(pid);
        if (!pidfd) return {};
        // Read after the pidfd was opened: the number cannot have changed hands in between unseen.
        const auto stat = sys::read_stat(proc_, pid);
        if (!stat || stat.value().start_time != start_time) return {};
        return std::move(pidfd).value();
    }
    std::vector<FoundShim> find_shims(FdRef state_root) override {
        return daemon::find_shims(host_, proc_, state_root);
    }
    [[nodiscard]] const cgroup::Host& host() const override { return host_; }

  private:
    std::optional<cgroup::Group> open_group(const std::string& cgroup) const {
        try {
            return cgroup::Group::open(host_, cgroup);
        } catch (const Error& error) {
            if (error.code() == Code::not_found) return {};
            throw;
        }
    }

    /// One that has thrown begins anew.
    static cgroup::Removal::Left turn(std::optional<cgroup::Removal>& removal) {
        try {
            return removal->turn(cgroup::TurnClock::now() + cgroup::kTurn);
        } catch (...) {
            removal.reset();
            throw;
        }
    }

    /// Of groups whose shim is dead, until they are gone.
    struct Ending {
        std::optional<cgroup::Killing> killing;
        std::optional<cgroup::Removal> removal;
    };
    std::map<std::string, Ending> endings_;
    UniqueFd seccomp_cache_, proc_;
    cgroup::Host host_;
    std::optional<core::Programs> programs_;
};

}  // namespace

std::unique_ptr<Surroundings> host_surroundings(UniqueFd seccomp_cache) {
    return std::make_unique<HostSurroundings>(std::move(seccomp_cache));
}

}  // namespace covey::daemon
