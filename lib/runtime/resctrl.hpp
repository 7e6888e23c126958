// A container's class of service of Intel RDT (config-linux.md, intelRdt): a group of the resctrl
// filesystem (Documentation/arch/x86/resctrl.rst), which has its share of cache and memory
// bandwidth, and in it a monitoring group of the container's own if it asks for one. Called by
// create, exec and delete. Thread rule: single-threaded. Blocks as resctrl does: briefly.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "runtime/container_store.hpp"
#include "spec/types.hpp"

#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

namespace covey::runtime {

/// Where resctrl is mounted by a text like /proc/self/mountinfo; "": nowhere.
[[nodiscard]] std::string resctrl_mount(std::string_view mountinfo);

/// The host's classes. An object of find() holds the lock on them that resctrl.rst asks for.
class Resctrl {
  public:
    /// Throws unsupported_by_host when the host has none mounted.
    [[nodiscard]] static Resctrl find();
    /// A folder that is one, unchecked and not locked.
    explicit Resctrl(std::string root) : root_(std::move(root)) {}

    /// What the container will have; nothing is made yet. Throws when the specification's rules
    /// forbid it, and for a resource or counter that the processor has not.
    [[nodiscard]] core::ResctrlPlace choose(const spec::IntelRdt& wanted,
                                            const std::string& id) const;
    /// The group, unless it is there.
    void make(const core::ResctrlPlace& place) const;
    /// Its share, unless it has it, and the monitoring group.
    void configure(const core::ResctrlPlace& place, const spec::IntelRdt& wanted) const;

  private:
    [[nodiscard]] Error refused(int error, std::string_view operation,
                                const std::string& object) const;
    void check_resources(const std::string& schemata) const;
    void check_counters(const spec::IntelRdt& wanted) const;

    std::string root_;
    UniqueFd lock_;
};

/// What is written to the group's `schemata`; "": nothing.
[[nodiscard]] std::string schemata_of(const spec::IntelRdt& wanted);
/// The group gives what is wanted, in whatever spelling; its other resources do not matter.
[[nodiscard]] bool is_met(std::string_view wanted, std::string_view schemata);

/// The process, 0 for the caller, and all that it will make. Nothing when there is no class.
void join_class(const core::ResctrlPlace& place, pid_t process);
/// The container has ended, or its create has failed: its monitoring group goes, and a class that
/// was made for it alone, unless a process has it. What fails is a warning.
void remove_class(const core::ResctrlPlace& place) noexcept;
/// The second half, under the lock.
void remove_own_class(const core::ResctrlPlace& place);

}  // namespace covey::runtime
