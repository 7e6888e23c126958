#include "sys/environment.hpp"

#include <cstring>

#include <unistd.h>

namespace covey::sys {

void forget_environment() noexcept {
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
        ::explicit_bzero(*entry, std::strlen(*entry));
    environ = nullptr;
}

}  // namespace covey::sys
