#include "sys/folder_page.hpp"

#include "sys/file.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace covey::sys {
namespace {

/// "." and ".." are at 0 and 1.
constexpr long kFirst = 2;

struct Close {
    void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};
using Stream = std::unique_ptr<DIR, Close>;

Result<Stream> open_stream(FdRef dir) {
    // A descriptor of its own: fdopendir takes it over, and O_PATH ones cannot be read.
    auto readable = open_at(dir, ".", O_RDONLY | O_DIRECTORY);
    if (!readable) return Errno{readable.error()};
    Stream stream{::fdopendir(readable.value().get())};
    if (!stream) return Errno{errno};
    (void)readable.value().release();  // closedir closes it
    return stream;
}

bool is_folder(FdRef dir, const dirent& entry) {
    const char* const name = static_cast<const char*>(entry.d_name);
    if (std::string_view{name} == "." || std::string_view{name} == "..") return false;
    if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
    const auto status = stat_at(dir, name);
    return status && S_ISDIR(status.value().st_mode);
}

}  // namespace

Result<FolderPage> list_folders_from(FdRef dir, long from, std::size_t most) {
    auto opened = open_stream(dir);
    if (!opened) return Errno{opened.error()};
    const auto stream = std::move(opened).value();
    if (from > 0) ::seekdir(stream.get(), from);
    FolderPage page;
    while (page.folders.size() < most) {
        errno = 0;
        const dirent* const entry = ::readdir(stream.get());
        if (entry == nullptr && errno != 0) return Errno{errno};
        page.is_last = entry == nullptr;
        if (page.is_last) break;
        // One before: a position in kernfs is a name's hash, and of several with the same one only
        // that way none is passed over (kernfs_dir_pos).
        page.next = std::max(entry->d_off - 1, kFirst);
        if (is_folder(dir, *entry))
            page.folders.emplace_back(static_cast<const char*>(entry->d_name));
    }
    std::sort(page.folders.begin(), page.folders.end());
    return page;
}

}  // namespace covey::sys
