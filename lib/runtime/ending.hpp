// Signals, and the end of a container: everything in its group killed and gone, group, registry
// link and folder removed, poststop hooks run. Called by kill, delete, run and a create that
// failed. Thread rule: single-threaded. Blocks until the group is empty, at most 4 s.
#pragma once

#include "cgroup/cgroup.hpp"
#include "runtime/container_store.hpp"
#include "runtime/status.hpp"

#include <string>

namespace covey::runtime {

/// Kills all that is in the group, waits until it is empty and removes it.
void end_group(cgroup::Group& group);
/// Every child of this process that has ended or is being killed, for at most 4 s.
void reap_children() noexcept;

/// To init. Throws failed_precondition "container not running" when it has ended.
void signal_init(const ContainerView& view, int signal);
/// To every process of the container, init alive or not; nobody left is success. SIGKILL: until
/// nobody is left, at most 2 s, then timeout. Inits of the store's other containers that were moved
/// into its group are spared, and then moved back.
void signal_all(const ContainerStore& store, const ContainerView& view, int signal);

/// The folder is locked. Whatever state the container is in.
void destroy_container(const ContainerStore& store, const ContainerFolder& folder,
                       const ContainerView& view);
/// The same for one whose record cannot be read: its folder and its registry link are removed, and
/// a warning says that the rest is not known.
void destroy_remains(const ContainerStore& store, const ContainerFolder& folder);

}  // namespace covey::runtime
