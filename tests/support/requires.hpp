// Requirement words: what a test case needs of the machine. An unmet one prints its reason, counts
// as skipped (exit status 77 when every case that ran was skipped), and never passes in silence.
// Skips are a budget: one for a word that the environment's COVEY_NO_SKIP lists fails the case.
// Thread rule: the test thread.
#pragma once

#include <optional>
#include <string>

namespace covey::test {

/// The reason why the machine lacks `word`, or nothing. Words: root, cgroup_v1, cgroup_v2 (a v2
/// tree, alone or beside v1), cgroup_hybrid, cgroup_pure_v2, userns, seccomp, landlock,
/// landlock_scope, pidns_mount (procfs takes `pidns=`), idmapped_tmpfs (by the kernel's version),
/// faults (built with COVEY_FAULTS), runc. Each other is probed by trying it.
[[nodiscard]] std::optional<std::string> missing(const std::string& word);
/// Prints "SKIP: <case>: needs <word> (<reason>)" and remembers it for the exit status.
void note_skip(const std::string& word, const std::string& reason);
/// The program's exit status: 77 when every case was skipped, never 0 after a failure.
[[nodiscard]] int exit_status(int failures);

}  // namespace covey::test

/// First statement of a TEST_CASE: COVEY_REQUIRES("root");
#define COVEY_REQUIRES(word)                                          \
    do {                                                              \
        if (const auto covey_reason = ::covey::test::missing(word)) { \
            ::covey::test::note_skip(word, *covey_reason);            \
            return;                                                   \
        }                                                             \
    } while (false)
