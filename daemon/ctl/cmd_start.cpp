// covey start: lets created containers execute their programs.
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <CLI/CLI.hpp>

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

void add_start(CLI::App& app, Session& session) {
    auto* command = app.add_subcommand("start", "Start a created container");
    const auto names = std::make_shared<std::vector<std::string>>();
    command->add_option("CONTAINER", *names, "ids, or SANDBOX/CONTAINER")->required();
    command->callback([names, &session] {
        session.chosen = [names, &session] { return start(session, *names); };
    });
}

}  // namespace covey::ctl
