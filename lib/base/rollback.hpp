// Undo steps that run in reverse order unless the whole was a success.
// Thread rule: one owner. Undo steps must not throw; one that does is dropped, the rest still run.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace covey {

class Rollback {
  public:
    Rollback() = default;
    Rollback(const Rollback&) = delete;
    Rollback& operator=(const Rollback&) = delete;
    Rollback(Rollback&& other) noexcept : undo_(std::exchange(other.undo_, {})) {}
    Rollback& operator=(Rollback&&) = delete;
    ~Rollback() { run(); }

    void add(std::function<void()> undo) { undo_.push_back(std::move(undo)); }
    /// The whole succeeded: forget the undo steps.
    void release() noexcept { undo_.clear(); }
    void run() noexcept;

  private:
    std::vector<std::function<void()>> undo_;
};

}  // namespace covey
