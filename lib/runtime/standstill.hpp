// Who stands still for a launch in pid mode nested, written down before he does: a line for the
// newcomer's group, a line for each one that a guard tells to stand still (stillness.hpp). Whoever
// finds such lines in a pod's lock (pod_lock.hpp) without anybody at work undoes them. A group is
// found again by its path and the kernel's number of it, so another one of that name is left alone.
// The file is in /run, of this boot. Thread rule: single-threaded. Blocks as cgroupfs does, and
// where it says so.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

#include <string>

namespace covey::runtime {

void note_newcomer(FdRef record, const cgroup::Group& group);
void note_still(FdRef record, const cgroup::Group& group);
[[nodiscard]] bool is_standstill_noted(FdRef record);
void forget_standstill(FdRef record);

/// What is to become of the newcomer: `dropped` says that it has no privileges any more.
enum class Newcomer { dropped, ends };
/// All go on, but not before a newcomer that `ends` has: it is killed and waited for, 2 s at most.
/// Then timeout is thrown, with who is left of it, and they stand still until the next try.
void undo_standstill(FdRef record, const cgroup::Host& host, Newcomer newcomer);
/// For an error: whom the newcomer's end waits for; empty when there is none.
[[nodiscard]] std::string who_keeps_still(FdRef record, const cgroup::Host& host);

}  // namespace covey::runtime
