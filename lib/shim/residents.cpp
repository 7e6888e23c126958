// Who of the pod's processes the shim knows, and where they belong (homes.hpp).
#include "shim/exec_state.hpp"
#include "shim/shim.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <unistd.h>

namespace covey::shim {
namespace {

constexpr std::chrono::milliseconds kPauseAgain{20};

}  // namespace

bool Container::has_process(pid_t pid) const {
    if (main_ && !main_exit_ && facts_.pid == pid) return true;
    for (const auto& [id, exec] : execs_)
        if (exec->process && !exec->exit && exec->facts.pid == pid) return true;
    return false;
}

void Container::add_residents(std::vector<cgroup::Resident>& residents) const {
    const cgroup::Placement home{facts_.cgroup};
    if (main_ && !main_exit_) residents.push_back({facts_.pid, main_, home, ""});
    for (const auto& [id, exec] : execs_)
        if (exec->process && !exec->exit)
            residents.push_back({exec->facts.pid, exec->process, home, id + ".exec"});
}

bool Container::could_move_others() const {
    // Where signals are its own's alone a filter refuses it user namespaces (plan/own_filters.hpp),
    // and a cgroup mount is read-only. In a user namespace of the pod nobody is the host's root.
    return context_.homes.can_be_left() && facts_.config.access.signal != spec::Reach::own &&
           !context_.sandbox.view().has_user;
}

bool Shim::is_others(pid_t pid, const std::string& container) const {
    if (pid == ::getpid() || sandbox_->is_pause(pid)) return true;
    for (const auto& [id, entry] : containers_)
        if (id != container && entry->has_process(pid)) return true;
    return false;
}

std::vector<cgroup::Resident> Shim::residents() const {
    std::vector<cgroup::Resident> all;
    sandbox_->add_resident(all);
    for (const auto& [id, entry] : containers_)
        entry->add_residents(all);
    return all;
}

/// Killed, and still there: it may stand still in a group of a container's.
void Shim::look_for_pause_later() {
    pause_look_ = owner_.after(kPauseAgain, [this] {
        if (sandbox_->facts().state != core::SandboxState::stopping) return;
        homes_->look_soon();
        look_for_pause_later();
    });
}

}  // namespace covey::shim
