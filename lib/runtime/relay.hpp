// Between this process's streams and a pty's master, for a terminal in the foreground: bytes both
// ways, the window's size, raw mode. Called by foreground.cpp. Thread rule: single-threaded. Blocks
// as a write to its own stdout does; never for a program that does not read what is typed.
#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <vector>

#include <poll.h>
#include <termios.h>

namespace covey::runtime {

class Relay {
  public:
    explicit Relay(FdRef master);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    /// What to poll for, and what to do about it.
    void add_to(std::vector<pollfd>& entries) const;
    void copy(const std::vector<pollfd>& entries);
    /// What the program printed before it ended.
    void drain();
    void copy_size() const;

  private:
    bool copy_output();
    void copy_input();
    void send_typed();

    FdRef master_;
    std::string typed_;              // what the terminal had no room for yet
    std::optional<termios> before_;  // stdin's, if it is a terminal
    bool input_open_ = true, output_open_ = true;
};

}  // namespace covey::runtime
