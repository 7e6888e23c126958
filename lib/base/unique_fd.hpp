// Who owns a file descriptor. UniqueFd owns it, FdRef borrows it; a plain int appears only in
// lib/sys. Thread rule: values, one owner each.
#pragma once

#include <utility>

namespace covey {

/// Borrowed: never closes. The only non-owning parameter type.
class FdRef {
  public:
    constexpr explicit FdRef(int fd) noexcept : fd_(fd) {}
    [[nodiscard]] constexpr int get() const noexcept { return fd_; }
    [[nodiscard]] constexpr bool valid() const noexcept { return fd_ >= 0; }

  private:
    int fd_;
};

/// Owns one descriptor. Closes once: after EINTR the descriptor is gone all the same (close(2),
/// "Dealing with error returns"), so a retry could close somebody else's.
class UniqueFd {
  public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] FdRef ref() const noexcept { return FdRef{fd_}; }
    operator FdRef() const noexcept { return ref(); }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    explicit operator bool() const noexcept { return valid(); }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Saves errno.
    void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

/// Misuse does not compile.
void close(UniqueFd) = delete;

/// Named ends instead of [0] and [1].
struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
struct SocketPair {
    UniqueFd parent;
    UniqueFd child;
};

}  // namespace covey
