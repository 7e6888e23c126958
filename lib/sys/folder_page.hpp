// A long folder, part by part: a list of 100,000 names takes longer than an event loop may stand
// still. Called by lib/cgroup. Thread rule: safe from any thread. Blocks as getdents64(2) does.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace covey::sys {

struct FolderPage {
    std::vector<std::string> folders;  // by name
    long next = 0;                     // where the next page begins
    bool is_last = false;
};

/// Some `most` folders of those in `dir`, from position `from` on (0: its beginning). What is made
/// or removed between two pages may be missed; a few names may be in two pages.
Result<FolderPage> list_folders_from(FdRef dir, long from, std::size_t most);

}  // namespace covey::sys
