// Requirement words: what a test case needs of the machine. An unmet one prints its reason, counts as
// skipped (exit status 77 when nothing else ran), and never passes in silence.
#pragma once

#include <optional>
#include <string>

namespace covey::test {

/// The reason why the machine lacks `word`, or nothing. Words: root, cgroup_v1, cgroup_v2,
/// cgroup_hybrid, userns, seccomp, landlock, runc, pidns_mount (procfs `pidns=`).
[[nodiscard]] std::optional<std::string> missing(const std::string& word);
/// Prints "SKIP: <case>: needs <word> (<reason>)" and remembers it for the exit status.
void note_skip(const std::string& word, const std::string& reason);

}  // namespace covey::test

/// First statement of a TEST_CASE: COVEY_REQUIRES("root");
#define COVEY_REQUIRES(word)                                              \
    do {                                                                  \
        if (const auto covey_reason = ::covey::test::missing(word)) {     \
            ::covey::test::note_skip(word, *covey_reason);                \
            return;                                                       \
        }                                                                 \
    } while (false)
