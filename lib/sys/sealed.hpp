// Copies of programs in memory that nobody can change, memfd_create(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string_view>

namespace covey::sys {

/// An anonymous copy of the file, sealed, for executing by descriptor.
Result<UniqueFd> sealed_copy(FdRef file, std::string_view name);
/// An empty file in memory that can be written and sealed.
Result<UniqueFd> memory_file(const char* name);
/// No write, grow or shrink from now on. Waits up to 1.5 s for whoever in the kernel holds a page
/// of it; after that, and where it is mapped for writing, EBUSY.
Result<void> seal(FdRef memfd);

}  // namespace covey::sys
