// covey pause and covey resume: containers stand still, and go on.
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <memory>

namespace covey::ctl {
namespace {

int ask_each(const Session& session, const std::vector<std::string>& names,
             std::string_view action) {
    for (const auto& name : names) {
        const std::string id = session.container_id(name);
        if (const auto answer = session.ask(post("containers", id, action)))
            session.print_object(*answer, id);
    }
    return 0;
}

void add_action(const Options& command, Session& session, std::string_view action) {
    const auto names = std::make_shared<std::vector<std::string>>();
    command.required("CONTAINER", *names, "ids, or SANDBOX/CONTAINER");
    command.chosen([names, action, &session] {
        session.chosen = [names, action, &session] { return ask_each(session, *names, action); };
    });
}

}  // namespace

void add_pause(const Options& app, Session& session) {
    add_action(app.command("pause", "Let every process of a container stand still"), session,
               "pause");
}

void add_resume(const Options& app, Session& session) {
    const Options command = app.command("resume", "Let a paused container go on");
    command.alias("unpause");
    add_action(command, session, "resume");
}

}  // namespace covey::ctl
