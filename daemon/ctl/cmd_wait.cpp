// covey wait: until a container has ended; its exit code is printed, and is the command's.
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"

#include <fmt/format.h>

#include <memory>

namespace covey::ctl {
namespace {

int wait(const Session& session, const std::string& name) {
    const auto answer = session.ask(get("containers", session.container_id(name), "wait"));
    if (!answer) return 0;
    const int exit_code = decode_exit(*answer).exit_code;
    session.print_object(*answer, fmt::to_string(exit_code));
    return exit_code;
}

}  // namespace

void add_wait(const Options& app, Session& session) {
    const Options command = app.command("wait", "Wait until a container ends; exit with its code");
    const auto name = std::make_shared<std::string>();
    command.required("CONTAINER", *name, "its id, or SANDBOX/CONTAINER");
    command.chosen([name, &session] {
        session.runs_a_program = true;
        session.chosen = [name, &session] { return wait(session, *name); };
    });
}

}  // namespace covey::ctl
