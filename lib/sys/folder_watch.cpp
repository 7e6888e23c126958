#include "sys/folder_watch.hpp"

#include "sys/file.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/inotify.h>
#include <unistd.h>

namespace covey::sys {
namespace {

constexpr std::uint32_t kChanges = IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_DELETE |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kRemovals = IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR;
constexpr std::size_t kBuffer = 64U << 10U;

FolderEvent::Kind kind_of(std::uint32_t mask) {
    if ((mask & IN_Q_OVERFLOW) != 0) return FolderEvent::Kind::lost;
    if ((mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0)
        return FolderEvent::Kind::folder_gone;
    if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return FolderEvent::Kind::went;
    return FolderEvent::Kind::came;
}

}  // namespace

Result<UniqueFd> open_folder_watch() {
    const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) return Errno{errno};
    return UniqueFd{fd};
}

Result<int> watch_folder(FdRef watch, FdRef folder, Watched what) {
    const auto mask = what == Watched::changes ? kChanges : kRemovals;
    const int number = ::inotify_add_watch(watch.get(), fd_path(folder).c_str(), mask);
    if (number < 0) return Errno{errno};
    return number;
}

void unwatch_folder(FdRef watch, int number) noexcept {
    (void)::inotify_rm_watch(watch.get(), number);
}

Result<std::vector<FolderEvent>> read_folder_events(FdRef watch) {
    std::vector<FolderEvent> events;
    alignas(inotify_event) std::array<char, kBuffer> buffer{};
    while (true) {
        const auto got = ::read(watch.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return events;
        if (got < 0) return Errno{errno};
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
            inotify_event head{};
            std::memcpy(&head, buffer.data() + at, sizeof head);
            // The name is padded with NULs to head.len.
            std::string name = head.len == 0 ? "" : buffer.data() + at + sizeof head;
            events.push_back({kind_of(head.mask), head.wd, std::move(name)});
            at += sizeof head + head.len;
        }
    }
}

}  // namespace covey::sys
