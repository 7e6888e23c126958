// What a thief does with a channel that it has taken from a newborn.
#pragma once

#include <string>
#include <vector>

namespace thief {

class Lies {
  public:
    /// `name` is one of lies.cpp's table; an unknown one ends the program.
    explicit Lies(const std::string& name);
    /// Both take the descriptor over.
    void to_socket(int fd, const std::string& whose);
    void to_fifo(int fd, const std::string& whose);
    /// What goes on for as long as the thief lives: flooding, swallowing, serving what was slipped
    /// in.
    void go_on();

  private:
    [[nodiscard]] bool is_kept() const;
    void lie_to(int fd, const std::string& whose);
    void send(int fd, const std::string& bytes, const std::vector<int>& fds = {});
    /// The other end stays here and is listened to.
    [[nodiscard]] int slip_in();
    void babble(int fd);
    void listen_to(int index);

    std::string name_;
    std::vector<int> sockets_, fifos_, slipped_in_, listeners_;
};

}  // namespace thief
