// A mount option that is longer than fsconfig(2) takes as text (255 bytes): lists of overlay's
// layers. Called by RootBuilder. Thread rule: single-threaded. Blocks as opening folders does.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace covey::launch {

/// strndup_user(value, 256) in the kernel's fs/fsopen.c.
inline constexpr std::size_t kLongestOption = 255;

/// overlay's layers go one by one ("lowerdir+", "datadir+": Linux 6.7), a path that is too long
/// itself by descriptor (Linux 6.13). Throws, naming the option, what no call can set.
void set_long_option(FdRef context, const std::string& type, const std::string& key,
                     const std::string& value);

}  // namespace covey::launch
