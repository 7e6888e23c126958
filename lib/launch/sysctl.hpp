// Kernel parameters of the namespaces that the caller is in. Thread rule: single-threaded (the
// namespace that /proc/sys acts on is the caller's). Does not block.
#pragma once

#include <map>
#include <string>

namespace covey::launch {

/// Whether a key belongs to a namespace of its own, and to which: "net", "ipc", "uts", or "" for a
/// parameter of the whole host, which no pod may set.
[[nodiscard]] std::string sysctl_namespace(const std::string& key);
/// Keys in dotted or slashed form. Written beneath a held /proc/sys, without following a symlink or
/// crossing a mount. Throws naming the key.
void apply_sysctls(const std::map<std::string, std::string>& sysctls);

}  // namespace covey::launch
