// The seccomp agent of a spec (linux.seccomp.listenerPath): who answers for the system calls whose
// action is SCMP_ACT_NOTIFY. The launcher connects to it on the host; who loads the filter hands
// its listener to the parent at once, before anybody of the container or its neighbours can see a
// process that has it; the parent, who alone knows the process's number, tells the agent.
// Thread rule: single-threaded. Does not block.
#pragma once

#include "base/unique_fd.hpp"
#include "launch/message.hpp"
#include "plan/plan.hpp"

#include <functional>
#include <string>

#include <sys/types.h>

namespace covey::launch {

[[nodiscard]] bool asks_agent(const plan::ProcessPlan& process);
/// In the launcher, on the host. Nothing when the process's filter asks nobody.
void connect_agent(const plan::ProcessPlan& process, FdRef channel);
/// Into this process; a listener goes to the parent and is closed here.
void load_filter(const plan::SeccompFilter& filter, FdRef channel);
/// One that asks an agent, of a process with no_new_privs: not last, as others, but while nobody
/// sees the process.
void load_asking_filter(const plan::ProcessPlan& process, FdRef channel);

/// In the parent: brings together agent, listener and number, whichever comes first.
class SeccompDelivery {
  public:
    /// OCI's "container process state" as JSON.
    using State = std::function<std::string(pid_t pid, const std::string& metadata)>;
    void take(SeccompAgent agent) { agent_ = std::move(agent); }
    void take(SeccompListener listener) { listener_ = std::move(listener.listener); }
    /// Sends it when all is there. `pid` 0: not known yet. Throws when the agent has gone.
    void deliver(pid_t pid, const State& state);

  private:
    SeccompAgent agent_;
    UniqueFd listener_;
};

}  // namespace covey::launch
