// covey start: lets created containers execute their programs.
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <memory>

namespace covey::ctl {
namespace {

int start(const Session& session, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        const std::string id = session.container_id(name);
        if (const auto answer = session.ask(post("containers", id, "start")))
            session.print_object(*answer, id);
    }
    return 0;
}

}  // namespace

void add_start(const Options& app, Session& session) {
    const Options command = app.command("start", "Start a created container");
    const auto names = std::make_shared<std::vector<std::string>>();
    command.required("CONTAINER", *names, "ids, or SANDBOX/CONTAINER");
    command.chosen([names, &session] {
        session.chosen = [names, &session] { return start(session, *names); };
    });
}

}  // namespace covey::ctl
