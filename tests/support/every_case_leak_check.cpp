// Linked into every test program that needs root (covey_test(… ROOT)).
#include "support/leak_check.hpp"

namespace {
[[maybe_unused]] const bool kEnabled = covey::test::enable_leak_check();
}
