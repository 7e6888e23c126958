#include "shim/homes.hpp"

#include "base/log.hpp"
#include "covey/error.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <chrono>
#include <csignal>
#include <exception>
#include <utility>

#include <unistd.h>

namespace covey::shim {
namespace {

/// What is under way then is told to all first: one kill meets many.
constexpr std::chrono::milliseconds kGathering{2};

[[noreturn]] void run_child(const cgroup::Host& host, FdRef proc,
                            const std::vector<cgroup::Resident>& away) {
    bool all = true;
    for (const auto& one : away) {
        try {
            cgroup::bring_home(host, proc, one);
        } catch (const std::exception&) {
            all = false;
        }
    }
    ::_exit(all ? 0 : 1);
}

}  // namespace

Homes::Homes(task::Owner& owner, task::Reaper& reaper, const cgroup::Host& host, IsOther is_other,
             All all)
    : owner_(owner),
      reaper_(reaper),
      host_(host),
      is_other_(std::move(is_other)),
      all_(std::move(all)),
      can_be_left_(cgroup::lets_others_be_moved(host)) {
}

Homes::~Homes() {
    if (child_) (void)sys::pidfd_send_signal(child_, SIGKILL);
}

cgroup::Spares Homes::others_than(const std::string& container) {
    return [this, container](pid_t pid) {
        if (!is_other_(pid, container)) return false;
        look_soon();
        return true;
    };
}

void Homes::look_soon() {
    if (!soon_.is_set() && !child_) soon_ = owner_.after(kGathering, [this] { look(); });
}

void Homes::look() {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    auto away = all_();
    std::erase_if(away, [&](const auto& one) { return !cgroup::is_away(host_, proc, one); });
    if (away.empty()) return;
    log::warning("processes of the pod are in cgroups of others, and are moved back",
                 {{"processes", std::to_string(away.size())}});
    auto child = sys::clone_process({0, SIGCHLD}).or_throw("clone", "a child to move processes");
    if (child.pid == 0) run_child(host_, proc, away);
    child_ = std::move(child.pidfd);
    end_ = reaper_.expect(child_, owner_, [this](const sys::ExitStatus& status) {
        child_.reset();
        if (status.code != 0) log::error("a process of the pod could not be moved back", {});
    });
}

}  // namespace covey::shim
