// One fault put into a good document, and the one problem that must come of it.
// Used by the unit tests of lib/spec. Thread rule: one thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace covey::test {

/// A configuration that uses every property of the specification, correctly.
[[nodiscard]] std::string_view full_config() noexcept;
/// What `runc spec` and `runc spec --rootless` write (runc 1.1.5).
[[nodiscard]] std::string_view runc_config() noexcept;
[[nodiscard]] std::string_view runc_rootless_config() noexcept;

struct BadCase {
    const char* set;      // pointer of the value that is replaced
    const char* value;    // JSON; "" removes the value instead
    const char* pointer;  // of the only problem
    const char* word;     // in its message
};

/// full_config() with `value` at `set`.
[[nodiscard]] std::string changed(std::string_view set, std::string_view value);
/// Loads each case's document and compares its problems with the case.
void check(std::span<const BadCase> cases);

}  // namespace covey::test
