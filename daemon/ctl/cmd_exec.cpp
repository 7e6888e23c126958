// covey exec: a process in a running container, with its streams and its exit code.
#include "covey/error.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/run_exec.hpp"

#include <memory>

namespace covey::ctl {
namespace {

struct ExecOptions {
    ExecRequest exec;
    bool input = false;
};

int run_command(const Session& session, ExecOptions options) {
    ExecRequest& wish = options.exec;
    wish.command.insert(wish.command.end(), session.trailing.begin(), session.trailing.end());
    if (wish.command.empty())
        throw Error(Code::invalid_argument, "exec: say which command to run")
            .with_fix("put it last: covey exec CONTAINER -- CMD");
    wish.container = session.container_id(wish.container);
    wish.streams_input = options.input;
    return run_exec(session, wish);
}

}  // namespace

void add_exec(const Options& app, Session& session) {
    const Options command = app.command("exec", "Run a command in a running container");
    const auto options = std::make_shared<ExecOptions>();
    auto& wish = options->exec;
    command.required("CONTAINER", wish.container, "its id, or SANDBOX/CONTAINER");
    command.optional("CMD", wish.command, "what to run; put -- before it");
    command.flag("-i,--interactive", options->input, "pass standard input on");
    command.flag("-t,--tty", wish.terminal, "give it a terminal");
    command.value("-u,--user", "UID[:GID]", wish.user, "numbers in the container");
    command.values("-e,--env", "NAME=VALUE", wish.env, "an environment variable");
    command.value("-w,--cwd", "DIR", wish.cwd, "its working directory");
    command.values("--cap-add", "CAP", wish.capabilities, "add a capability");
    command.chosen([options, &session] {
        session.runs_a_program = true;
        session.chosen = [options, &session] { return run_command(session, *options); };
    });
}

}  // namespace covey::ctl
