#include "plan/sections.hpp"

namespace covey::plan {

void compile_seccomp(Sections& s) {
    if (s.spec.linux.seccomp) s.refuse("/linux/seccomp", "a seccomp profile");
}

}  // namespace covey::plan
