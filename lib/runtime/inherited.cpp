// What covey-runtime inherits from its caller on purpose, and where it caches.
#include "base/log.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/console.hpp"
#include "runtime/creating.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr int kFirstInherited = 3;
constexpr unsigned kMostInherited = 1U << 16U;

/// sd_listen_fds(3): only when LISTEN_PID is this process.
unsigned listen_fds() {
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    if (pid == nullptr || count == nullptr || std::to_string(::getpid()) != pid) return 0;
    return parse_count(count, "LISTEN_FDS", kMostInherited);
}

}  // namespace

InheritedFds take_inherited_fds(const std::string& flag, FdRef also) {
    InheritedFds fds;
    fds.listen_fds = listen_fds();
    fds.count = fds.listen_fds + parse_count(flag, "preserve-fds", kMostInherited);
    std::vector<int> passed_on;
    for (int fd = kFirstInherited; fd < kFirstInherited + static_cast<int>(fds.count); ++fd) {
        if (::fcntl(fd, F_GETFD) < 0)
            throw Error(Code::invalid_argument,
                        fmt::format("flag --preserve-fds: descriptor {} is not open", fd))
                .with_fix("pass descriptors 3, 4 … without a gap");
        passed_on.push_back(fd);
    }
    const auto folder =
        sys::open("/proc/self/fd", O_RDONLY | O_DIRECTORY).or_throw("open", "own descriptors");
    for (const auto& name : sys::list_dir(folder).or_throw("list", "own descriptors")) {
        const auto fd = static_cast<int>(parse_u32(name).value_or(0));
        if (fd < kFirstInherited + static_cast<int>(fds.count) || fd == also.get() ||
            fd == folder.get() || ::fcntl(fd, F_GETFD) < 0)
            continue;
        fds.others.push_back(fd);
    }
    // Until init passes them on: hooks and helpers must not have them.
    for (const auto* list : {&passed_on, &fds.others})
        for (const int fd : *list)
            sys::set_cloexec(FdRef{fd}, true).or_throw("fcntl", "inherited descriptor");
    return fds;
}

void close_others(const InheritedFds& fds, std::string_view log_file) {
    const auto kept = descriptor_named(log_file);
    for (const int fd : fds.others)
        if (fd != kept) UniqueFd{fd}.reset();
}

void add_listen_variables(spec::Process& process, const InheritedFds& fds) {
    if (fds.listen_fds == 0) return;
    process.env.push_back(fmt::format("LISTEN_FDS={}", fds.listen_fds));
    process.env.emplace_back("LISTEN_PID=1");
}

std::string seccomp_cache_folder() {
    std::string path = "/run/covey/seccomp";
    if (::geteuid() != 0) {
        const char* folder = std::getenv("XDG_RUNTIME_DIR");
        if (folder == nullptr || *folder != '/') return "";
        path = std::string{folder} + "/covey/seccomp";
    }
    try {
        return store::StateDir::open(path).path();
    } catch (const Error& error) {
        // Slower, never weaker: the filter is compiled anew.
        log::debug("no cache for seccomp filters", {{"error", error.what()}});
        return "";
    }
}

}  // namespace covey::runtime
