// A filesystem without room, for the calling process: RLIMIT_FSIZE stands in for ENOSPC. write(2)
// stores what fits, then says EFBIG. Thread rule: the test thread, one at a time.
#pragma once

#include <csignal>

#include <sys/resource.h>

namespace covey::test {

class FullDisk {
  public:
    /// No file grows beyond `room` bytes until this object is gone.
    explicit FullDisk(rlim_t room) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        struct rlimit tight = before_;
        tight.rlim_cur = room;
        setrlimit(RLIMIT_FSIZE, &tight);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

  private:
    struct rlimit before_ {};
    void (*handler_)(int);
};

}  // namespace covey::test
