// What the kernel knows of a file without asking its file system. Called by core. Thread rule: any
// thread. Does not block.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>

namespace covey::sys {

/// Device and inode.
struct FileId {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const FileId&) const = default;
};
/// Which file a descriptor is of. fstat(2) asks the file system, and one that a tenant serves
/// himself (FUSE) may leave that without an answer: for whatever a tenant has opened or runs.
Result<FileId> known_file(FdRef fd);

}  // namespace covey::sys
