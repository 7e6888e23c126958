// Inside lib/cgroup only: the freezer of cgroup v1, and killing through it. A frozen v1 task does
// not even die of SIGKILL, so nothing here leaves a group frozen that it froze for a purpose of its
// own. Thread rule: safe from any thread. Blocks for up to the limits that the functions name.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"

namespace covey::cgroup {

/// Writes FROZEN and waits until every task stands still. False when `limit` was over first: the
/// group is then still freezing.
[[nodiscard]] bool freeze_v1(FdRef group, std::chrono::milliseconds limit);
/// A group that is gone: success.
void thaw_v1(FdRef group);
/// Thaws the groups below too, each of which may have been frozen by itself.
void thaw_all_v1(FdRef group);
/// v1's freezer on a hybrid host, where somebody else may have stopped the container (another
/// runtime, an engine of old, the container itself below its own group): then not even SIGKILL
/// would reach it. Invalid: none, or not joined.
[[nodiscard]] UniqueFd foreign_freezer(const Host& host, const Placement& placement);
/// All of it that the group has, whoever froze what.
void thaw_foreign_freezer(const Host& host, const Placement& placement);
/// Rounds of freeze, SIGKILL to all, thaw, until no process is left; at most 2 s, then
/// Code::timeout. Below a group that is frozen they only die when that goes on: not waited for.
void kill_v1(FdRef group, const std::string& path);

}  // namespace covey::cgroup
