// A container's class of service of Intel RDT (config-linux.md, intelRdt): a group of the resctrl
// filesystem (Documentation/arch/x86/resctrl.rst), which has its share of cache and memory
// bandwidth, and in it a monitoring group of the container's own if it asks for one. Called by
// create, exec and delete. Thread rule: single-threaded. Blocks as resctrl does: briefly.
#pragma once

#include "base/unique_fd.hpp"
#include "covey/error.hpp"
#include "runtime/container_store.hpp"
#include "spec/types.hpp"

#include <set>
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

    /// What the container will have; nothing is made yet. `made_by_us`: classes of other
    /// containers that this runtime made. Throws when the specification's rules forbid it, and for
    /// a resource or counter that the processor has not.
    [[nodiscard]] core::ResctrlPlace choose(const spec::IntelRdt& wanted, const std::string& id,
                                            const std::set<std::string>& made_by_us) const;
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

/// Classes of the store's containers, but for `id`'s, that this runtime made.
[[nodiscard]] std::set<std::string> made_classes(const ContainerStore& store,
                                                 const std::string& id);
/// The process, 0 for the caller, and all that it will make. Nothing when there is no class.
void join_class(const core::ResctrlPlace& place, pid_t process);
/// The container has ended: its monitoring group goes, and its class if this runtime made it and
/// neither another container of the store nor any process has it. What fails is a warning.
void remove_class(const core::ResctrlPlace& place, const ContainerStore& store,
                  const std::string& id) noexcept;
/// The second half, for a class that no other container has.
void remove_own_class(const core::ResctrlPlace& place);

}  // namespace covey::runtime
