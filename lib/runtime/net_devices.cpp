#include "runtime/net_devices.hpp"

#include "covey/error.hpp"
#include "runtime/failure.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

sys::RouteSocket open_socket() {
    return sys::RouteSocket::open().or_throw("open", "rtnetlink socket");
}

/// By a socket that is made in there; this command is back when it has one.
sys::RouteSocket open_socket_in(FdRef name_space, FdRef own) {
    sys::set_namespace(name_space, CLONE_NEWNET).or_throw("join", "the container's network");
    auto socket = sys::RouteSocket::open();
    sys::set_namespace(own, CLONE_NEWNET).or_throw("leave", "the container's network");
    return std::move(socket).or_throw("open", "rtnetlink socket");
}

Error of_device(int error, std::string_view what, const std::string& name) {
    auto result = Error::from_errno(error, fmt::format("linux.netDevices: {}", what), name);
    if (error == EINVAL || error == EOPNOTSUPP)
        result.set_fix(
            "lo, bridges and other devices that belong to their namespace cannot be moved (ethtool "
            "-k: netns-local)");
    if (error == EEXIST)
        result.set_fix("give it another name in linux.netDevices, or remove the one that is there");
    return result;
}

/// Name, addresses and the way up of a device that has just come into the namespace of `socket`.
void settle(const sys::RouteSocket& socket, const std::string& name,
            const std::vector<sys::NetworkAddress>& addresses, bool is_up) {
    const auto index = socket.index_of(name);
    if (!index) throw of_device(index.error(), "find after its move", name);
    for (const auto& address : addresses)
        if (const auto added = socket.add(index.value(), address);
            !added && added.error() != EEXIST)
            throw Error::from_errno(added.error(), "linux.netDevices: give back an address of",
                                    name);
    if (!is_up) return;
    if (const auto up = socket.set_up(name); !up) throw of_device(up.error(), "set up", name);
}

}  // namespace

NetDevices::NetDevices(const std::map<std::string, spec::NetDevice>& wanted)
    : own_(sys::open("/proc/self/ns/net", O_RDONLY).or_throw("open", "own network namespace")),
      host_(open_socket()) {
    if (::geteuid() != 0)
        throw Error(Code::permission_denied,
                    "linux.netDevices: only the host's root can move network devices")
            .with_fix("remove them from the configuration, or create the container as root");
    for (const auto& [name, device] : wanted) {
        auto index = host_.index_of(name);
        if (!index && index.error() == ENODEV)
            throw Error(Code::not_found,
                        fmt::format("linux.netDevices: there is no network device '{}' here", name))
                .with_fix("see ip link in the runtime's network namespace for what there is");
        devices_.push_back({name,
                            device.name,
                            std::move(index).or_throw("linux.netDevices: look for", name),
                            {},
                            false,
                            false});
    }
}

void NetDevices::move_to(pid_t pid) {
    if (container_) return;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    theirs_ = sys::open_namespace(proc, pid, "net").or_throw("open", "the container's network");
    if (sys::namespace_id(own_).or_throw("stat", "network namespace") ==
        sys::namespace_id(theirs_).or_throw("stat", "network namespace"))
        throw Error(Code::invalid_argument,
                    "linux.netDevices: the container's network namespace is the runtime's own")
            .with_fix("remove them: the container has all devices of the host");
    container_.emplace(open_socket_in(theirs_, own_));
    check_names();
    try {
        for (auto& device : devices_)
            move(device);
    } catch (const Error&) {
        give_back();
        throw;
    }
}

void NetDevices::check_names() const {
    for (const auto& device : devices_)
        if (container_->index_of(device.inside))
            throw of_device(EEXIST, fmt::format("move {} to", device.outside), device.inside);
}

void NetDevices::move(Device& device) const {
    device.addresses = host_.addresses_of(device.index)
                           .or_throw("linux.netDevices: read the addresses of", device.outside);
    device.was_up = host_.is_up(device.outside).or_throw("linux.netDevices: ask", device.outside);
    if (const auto moved = host_.move(device.index, theirs_, device.inside); !moved)
        throw of_device(moved.error(), "move", device.outside);
    device.has_moved = true;
    settle(*container_, device.inside, device.addresses, true);
}

void NetDevices::give_back() noexcept {
    for (auto& device : devices_)
        try {
            if (!std::exchange(device.has_moved, false)) continue;
            const auto index = container_->index_of(device.inside);
            if (!index) throw of_device(index.error(), "give back", device.inside);
            if (const auto moved = container_->move(index.value(), own_, device.outside); !moved)
                throw of_device(moved.error(), "give back", device.outside);
            settle(host_, device.outside, device.addresses, device.was_up);
        } catch (const std::exception& error) {
            report_warning(error.what());
        }
}

}  // namespace covey::runtime
