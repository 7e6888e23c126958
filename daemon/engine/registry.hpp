// What the daemon remembers of each sandbox and container while it runs: what was asked for, what
// the shim says, and who is busy with it. Nothing here is the truth: that is with the shims. Used
// by the engine only. Thread rule: the io_context's one thread.
#pragma once

#include "engine/async.hpp"
#include "engine/engine.hpp"
#include "engine/records.hpp"
#include "engine/shim_link.hpp"
#include "engine/shim_process.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace covey::daemon {

/// What an exec has that its container's main process has not.
struct ExecRights {
    std::uint64_t capabilities = 0;
    bool other_user = false;
};

struct ContainerEntry {
    explicit ContainerEntry(boost::asio::any_io_executor executor) : changed(std::move(executor)) {}
    CreateContainerAction request;  // with its pid mode filled in
    core::ContainerFacts facts;
    std::uint64_t resource_version = 0;
    /// Created, recorded and in the journal: only then does anybody else see it.
    bool complete = false;
    bool deleted = false;
    bool starting = false;
    /// A debugger that holds, whose last exec has ended.
    bool last_exec_ended = false;
    /// An exit that came while the start was not answered yet.
    std::optional<core::ExitRecord> early_exit;
    ExecRights exec_rights;  // of all execs so far: what one has left behind has them too
    std::string problem;     // why its state is or was unknown
    std::optional<ContainerRecord> unwritten;  // what is to be on disk and is not
    Signal changed;
};

/// An exec that was started by this daemon, until it ended.
struct ExecState {
    explicit ExecState(boost::asio::any_io_executor executor) : changed(std::move(executor)) {}
    core::ExecFacts facts;
    std::optional<core::ExitRecord> exit;
    UniqueFd terminal;  // its master, to set its size; invalid: it has none
    Signal changed;
};

struct SandboxEntry {
    explicit SandboxEntry(boost::asio::any_io_executor executor) : changed(std::move(executor)) {}
    CreateSandboxAction request;
    core::SandboxFacts facts;
    std::uint64_t resource_version = 0;
    bool complete = false;
    /// It is being taken down: nothing new may begin in it.
    bool closing = false;
    /// For good: a daemon that finds it goes on with that.
    bool deleting = false;
    /// What is at its cgroup's path was there before: not to be touched.
    bool group_is_foreign = false;
    /// Container operations under way.
    unsigned busy = 0;
    std::string path;  // of its state folder
    UniqueFd folder;
    std::shared_ptr<ShimLink> link;        // none: the shim is dead
    std::shared_ptr<ShimProcess> process;  // none: not spawned, or dead when we came
    std::set<std::string> containers;      // complete or not
    std::map<std::pair<std::string, std::string>, std::shared_ptr<ExecState>> execs;
    /// What the shim reported while recovery did not yet know the objects (not complete).
    std::map<std::string, core::ContainerFacts> early_starts;
    std::map<std::string, core::ExitRecord> early_exits;
    bool early_stop = false;
    std::string problem;                     // why its state is or was unknown
    std::optional<SandboxRecord> unwritten;  // what is to be on disk and is not
    Signal changed;

    [[nodiscard]] bool has_shim() const noexcept { return link && link->alive(); }
    /// Where its group is or would be; empty when that is not known: its record cannot be read.
    [[nodiscard]] std::string cgroup() const;
};

/// Counts as one of the sandbox's container operations while it lives.
class BusyGuard {
  public:
    explicit BusyGuard(std::shared_ptr<SandboxEntry> sandbox) : sandbox_(std::move(sandbox)) {
        ++sandbox_->busy;
    }
    BusyGuard(const BusyGuard&) = delete;
    BusyGuard& operator=(const BusyGuard&) = delete;
    ~BusyGuard() {
        --sandbox_->busy;
        sandbox_->changed.notify();
    }

  private:
    std::shared_ptr<SandboxEntry> sandbox_;
};

struct Registry {
    std::map<std::string, std::shared_ptr<SandboxEntry>> sandboxes;
    std::map<std::string, std::shared_ptr<ContainerEntry>> containers;

    /// Only complete ones; throw not_found, naming some that are there.
    [[nodiscard]] std::shared_ptr<SandboxEntry> sandbox(const std::string& id) const;
    [[nodiscard]] std::shared_ptr<ContainerEntry> container(const std::string& id) const;
    /// Complete or not; null when there is none.
    [[nodiscard]] std::shared_ptr<SandboxEntry> find_sandbox(const std::string& id) const;
    [[nodiscard]] std::shared_ptr<ContainerEntry> find_container(const std::string& id) const;

    [[nodiscard]] SandboxView view(const SandboxEntry& sandbox) const;
    [[nodiscard]] static ContainerView view(const ContainerEntry& container);
};

}  // namespace covey::daemon
