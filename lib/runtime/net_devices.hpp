// linux.netDevices (config-linux.md): devices of the runtime's network namespace that the container
// gets, renamed, with their permanent addresses, up. They are the container's from then on: when
// its network namespace goes, the kernel gives physical ones back to the first namespace and
// removes the others. Called by create. Thread rule: single-threaded. Blocks as rtnetlink does.
#pragma once

#include "base/unique_fd.hpp"
#include "spec/linux_types.hpp"
#include "sys/rtnetlink.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::runtime {

class NetDevices {
  public:
    /// Throws when a device is not there, or the caller is not the host's root.
    explicit NetDevices(const std::map<std::string, spec::NetDevice>& wanted);

    /// All of them into the network namespace of `pid`, once; the second call does nothing. Throws
    /// naming the device: then none has moved.
    void move_to(pid_t pid);
    /// The create failed: with name and addresses that they had.
    void give_back() noexcept;

  private:
    struct Device {
        std::string outside, inside;
        int index = 0;  // outside
        std::vector<sys::NetworkAddress> addresses;
        bool was_up = false, has_moved = false;
    };
    void check_names() const;
    void move(Device& device) const;

    std::vector<Device> devices_;
    UniqueFd own_, theirs_;  // network namespaces
    sys::RouteSocket host_;
    std::optional<sys::RouteSocket> container_;
};

}  // namespace covey::runtime
