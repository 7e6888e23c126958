// One exec of a container, as the shim holds it. Used by container.cpp, ending.cpp, execs.cpp.
#pragma once

#include "shim/container.hpp"

#include <csignal>

namespace covey::shim {

struct Container::ExecState {
    ExecState(task::Loop& loop, core::ExecConfig wish, task::Owner::Handler trouble)
        : config(std::move(wish)),
          owner(loop, "exec " + config.container + "/" + config.exec, std::move(trouble)) {}

    core::ExecConfig config;
    core::ExecFacts facts;
    task::Owner owner;  // what its events throw ends it, and nothing else
    std::optional<cgroup::Group> group;
    std::optional<GroupWork> work;
    std::unique_ptr<task::Launching> launching;
    UniqueFd process;  // pidfd
    task::Reaper::Child end;
    UniqueFd terminal;  // pty master, until it goes to the client
    std::optional<sys::ExitStatus> exit;
    task::Timer retry, undying;
    std::optional<ReplyTo> reply;
    std::optional<Error> error;  // why it could not be started; told once nothing of it is left
    bool failed = false, told = false;
    bool killed = false;     // by us
    std::uint64_t ooms = 0;  // of the container, when it began

    /// Its process wherever it is, and whoever else is in its group.
    void kill() {
        if (process && !exit) (void)sys::pidfd_send_signal(process, SIGKILL);
        work->kill();
    }
    [[nodiscard]] bool is_reaped() const {
        return (!process || exit) && (!launching || !launching->launcher_alive());
    }
};

}  // namespace covey::shim
