// Writing to a pipe or FIFO whose readers may have gone: EPIPE, and no signal that ends the
// program. Thread rule: single-threaded programs.
#pragma once

#include <csignal>

namespace covey::sys {

/// SIGPIPE is ignored for as long as it lives.
class NoSigpipe {
  public:
    NoSigpipe() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
    NoSigpipe(const NoSigpipe&) = delete;
    NoSigpipe& operator=(const NoSigpipe&) = delete;
    ~NoSigpipe() { (void)std::signal(SIGPIPE, before_); }

  private:
    void (*before_)(int);
};

}  // namespace covey::sys
