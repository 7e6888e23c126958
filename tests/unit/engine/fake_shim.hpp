// A shim for unit tests: speaks the real protocol over a socket, makes no namespace and no process
// but a sleeper that stands for itself. A script can keep answers back, fail them, or let it die.
// Thread rule: the test thread; runs on the world's io_context. Does not block.
#pragma once

#include "core/messages.hpp"
#include "core/shim_process.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace covey::test {

class FakeShim : public std::enable_shared_from_this<FakeShim> {
  public:
    enum class Script { obey, silent, fail, die, obey_and_die };

    FakeShim(boost::asio::io_context& io, std::string id, std::string folder, bool with_process);
    ~FakeShim();
    /// A new connection's other end.
    UniqueFd connect();
    /// Ends it as SIGKILL would: sockets closed, nothing written any more.
    void die();
    [[nodiscard]] bool is_alive() const { return alive_; }
    [[nodiscard]] pid_t pid() const { return process_.pid; }
    [[nodiscard]] UniqueFd duplicate_pidfd() const;
    [[nodiscard]] bool process_runs() const;

    /// The container's main process ends by itself.
    void exit_container(const std::string& id, int code);
    void end_exec(std::string container, std::string exec, int code);
    void pause_dies();
    /// Carries out and answers what a `silent` script kept back.
    void answer_kept();

    std::function<Script(const core::RequestBody&)> script;
    std::vector<std::string> requests;  // operation names, in order
    std::optional<core::SandboxFacts> sandbox;
    std::map<std::string, core::ContainerFacts> containers;
    std::map<std::string, core::ExecFacts> execs;
    std::map<std::string, std::vector<UniqueFd>> exec_fds;
    bool tell_events = true;

  private:
    using Socket = boost::asio::posix::stream_descriptor;
    boost::asio::awaitable<void> serve(std::shared_ptr<Socket> socket);
    void handle(const std::shared_ptr<Socket>& socket, core::Request request,
                std::vector<UniqueFd> fds);
    core::ReplyBody carry_out(const core::RequestBody& body, std::vector<UniqueFd> fds);
    core::ReplyBody create(const core::CreateContainer& wish);
    core::ReplyBody stand_still(const std::string& id, core::ContainerState state);
    core::ReplyBody remove(const core::DeleteContainer& wish);
    core::ReplyBody signal(const core::KillContainer& wish);
    void send_status(Socket& socket, std::uint64_t number);
    void send(Socket& socket, const std::string& packet);
    void tell(const core::Event& event);
    void write_container(const std::string& id);
    void write_sandbox();

    boost::asio::io_context& io_;
    std::string id_, folder_;
    /// Without a process its "pidfd" is a pipe, which becomes readable when the other end closes.
    sys::Child process_;
    UniqueFd life_;
    bool alive_ = true;
    std::list<std::shared_ptr<Socket>> sockets_;
    struct Kept {
        std::shared_ptr<Socket> socket;
        core::Request request;
        std::vector<UniqueFd> fds;
    };
    std::list<Kept> kept_;
    pid_t next_pid_ = 1000;
};

}  // namespace covey::test
