// A neighbour that shares a folder and exchanges two names in it as fast as it can. Used where a
// launch must not look twice. Thread rule: the test thread.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {

/// A process that swaps two names as fast as it can, until it goes out of scope.
class Racer {
  public:
    Racer(const std::string& one, const std::string& other)
        : rounds_(static_cast<std::uint64_t*>(::mmap(nullptr, sizeof(std::uint64_t),
                                                     PROT_READ | PROT_WRITE,
                                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
        pid_ = ::fork();
        while (pid_ == 0) {
            ::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(),
                      RENAME_EXCHANGE);
            ++*rounds_;
        }
    }
    Racer(const Racer&) = delete;
    Racer& operator=(const Racer&) = delete;
    ~Racer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::munmap(rounds_, sizeof(std::uint64_t));
    }
    [[nodiscard]] std::uint64_t rounds() const {
        return *static_cast<volatile std::uint64_t*>(rounds_);
    }

  private:
    std::uint64_t* rounds_;
    pid_t pid_ = -1;
};

}  // namespace covey::test
