// covey debug: a container that looks at the others of a pod, for as long as a command runs in it.
#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/run_exec.hpp"
#include "ctl/run_words.hpp"
#include "ctl/terminal.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <unistd.h>

namespace covey::ctl {
namespace {

struct DebugOptions {
    DebugRequest debug;
    std::string what, ttl;
    std::vector<std::string> command;
    bool input = false, terminal = false;
};

Error debug_usage(std::string detail, std::string fix) {
    return Error(Code::invalid_argument, "debug: " + std::move(detail)).with_fix(std::move(fix));
}

/// "SANDBOX" or "SANDBOX/CONTAINER".
void read_what(DebugOptions& options) {
    auto& wish = options.debug;
    const std::size_t slash = options.what.find('/');
    wish.sandbox = options.what.substr(0, slash);
    require_valid_id(wish.sandbox, "sandbox id");
    if (slash == std::string::npos) return;
    wish.target = options.what.substr(slash + 1);
    require_valid_id(wish.target, "container id");
}

void complete(DebugOptions& options) {
    auto& wish = options.debug;
    read_what(options);
    if (wish.pid_mode == "target" && wish.target.empty())
        throw debug_usage("--pid target needs a container",
                          fmt::format("name it: covey debug {}/CONTAINER", wish.sandbox));
    if (!options.ttl.empty()) wish.ttl = parse_duration(options.ttl);
    if (!wish.tools.empty())
        wish.tools = std::filesystem::absolute(wish.tools).lexically_normal().string();
    if (wish.tools.size() > 1 && wish.tools.back() == '/') wish.tools.pop_back();
    if (wish.id.empty()) wish.id = "debug-" + random_id().substr(0, 8);
    require_valid_id(wish.id, "container id");
    // Who sits at a terminal wants one.
    if (is_terminal(FdRef{STDIN_FILENO}) && is_terminal(FdRef{STDOUT_FILENO}))
        options.input = options.terminal = true;
    if (!options.command.empty()) return;
    if (!options.input)
        throw debug_usage("without a command it is a shell, which needs an input",
                          "give a command after --, or -i");
    options.command = {"sh"};
}

ExecRequest exec_wish(const DebugOptions& options) {
    ExecRequest wish;
    wish.container = options.debug.id;
    wish.command = options.command;
    wish.terminal = options.terminal;
    wish.streams_input = options.input;
    if (!options.terminal) return wish;
    if (const char* term = std::getenv("TERM"); term != nullptr && *term != '\0')
        wish.env.push_back(fmt::format("TERM={}", term));
    return wish;
}

/// coveyd does it too, behind the last exec: nobody shall find it still there.
void remove_debugger(const Session& session, const std::string& id) {
    try {
        static_cast<void>(session.look_up(remove("containers", id, Force::yes)));
    } catch (const Error& error) {
        note(fmt::format("covey: debugger '{}' is left to coveyd: {}", id, error.detail()));
    }
}

int run_debugger(const Session& session, DebugOptions options) {
    options.command.insert(options.command.end(), session.trailing.begin(), session.trailing.end());
    complete(options);
    const auto& wish = options.debug;
    const auto made = session.ask(debug(wish));
    if (made) print_warnings(session, decode_container(*made).warnings);
    try {
        const int exit_code = run_exec(session, exec_wish(options));
        if (made && wish.remove) remove_debugger(session, wish.id);
        if (made && !wish.remove && !session.settings.quiet)
            note(fmt::format("covey: debugger '{}' stays: covey exec -it {} -- sh", wish.id,
                             wish.id));
        return exit_code;
    } catch (const Error&) {
        // What could not even begin is not worth staying for.
        if (made) remove_debugger(session, wish.id);
        throw;
    }
}

}  // namespace

void add_debug(const Options& app, Session& session) {
    const Options command =
        app.command("debug", "Look at a pod's containers, with tools of your own");
    const auto options = std::make_shared<DebugOptions>();
    auto& wish = options->debug;
    command.required("SANDBOX[/CONTAINER]", options->what,
                     "the pod, and the container whose root is at /target");
    command.optional("CMD", options->command, "what to run, else a shell; put -- before it");
    command.value("--tools", "DIR", wish.tools, "its root filesystem; else coveyd's --debug-tools");
    command.value("--profile", "NAME", wish.profile, "general, restricted or sysadmin");
    command.value("--ttl", "TIME", options->ttl, "remove it after 90s, 15m, 1h30m; 1h if absent");
    command.value("--name", "TEXT", wish.id, "its container's id; made up if absent");
    command.value("--pid", "MODE", wish.pid_mode,
                  "pod, or target for the container's own PID namespace");
    command.value("--access", "PRESET", wish.access, "open if absent, observer or private");
    command.values("--cap-add", "CAP", wish.add_capabilities, "add a capability");
    command.value("-u,--user", "UID[:GID]", wish.user, "numbers in the container");
    command.values("-e,--env", "NAME=VALUE", wish.env, "an environment variable");
    command.flag("-i,--interactive", options->input, "pass standard input on");
    command.flag("-t,--tty", options->terminal, "give it a terminal");
    command.flag("--rm", wish.remove,
                 "remove it afterwards; --rm=false: only when its time is over");
    command.chosen([options, &session] {
        session.runs_a_program = true;
        session.chosen = [options, &session] { return run_debugger(session, *options); };
    });
}

}  // namespace covey::ctl
