// What happens around every test case of a program: skip accounting (support/requires.cpp) and,
// where it is enabled, the leak check (support/leak_check.cpp). Called by the Catch2 listener in
// support/listener.cpp only. Thread rule: the test thread.
#pragma once

#include <string>
#include <vector>

namespace covey::test {

struct PassHooks {
    void (*before)() = nullptr;
    /// A line for everything that must fail the case.
    std::vector<std::string> (*after)() = nullptr;
};
/// Run around every pass through a test case (one with sections is passed several times).
void set_pass_hooks(PassHooks hooks);

/// Skip accounting: a case counts once, however many passes it takes.
void case_starting(const std::string& name);
void case_ended();

}  // namespace covey::test
