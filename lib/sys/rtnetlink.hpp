// Network devices by rtnetlink(7): found, moved into another network namespace, given addresses.
// Thread rule: one object, one thread. Blocks as the kernel's configuration lock does: briefly.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::sys {

/// An address that stays with a device: permanent, of global scope (RFC 3549, 2.3.3.2).
struct NetworkAddress {
    std::uint8_t family = 0, prefix = 0;
    std::string attributes;  // as rtnetlink has them, without the label
};

/// What it does, it does in the network namespace that it was opened in, wherever the caller is
/// later.
class RouteSocket {
  public:
    [[nodiscard]] static Result<RouteSocket> open();

    /// The device's number; ENODEV.
    [[nodiscard]] Result<int> index_of(const std::string& name) const;
    [[nodiscard]] Result<std::vector<NetworkAddress>> addresses_of(int index) const;
    /// Its addresses and routes are gone afterwards, and it is down. EINVAL: a device that cannot
    /// leave its namespace; EEXIST: the name is taken there.
    Result<void> move(int index, FdRef network_namespace, std::string_view new_name) const;
    Result<void> add(int index, const NetworkAddress& address) const;
    [[nodiscard]] Result<bool> is_up(const std::string& name) const;
    Result<void> set_up(const std::string& name) const;

  private:
    explicit RouteSocket(UniqueFd socket) : socket_(std::move(socket)) {}
    [[nodiscard]] Result<void> send(const std::string& message) const;
    [[nodiscard]] Result<void> ask(const std::string& message) const;

    UniqueFd socket_;
};

}  // namespace covey::sys
