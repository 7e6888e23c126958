// Accepts connections on the Unix socket and runs a session for each. Owns the socket file and the
// count of connections. Limits: see Limits; where descriptors run out, one in reserve lets it
// answer and close the newest connection, so that accept(2) does not fail for ever. Thread rule:
// the io_context's one thread. Nothing blocks.
#pragma once

#include "api/exchange.hpp"
#include "base/unique_fd.hpp"
#include "server/socket_file.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <optional>
#include <string>

#include <sys/types.h>

namespace covey::daemon {

struct ListenerConfig {
    std::string path = "/run/covey/covey.sock";
    std::size_t most_connections = 1024;
    /// Of these only root gets the last ones.
    std::size_t reserved_for_root = 32;
};

class Listener {
  public:
    /// Listens when it returns; accepts when run() is awaited. `handler` outlives it.
    Listener(boost::asio::io_context& io, ListenerConfig config, Handler& handler);
    boost::asio::awaitable<void> run();
    /// Takes the socket's file away; connections go on.
    void close();
    [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }

  private:
    enum class Accepted { all, some };
    Accepted accept_all();
    void admit(UniqueFd connection);
    void begin_session(UniqueFd connection, const Peer& peer);
    void shed_one();
    void refuse(FdRef connection, const Peer& peer, const Error& error) const;

    boost::asio::io_context& io_;
    ListenerConfig config_;
    Handler& handler_;
    std::optional<gid_t> group_;
    SocketFile file_;
    boost::asio::posix::stream_descriptor acceptor_;
    UniqueFd reserve_;
    std::size_t connections_ = 0;
};

}  // namespace covey::daemon
