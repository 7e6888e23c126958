#include "runtime/owner.hpp"

#include "base/text.hpp"
#include "sys/file.hpp"

namespace covey::runtime {

std::string owner_name(uid_t uid) {
    if (uid == 0) return "root";
    const auto number = std::to_string(uid);
    // passwd(5): name:password:uid:…
    if (const auto passwd = sys::read_file("/etc/passwd"))
        for (const auto line : split(passwd.value(), '\n')) {
            const auto fields = split(line, ':');
            if (fields.size() > 2 && fields[2] == number) return std::string{fields[0]};
        }
    return "#" + number;
}

}  // namespace covey::runtime
