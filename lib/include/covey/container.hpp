// covey::Container: one container of a sandbox. Made by Sandbox::create_container.
// Thread rule, blocking and errors as in covey/sandbox.hpp.
#pragma once

#include "covey/error.hpp"
#include "covey/options.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace covey {

class Container {
  public:
    Container(Container&&) noexcept;
    Container& operator=(Container&&) noexcept;
    /// Lets go of the handle; the container runs on.
    ~Container();

    [[nodiscard]] const std::string& id() const noexcept;
    /// OCI's words: creating, created, running, paused, stopped.
    [[nodiscard]] std::string state() const;
    /// Host number of the main process; 0 when stopped.
    [[nodiscard]] pid_t pid() const;
    /// Its number in the sandbox's PID namespace; 0 if it is not in there.
    [[nodiscard]] pid_t pod_pid() const;

    /// Throws failed_precondition unless it is created; not_found or permission_denied when the
    /// program cannot be executed.
    void start();
    /// To the main process, by pidfd; `all`: to every process of the container.
    void kill(int signal, bool all = false);
    /// Every process of it stands still, its execs included, or goes on; one that does so already
    /// is left as it is. Throw failed_precondition unless it has been started, and pause() throws
    /// timeout when a process does not stop within 2 s: then all go on.
    void pause();
    void resume();
    /// Blocks until every process of the container is gone; nothing when the time is over first.
    std::optional<ExitStatus> wait(std::chrono::milliseconds limit);
    /// Runs a process in the container and blocks until it ends.
    ExitStatus exec(const ExecOptions& options);
    /// Throws failed_precondition while it runs, unless `force`, which kills first. Idempotent with
    /// it.
    void remove(bool force = false);

  private:
    friend class Sandbox;
    struct State;
    explicit Container(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace covey
