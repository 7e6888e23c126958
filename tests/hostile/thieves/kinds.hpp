// The sub-commands that need no hand-shake: what a container does with nothing but its own rights.
// Each says one of the lines of thief.hpp; `rest` is the end of those that hold what they have.
#pragma once

#include "thief.hpp"

#include <map>
#include <string>
#include <vector>

namespace thief {

using Command = int (*)(const Arguments&);
[[nodiscard]] const std::map<std::string, Command>& kinds();

// groups.cpp
int groups(const Arguments& words);
int lift(const Arguments& words);
int freeze_self(const Arguments& words);
int freeze_below(const Arguments& words);
int name_group(const Arguments& words);
int deep_groups(const Arguments& words);
int wide_groups(const Arguments& words);
// herd.cpp
int herd(const Arguments& words);
// seize.cpp
int seize(const Arguments& words);
// thaw.cpp
int thaw_give(const Arguments& words);
int thaw_take(const Arguments& words);
// accounts.cpp
int fill_account(const Arguments& words);
// stalls.cpp
int dead_leader(const Arguments& words);
int trace_all(const Arguments& words);
int stop_all(const Arguments& words);
int storm(const Arguments& words);
int bomb(const Arguments& words);
int hold_streams(const Arguments& words);
int keep_streams(const Arguments& words);
int pass_streams(const Arguments& words);
int flood_notify(const Arguments& words);
int deaf_terminal(const Arguments& words);
int flood_terminal(const Arguments& words);
// looks.cpp
int search_memory(const Arguments& words);
int key_add(const Arguments& words);
int key_find(const Arguments& words);
int exchange(const Arguments& words);
int look(const Arguments& words);
int read_below(const Arguments& words);
// hand.cpp
int hand(const Arguments& words);
int take(const Arguments& words);
// fuse.cpp
int fuse_program(const Arguments& words);
int fuse_deadlock(const Arguments& words);
int fuse_memory(const Arguments& words);

/// Where mount_groups() puts a hierarchy.
inline constexpr const char* kGroupsPlace = "/tmp/groups";
/// Makes the caller owner of a user namespace, a mount namespace and a cgroup namespace of its own.
[[nodiscard]] bool become_owner();
/// `hierarchy`: a v1 controller, or "v2".
[[nodiscard]] bool mount_groups(const std::string& hierarchy);
/// Nothing more, for ever.
[[noreturn]] void rest();
[[nodiscard]] long number(const std::string& word);
/// Writes into a file that is there; false with errno.
bool overwrite(const std::string& path, const std::string& text);
/// The numbers of all processes in sight.
[[nodiscard]] std::vector<pid_t> processes();
[[nodiscard]] std::string name_of(pid_t pid);
/// Runs the thief too.
[[nodiscard]] bool is_same_program(pid_t pid);
/// "%ff" and the like become the byte.
[[nodiscard]] std::string unescaped(const std::string& text);

/// A socket by which two containers that share a folder hand each other descriptors; -1 with errno.
[[nodiscard]] int connect_to(const std::string& path);
[[nodiscard]] int listen_at(const std::string& path);

}  // namespace thief
