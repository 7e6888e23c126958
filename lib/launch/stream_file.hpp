// What of the host may be a container's standard stream: `file:/path` and `fifo:/path` are opened
// with the host's privileges, through folders that a container may write (its logs in its volume),
// and what is opened goes into the container. Called by stdio. Thread rule: single-threaded. Blocks
// only as open(2) of a regular file does.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace covey::launch {

/// An O_PATH descriptor of `path`; nothing is opened by it yet. Throws invalid_argument where a
/// symlink is on the way.
[[nodiscard]] UniqueFd find_stream(const std::string& path, const char* stream);
/// Opens a regular file or one of the devices that are streams; with O_CREAT a file that is not
/// there is made, for its owner alone. Throws invalid_argument, naming what it is, for everything
/// else.
[[nodiscard]] UniqueFd open_stream_file(const std::string& path, int flags, const char* stream);
/// A second descriptor of what the caller hands over as a stream: not of a folder and not O_PATH,
/// by which the program would reach what is beside it. Throws invalid_argument.
[[nodiscard]] UniqueFd take_stream(FdRef fd, const char* stream);

}  // namespace covey::launch
