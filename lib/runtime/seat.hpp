// Where an exec into a container with restricted access is worked on (spawner.hpp): `covey-runtime
// exec` asks the container's spawner, which starts the same command line once more, inside the
// container's domain; the two talk over one SOCK_SEQPACKET connection, of which the inner one has
// the seat. Thread rule: single-threaded. Blocks only where it says so.
//
//   spawner → asking  Hello: a word, with the sender as the kernel knows it (SCM_CREDENTIALS).
//                     Before, the asking one says nothing and gives nothing
//   asking → spawner  one packet: argv, in which every name of a file is absolute, and environment;
//                     descriptors: 0, 1, 2, and those to preserve, no folder
//   inner  → asking   Running      the process has executed its program
//   asking → inner    a signal for the process
//   inner  → asking   Ended        with the process's exit status
//   (end of stream)   the inner one: it failed, and has said why to the user itself; the asking
//                     one: it was killed, and the process is killed too
#pragma once

#include "base/unique_fd.hpp"
#include "sys/process.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace covey::runtime {

inline constexpr std::string_view kHello = "spawner";
/// Tells the inner command the number of its connection.
inline constexpr std::string_view kSeatVariable = "COVEY_EXEC_SEAT";

class Seat {
  public:
    /// From the environment, where the spawner left it; not taken over by what is executed.
    [[nodiscard]] static std::optional<Seat> take();
    [[nodiscard]] FdRef fd() const noexcept { return socket_; }
    /// Nothing: whoever asked has gone. Blocks until there is something.
    [[nodiscard]] std::optional<int> receive_signal() const;
    void tell_running() const;
    void tell_ended(const sys::ExitStatus& status) const;

  private:
    explicit Seat(FdRef socket) : socket_(socket) {}
    /// Open until this process ends: its end of the stream says that all has been said, errors on
    /// stderr too.
    FdRef socket_;
};

struct CommandLine {
    std::vector<std::string> args, env;
};
[[nodiscard]] std::string encode(const CommandLine& line);
/// Throws Code::internal.
[[nodiscard]] CommandLine decode_command_line(std::string_view packet);

[[nodiscard]] std::string encode_signal(int signal);
struct Running {};
using SeatReport = std::variant<Running, sys::ExitStatus>;
/// Nothing: the end of the stream. Blocks until there is something.
[[nodiscard]] std::optional<SeatReport> receive_report(FdRef socket);

}  // namespace covey::runtime
