// covey rm: deletes containers.
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <memory>

namespace covey::ctl {
namespace {

struct RmOptions {
    std::vector<std::string> names;
    bool force = false;
};

int rm(const Session& session, const RmOptions& options) {
    for (const auto& name : options.names) {
        const std::string id = session.container_id(name);
        const auto answer =
            session.ask(remove("containers", id, options.force ? Force::yes : Force::no));
        if (answer && !session.settings.quiet) print(id + "\n");
    }
    return 0;
}

}  // namespace

void add_rm(const Options& app, Session& session) {
    const Options command = app.command("rm", "Delete a container");
    const auto options = std::make_shared<RmOptions>();
    command.required("CONTAINER", options->names, "ids, or SANDBOX/CONTAINER");
    command.flag("-f,--force", options->force, "end it first if it runs");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return rm(session, *options); };
    });
}

}  // namespace covey::ctl
