// inotify(7): what happens in a few folders, without asking again and again. Called by coveyd,
// which waits for the descriptor. Thread rule: one owner. Does not block.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace covey::sys {

/// Non-blocking; readable when something happened.
Result<UniqueFd> open_folder_watch();

enum class Watched { changes, removals };
/// changes: names that come (whole), go, or are replaced, and the folder's own end. removals: names
/// that go. Answers the number by which events name the folder; the same folder again has the same.
Result<int> watch_folder(FdRef watch, FdRef folder, Watched what);
/// Not there any more: nothing.
void unwatch_folder(FdRef watch, int number) noexcept;

struct FolderEvent {
    enum class Kind { came, went, folder_gone, lost };
    Kind kind = Kind::came;
    int number = -1;
    std::string name;
};
/// All that can be read now. `lost`: there were too many for the kernel's queue: look at everything
/// again.
Result<std::vector<FolderEvent>> read_folder_events(FdRef watch);

}  // namespace covey::sys
