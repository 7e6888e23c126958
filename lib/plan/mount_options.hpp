// The meaning of a mount's `options` (config.md#mounts, mount(8)). Internal to lib/plan.
// Thread rule: pure functions.
#pragma once

#include "plan/operations.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::plan {

struct MountOptions {
    MountFlags flags;
    bool bind = false, bind_recursive = false;
    bool copy_up = false;
    bool remount = false;
    bool idmap = false, idmap_recursive = false;
    /// Superblock options for fsconfig(2): "sync", "dirsync", "lazytime".
    std::vector<std::string> superblock;
    /// What is no option of mount(8): the filesystem's own, "key=value" or "flag".
    std::vector<std::pair<std::string, std::string>> data;
    /// As data, with its index in the spec's list.
    std::vector<std::size_t> data_index;

    struct Refusal {
        std::size_t index;
        std::string message;
    };
    std::vector<Refusal> refusals;
};

/// Later options win over earlier ones that they contradict, as in mount(8).
[[nodiscard]] MountOptions read_mount_options(const std::vector<std::string>& options);
/// " (did you mean 'nosuid'?)" or "".
[[nodiscard]] std::string similar_mount_option(std::string_view option);

/// The names that mean something here, sorted; those that are refused are not among them.
[[nodiscard]] std::vector<std::string_view> mount_option_names();

}  // namespace covey::plan
