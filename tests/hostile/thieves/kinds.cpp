#include "kinds.hpp"

#include <cstdlib>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace thief {

const std::map<std::string, Command>& kinds() {
    static const std::map<std::string, Command> all{
        {"bomb", bomb},
        {"dead-leader", dead_leader},
        {"deaf-terminal", deaf_terminal},
        {"deep-groups", deep_groups},
        {"hand", hand},
        {"take", take},
        {"exchange", exchange},
        {"fill", fill_account},
        {"flood-notify", flood_notify},
        {"flood-terminal", flood_terminal},
        {"freeze-below", freeze_below},
        {"freeze-self", freeze_self},
        {"fuse-deadlock", fuse_deadlock},
        {"fuse-memory", fuse_memory},
        {"fuse-program", fuse_program},
        {"groups", groups},
        {"herd", herd},
        {"hold-streams", hold_streams},
        {"keep-streams", keep_streams},
        {"key-add", key_add},
        {"key-find", key_find},
        {"lift", lift},
        {"look", look},
        {"name-group", name_group},
        {"pass-streams", pass_streams},
        {"read-below", read_below},
        {"search-memory", search_memory},
        {"seize", seize},
        {"stop-all", stop_all},
        {"storm", storm},
        {"thaw-give", thaw_give},
        {"thaw-take", thaw_take},
        {"trace-all", trace_all},
        {"wide-groups", wide_groups},
    };
    return all;
}

void rest() {
    while (true)
        pause();
}

long number(const std::string& word) {
    return std::strtol(word.c_str(), nullptr, 0);
}

bool overwrite(const std::string& path, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool done = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(file);
    return done;
}

std::vector<pid_t> processes() {
    std::vector<pid_t> found;
    for (const auto& name : list("/proc"))
        if (const auto pid = static_cast<pid_t>(number(name)); pid > 0) found.push_back(pid);
    return found;
}

std::string name_of(pid_t pid) {
    auto name = slurp("/proc/" + std::to_string(pid) + "/comm");
    if (!name.empty()) name.pop_back();
    return name;
}

bool is_same_program(pid_t pid) {
    struct stat own {
    }, other{};
    return stat("/proc/self/exe", &own) == 0 &&
           stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

std::string unescaped(const std::string& text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%' || at + 2 >= text.size()) {
            result += text[at];
            continue;
        }
        result += static_cast<char>(std::strtol(text.substr(at + 1, 2).c_str(), nullptr, 16));
        at += 2;
    }
    return result;
}

int connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return socket;
    close(socket);
    return -1;
}

int listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(socket, 1) != 0)
        return -1;
    return socket;
}

}  // namespace thief
