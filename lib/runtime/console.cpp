#include "runtime/console.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <utility>

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
}

void PidFile::write(pid_t pid) const {
    if (!folder_) return;
    constexpr mode_t kMode = 0644;
    sys::replace_file_at(folder_, name_, std::to_string(pid), kMode).or_throw("write", path_);
}

}  // namespace covey::runtime
