// The clients of a shim (coveyd, or a façade): connections, their requests and their answers. A
// client that does not read is dropped before it can cost memory. Thread rule: the loop's thread.
#pragma once

#include "base/unique_fd.hpp"
#include "core/messages.hpp"
#include "task/loop.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace covey::shim {

/// Where an answer goes: a client that may be gone by then, and the request's number.
struct ReplyTo {
    std::uint64_t client = 0;
    std::uint64_t number = 0;
};

class Peers {
  public:
    using Handler = std::function<void(ReplyTo, core::RequestBody, std::vector<UniqueFd> fds)>;

    Peers(task::Loop& loop, UniqueFd listener, Handler handler);
    /// False when the client has left, or could not be told and was dropped: nobody heard it.
    bool reply(ReplyTo to, const core::ReplyBody& body, UniqueFd fd = {}) noexcept;
    /// A client that cannot be told is dropped: it comes again and asks for what there is.
    /// Runs `serve`; what that throws is the answer.
    void answer(ReplyTo to, const task::Callback& serve) noexcept;
    void broadcast(const core::Event& event) noexcept;

  private:
    struct Client {
        Client(task::Loop& loop, UniqueFd connection, task::Owner::Handler failed)
            : owner(loop, "client", std::move(failed)), socket(std::move(connection)) {}
        task::Owner owner;  // what its events throw drops it
        UniqueFd socket;
        task::Watch watch;
        std::deque<std::pair<std::string, UniqueFd>> outbox;
        std::size_t outbox_bytes = 0;
    };
    void accept_clients();
    void serve(std::uint64_t id);
    void send(std::uint64_t id, std::string packet, UniqueFd fd);
    void flush(std::uint64_t id);
    void drop(std::uint64_t id) noexcept;

    task::Owner owner_;
    UniqueFd listener_;
    task::Watch watch_;
    Handler handler_;
    std::map<std::uint64_t, std::shared_ptr<Client>> clients_;
    std::uint64_t next_client_ = 1;
};

}  // namespace covey::shim
