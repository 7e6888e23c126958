#include "server/peer.hpp"

#include "base/text.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <unistd.h>

namespace covey::daemon {

std::optional<gid_t> covey_group() {
    const auto file = sys::read_file("/etc/group");
    if (!file) return std::nullopt;
    for (const auto line : split(file.value(), '\n')) {
        const auto fields = split(line, ':');  // group(5): name:password:gid:members
        if (fields.size() >= 3 && fields[0] == "covey") return parse_u32(fields[2]);
    }
    return std::nullopt;
}

Peer peer_of(FdRef socket) {
    const auto credentials = sys::peer_credentials(socket).or_throw("read the peer's credentials");
    return {credentials.pid, credentials.uid, credentials.gid};
}

std::optional<Error> refuse_stranger(FdRef socket, const Peer& peer, std::optional<gid_t> group) {
    if (peer.uid == 0 || peer.uid == ::geteuid()) return std::nullopt;
    if (group) {
        if (peer.gid == *group) return std::nullopt;
        const auto groups = sys::peer_groups(socket);
        if (groups &&
            std::find(groups.value().begin(), groups.value().end(), *group) != groups.value().end())
            return std::nullopt;
    }
    return Error(Code::permission_denied, fmt::format("uid {} may not use this socket", peer.uid))
        .with_fix("call as root, or join the group covey, whose members are as good as root");
}

}  // namespace covey::daemon
