// covey inspect: everything coveyd knows of a container, or of a sandbox, as JSON.
#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <fmt/format.h>

#include <memory>

namespace covey::ctl {
namespace {

std::optional<std::string> container_or_sandbox(const Session& session, const std::string& name) {
    const std::string id = session.container_id(name);
    try {
        return session.ask(get("containers", id));
    } catch (const Error& error) {
        if (error.code() != Code::not_found || name.find('/') != name.npos) throw;
    }
    try {
        return session.ask(get("sandboxes", id));
    } catch (const Error& error) {
        if (error.code() != Code::not_found) throw;
        throw Error(Code::not_found, fmt::format("no container and no sandbox '{}'", id))
            .with_fix("covey ps -a; covey sandbox ls");
    }
}

int inspect(const Session& session, const std::string& name) {
    if (const auto answer = container_or_sandbox(session, name)) print(pretty_json(*answer) + "\n");
    return 0;
}

}  // namespace

void add_inspect(const Options& app, Session& session) {
    const Options command = app.command("inspect", "Print a container or a sandbox as JSON");
    const auto name = std::make_shared<std::string>();
    command.required("NAME", *name, "a container's id, SANDBOX/CONTAINER or a sandbox's id");
    command.chosen([name, &session] {
        session.chosen = [name, &session] { return inspect(session, *name); };
    });
}

}  // namespace covey::ctl
