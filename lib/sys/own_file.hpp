// Files of our own state folders, opened without believing that what lies there is what we wrote: a
// symlink is not followed, and neither a FIFO nor a device is ever opened (that may hang, or do
// something). Called by lib/store and coveyd. Thread rule: safe from any thread. Blocks as the
// filesystem does.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace covey::sys {

/// open(2) of a regular file, close-on-exec; with O_CREAT one that is not there is made. ELOOP: it
/// is a symlink; EISDIR: a folder; EINVAL: anything else that is no regular file.
Result<UniqueFd> open_own_file_at(FdRef dir, std::string_view name, int flags, mode_t mode = 0);
/// The whole file, at most `limit` bytes; longer: EFBIG.
Result<std::string> read_own_file_at(FdRef dir, std::string_view name, std::size_t limit);
/// One of the three errors by which the functions above say what a file is.
[[nodiscard]] bool is_no_regular_file(int error) noexcept;
/// "a FIFO", "a symlink", …, for errors; "not there".
[[nodiscard]] std::string_view kind_of_file(FdRef dir, std::string_view name) noexcept;

}  // namespace covey::sys
