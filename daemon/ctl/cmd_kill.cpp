// covey kill: a signal to a container.
#include "covey/error.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "sys/proc.hpp"

#include <memory>

namespace covey::ctl {
namespace {

struct KillOptions {
    std::vector<std::string> names;
    std::string signal = "TERM";
    bool all = false;
    std::optional<std::uint64_t> pid;
};

int kill_containers(const Session& session, const KillOptions& options) {
    std::optional<std::uint32_t> pid;
    if (options.pid) {
        if (*options.pid == 0 || *options.pid > sys::kLargestPid)
            throw Error(Code::invalid_argument, "--pid: no process has that number")
                .with_fix("covey tree shows the numbers under HOSTPID");
        pid = static_cast<std::uint32_t>(*options.pid);
    }
    for (const auto& name : options.names) {
        const std::string id = session.container_id(name);
        if (session.ask(kill(id, options.signal, options.all, pid)) && !session.settings.quiet)
            print(id + "\n");
    }
    return 0;
}

}  // namespace

void add_kill(const Options& app, Session& session) {
    const Options command = app.command("kill", "Send a signal to a container");
    const auto options = std::make_shared<KillOptions>();
    command.required("CONTAINER", options->names, "ids, or SANDBOX/CONTAINER");
    command.value("-s,--signal", "SIG", options->signal, "HUP, SIGHUP or 1");
    command.value("--pid", "HOSTPID", options->pid, "to this process of it only");
    command.flag("--all", options->all, "to every process, not only the first");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return kill_containers(session, *options); };
    });
}

}  // namespace covey::ctl
