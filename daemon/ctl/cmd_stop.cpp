// covey stop: SIGTERM, and SIGKILL when the time is over.
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <memory>
#include <optional>

namespace covey::ctl {
namespace {

struct StopOptions {
    std::vector<std::string> names;
    std::optional<double> seconds;
};

int stop(const Session& session, const StopOptions& options) {
    for (const auto& name : options.names) {
        const std::string id = session.container_id(name);
        if (const auto answer = session.ask(stop_container(id, options.seconds)))
            session.print_object(*answer, id);
    }
    return 0;
}

}  // namespace

void add_stop(const Options& app, Session& session) {
    const Options command = app.command("stop", "Stop a container: SIGTERM, later SIGKILL");
    const auto options = std::make_shared<StopOptions>();
    command.required("CONTAINER", options->names, "ids, or SANDBOX/CONTAINER");
    command.value("-t,--time", "SEC", options->seconds, "seconds until SIGKILL; 10 if absent");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return stop(session, *options); };
    });
}

}  // namespace covey::ctl
