#include "runtime/console.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/own_file.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

struct Place {
    UniqueFd folder;
    std::string name;
};

Place find_place(const std::string& path, std::string_view flag) {
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    Place place{{}, slash == std::string::npos ? path : path.substr(slash + 1)};
    if (place.name.empty() || place.name == "." || place.name == "..")
        throw Error(Code::invalid_argument, fmt::format("flag --{}: '{}' is no file", flag, path));
    auto opened = sys::open_dir(folder);
    if (!opened)
        throw Error::from_errno(opened.error(), fmt::format("flag --{}: open folder", flag), folder)
            .with_fix("the folder must be there before the call");
    place.folder = std::move(opened).value();
    return place;
}

}  // namespace

std::optional<int> descriptor_named(std::string_view path) {
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"})
        if (path.starts_with(folder))
            if (const auto number = parse_u32(path.substr(folder.size()));
                number && *number <= INT_MAX)
                return static_cast<int>(*number);
    if (path == "/dev/stdin") return STDIN_FILENO;
    if (path == "/dev/stdout") return STDOUT_FILENO;
    if (path == "/dev/stderr") return STDERR_FILENO;
    return std::nullopt;
}

std::string read_named(const std::string& path, std::string_view flag, std::size_t limit) {
    auto file = sys::open(path, O_RDONLY | O_NOCTTY);
    if (!file) throw Error::from_errno(file.error(), fmt::format("flag --{}: open", flag), path);
    return sys::read_all(file.value(), limit).or_throw(fmt::format("flag --{}: read", flag), path);
}

UniqueFd connect_socket(const std::string& path, std::string_view flag) {
    const auto place = find_place(path, flag);
    auto socket = sys::stream_connect_at(place.folder, place.name);
    if (!socket)
        throw Error::from_errno(socket.error(), fmt::format("flag --{}: connect to", flag), path)
            .with_fix("a process must listen on that Unix socket before the call");
    sys::set_nonblocking(socket.value(), false).or_throw("fcntl", path);
    return std::move(socket).value();
}

void send_descriptor(FdRef socket, FdRef descriptor, std::string_view name) {
    const std::array fds{descriptor};
    sys::send_packet(socket, name, fds).or_throw("send descriptor of", name);
}

PidFile::PidFile(const std::string& path) : path_(path) {
    if (path.empty()) return;
    auto place = find_place(path, "pid-file");
    folder_ = std::move(place.folder);
    name_ = std::move(place.name);
    require_replaceable();
}

/// A rename over a device would take it from the whole host, over a FIFO from whoever reads it.
void PidFile::require_replaceable() const {
    auto status = sys::stat_at(folder_, name_);
    if (!status && status.error() == ENOENT) return;
    if (S_ISREG(std::move(status).or_throw("flag --pid-file: look at", path_).st_mode)) return;
    throw Error(Code::invalid_argument,
                fmt::format("flag --pid-file: {} is {}", path_, sys::kind_of_file(folder_, name_)))
        .with_fix("name a file that is not there, or a regular one: it is replaced as a whole");
}

void PidFile::write(pid_t pid) const {
    if (!folder_) return;
    require_replaceable();
    constexpr mode_t kMode = 0644;
    sys::replace_file_at(folder_, name_, std::to_string(pid), kMode).or_throw("write", path_);
}

}  // namespace covey::runtime
