#include "ctl/app.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "covey/version.hpp"
#include "ctl/commands.hpp"
#include "ctl/report.hpp"
#include "ctl/terminal.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>

#include <unistd.h>

namespace covey::ctl {
namespace {

void add_global_options(CLI::App& app, Settings& settings) {
    app.add_option("-H,--socket", settings.socket, "coveyd's socket")
        ->envname("COVEY_SOCKET")
        ->type_name("PATH")
        ->capture_default_str();
    static const std::map<std::string, Format> kFormats{{"table", Format::table},
                                                        {"wide", Format::wide},
                                                        {"json", Format::json},
                                                        {"name", Format::name}};
    app.add_option("-o,--output", settings.format, "table, wide, json or name")
        ->transform(CLI::Transformer(kFormats).description(""))
        ->type_name("FORMAT");
    app.add_flag("!--no-headers", settings.headers, "tables without their first line");
    app.add_flag("-q,--quiet", settings.quiet, "lists: names only; else: only errors");
    app.add_flag("--curl", settings.curl, "print the calls as curl lines instead of making them");
    app.add_flag("-v,--verbose", settings.verbose, "errors with their code and causes");
}

void add_commands(CLI::App& app, Session& session) {
    add_sandbox(app, session);
    add_run(app, session);
    add_ps(app, session);
    add_tree(app, session);
    add_exec(app, session);
    add_start(app, session);
    add_stop(app, session);
    add_kill(app, session);
    add_wait(app, session);
    add_rm(app, session);
    add_inspect(app, session);
    add_events(app, session);
    add_version(app, session);
    add_doctor(app, session);
}

/// Cuts what follows the first "--" off: a container's command is not ours to parse.
std::vector<std::string> cut_trailing(std::vector<std::string>& arguments) {
    const auto mark = std::find(arguments.begin(), arguments.end(), "--");
    if (mark == arguments.end()) return {};
    std::vector<std::string> trailing(mark + 1, arguments.end());
    arguments.erase(mark, arguments.end());
    return trailing;
}

std::string path_of(const CLI::App& app) {
    return app.get_parent() == nullptr ? app.get_name()
                                       : path_of(*app.get_parent()) + " " + app.get_name();
}

Error usage_error(const CLI::App& app, std::string detail) {
    return Error(Code::invalid_argument, std::move(detail)).with_fix(path_of(app) + " --help");
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    return did_you_mean(word, views);
}

/// Words that no command took. `app` is the innermost command that was chosen.
void refuse_leftovers(const CLI::App& app) {
    const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
    std::vector<std::string> options, names;
    for (const CLI::App* level = &app; level != nullptr; level = level->get_parent())
        for (const CLI::Option* option : level->get_options())
            for (const auto& name : option->get_lnames())
                options.push_back("--" + name);
    for (const CLI::App* command : commands)
        names.push_back(command->get_name());

    for (const auto& word : app.remaining()) {
        if (word.starts_with('-')) {
            const std::string name = word.substr(0, word.find('='));
            throw usage_error(app, fmt::format("{}: unknown option '{}'{}", path_of(app), name,
                                               suggestion(name, options)));
        }
        if (!commands.empty())
            throw usage_error(app, fmt::format("{}: unknown command '{}'{}", path_of(app), word,
                                               suggestion(word, names)));
        throw usage_error(app, fmt::format("{}: one word too many: '{}'", path_of(app), word));
    }
    if (!commands.empty()) throw usage_error(app, fmt::format("{}: which command?", path_of(app)));
}

const CLI::App& innermost(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? app : innermost(*chosen.front());
}

void report(const Error& error, bool verbose) {
    std::string text = error_report(error, verbose);
    if (wants_color(FdRef{STDERR_FILENO})) text = "\033[31mcovey:\033[0m" + text.substr(6);
    text.pop_back();
    note(text);
}

/// Help as CLI11 writes it, errors in our words. Answers nothing when there is work to do.
std::optional<int> parse(CLI::App& app, std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        print(innermost(app).help());
        return 0;
    } catch (const CLI::CallForVersion& version) {
        print(fmt::format("{}\n", version.what()));
        return 0;
    } catch (const CLI::ParseError& failure) {
        throw usage_error(innermost(app),
                          fmt::format("{}: {}", path_of(innermost(app)), failure.what()));
    }
    // Inner leftovers stay with the inner command, those before it with the outer one.
    for (const CLI::App* level = &innermost(app); level != nullptr; level = level->get_parent())
        if (level == &innermost(app) || level->remaining_size() > 0) refuse_leftovers(*level);
    return std::nullopt;
}

/// `started`: the command line was understood; what fails from now on is the command.
int parse_and_run(Session& session, std::vector<std::string> arguments, bool& started) {
    CLI::App app{"Keeps the containers of a pod together.", "covey"};
    app.set_version_flag("--version", "covey " COVEY_VERSION);
    app.fallthrough();   // global options may stand after the command
    app.allow_extras();  // to name what is wrong in our own words
    app.require_subcommand(0, 1);
    app.footer(
        "A pod in three lines:\n"
        "  covey sandbox create web\n"
        "  covey run web --pid pod --name app -d --rootfs DIR -- CMD\n"
        "  covey tree web");
    add_global_options(app, session.settings);
    add_commands(app, session);

    session.trailing = cut_trailing(arguments);
    if (const auto status = parse(app, std::move(arguments))) return *status;
    if (!session.trailing.empty() && !session.runs_a_program)
        throw usage_error(innermost(app), path_of(innermost(app)) + ": takes no command after --");
    started = true;
    return session.chosen();
}

}  // namespace

int run_app(std::vector<std::string> arguments) noexcept {
    Session session;
    bool started = false;
    Code code = Code::internal;
    try {
        return parse_and_run(session, std::move(arguments), started);
    } catch (const Error& error) {
        code = error.code();
        report(error, session.settings.verbose);
    } catch (const std::exception& error) {
        report(Error(code, error.what()), session.settings.verbose);
    }
    return started && session.runs_a_program ? kExitNotRun : exit_status(code);
}

}  // namespace covey::ctl
