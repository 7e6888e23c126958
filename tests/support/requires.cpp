#include "support/requires.hpp"

#include "sys/file.hpp"

#include <iostream>
#include <map>

#include <fcntl.h>
#include <linux/magic.h>
#include <unistd.h>

namespace covey::test {
namespace {

int g_skipped = 0;

std::optional<std::string> no_filesystem(const char* path, std::uint64_t magic) {
    const auto dir = sys::open_dir(path);
    if (!dir) return std::string{path} + " is not there";
    if (sys::filesystem_magic(dir.value()).value_or(0) != magic)
        return std::string{path} + " is another filesystem";
    return std::nullopt;
}

}  // namespace

std::optional<std::string> missing(const std::string& word) {
    if (word == "root")
        return geteuid() == 0 ? std::nullopt : std::optional<std::string>{"run as root"};
    if (word == "cgroup_v2") {
        if (!no_filesystem("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC)) return std::nullopt;
        return no_filesystem("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC);
    }
    if (word == "cgroup_pure_v2") return no_filesystem("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC);
    if (word == "cgroup_v1") return no_filesystem("/sys/fs/cgroup/memory", CGROUP_SUPER_MAGIC);
    if (word == "runc")
        return access("/usr/sbin/runc", X_OK) == 0 || access("/usr/bin/runc", X_OK) == 0
                   ? std::nullopt
                   : std::optional<std::string>{"install runc"};
    return "unknown requirement word";
}

void note_skip(const std::string& word, const std::string& reason) {
    ++g_skipped;
    std::cout << "SKIP: needs " << word << " (" << reason << ")\n";
}

/// 77 when all that ran was skipped; a failure always wins.
int exit_status(int failures) {
    constexpr int kSkipped = 77;
    if (failures == 0 && g_skipped > 0) return kSkipped;
    return failures > 255 ? 255 : failures;
}

}  // namespace covey::test
