// The state folder (`--root`): one folder for each container with its record, its configuration as
// it was created, its FIFOs and a lock. Called by every command. Thread rule: single-threaded.
// Blocks as the filesystem does; `lock` up to its limit.
#pragma once

#include "base/unique_fd.hpp"
#include "core/container_record.hpp"
#include "store/record.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace covey::runtime {

/// A name on the command line as any working directory has it; "" stays "".
[[nodiscard]] std::string absolute_name(const std::string& path);
/// /run/covey/runtime; for others than root below XDG_RUNTIME_DIR.
[[nodiscard]] std::string default_root();

/// One container's folder, there or being made.
class ContainerFolder {
  public:
    ContainerFolder(std::string id, UniqueFd folder);

    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    [[nodiscard]] FdRef fd() const noexcept { return folder_; }
    /// Against other commands on the same container; let go with this object, or the process.
    /// Throws failed_precondition when another command works on it for longer than `seconds`.
    void lock(int seconds);
    void unlock() noexcept { lock_.reset(); }
    [[nodiscard]] bool is_locked_by_other() const;

    void write(const core::ContainerRecord& record) const;
    /// As the store reads it: `state` says whether it is of this boot, damaged, absent.
    [[nodiscard]] store::RecordResult read_raw() const;
    /// Throws not_found ("… does not exist"), or failed_precondition for a damaged one.
    /// `of_this_boot` is set when asked for: after a reboot the record's pid means nothing.
    [[nodiscard]] core::ContainerRecord read(bool* of_this_boot = nullptr) const;

  private:
    std::string id_;
    UniqueFd folder_, lock_;
};

class ContainerStore {
  public:
    /// Makes the folder (0700) where it is missing.
    static ContainerStore open(const std::string& root);
    /// Not there: nothing is made, every id is unknown.
    static ContainerStore open_existing(const std::string& root);

    /// Throws already_exists ("container with given ID already exists").
    [[nodiscard]] ContainerFolder create(const std::string& id) const;
    /// Throws not_found ("container "x" does not exist").
    [[nodiscard]] ContainerFolder open_container(const std::string& id) const;
    [[nodiscard]] bool has(const std::string& id) const;
    void remove(const std::string& id) const;
    [[nodiscard]] std::vector<std::string> ids() const;
    /// Of all containers; one that cannot be read is passed over.
    [[nodiscard]] std::vector<core::ContainerRecord> records() const;
    [[nodiscard]] const std::string& root() const noexcept { return root_; }

  private:
    ContainerStore(std::string root, UniqueFd folder);
    std::string root_;
    UniqueFd folder_;  // invalid: there is none
};

}  // namespace covey::runtime
