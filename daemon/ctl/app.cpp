#include "ctl/app.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "covey/version.hpp"
#include "ctl/commands.hpp"
#include "ctl/options.hpp"
#include "ctl/report.hpp"
#include "ctl/terminal.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>

#include <unistd.h>

namespace covey::ctl {
namespace {

Format parse_format(const std::string& name) {
    static constexpr std::array<std::string_view, 4> kNames{"table", "wide", "json", "name"};
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end())
        throw Error(Code::invalid_argument,
                    fmt::format("-o {}: unknown format{}", name, did_you_mean(name, kNames)))
            .with_fix("-o table, wide, json or name");
    return static_cast<Format>(found - kNames.begin());
}

void add_global_options(CLI::App& app, Settings& settings) {
    app.add_option("-H,--socket", settings.socket,
                   fmt::format("coveyd's socket; {} if absent", kDefaultSocket))
        ->envname("COVEY_SOCKET")
        ->type_name("PATH");
    app.add_option_function<std::string>(
           "-o,--output",
           [&settings](const std::string& name) { settings.format = parse_format(name); },
           "table, wide, json or name")
        ->type_name("FORMAT");
    app.add_flag_callback(
        "--no-headers", [&settings] { settings.headers = false; },
        "tables without their first line");
    app.add_flag("-q,--quiet", settings.quiet, "lists: names only; else: only errors");
    app.add_flag("--curl", settings.curl, "print the calls as curl lines instead of making them");
    app.add_flag("-v,--verbose", settings.verbose, "errors with their code and causes");
}

void add_commands(const Options& app, Session& session) {
    add_sandbox(app, session);
    add_run(app, session);
    add_ps(app, session);
    add_tree(app, session);
    add_top(app, session);
    add_access(app, session);
    add_exec(app, session);
    add_debug(app, session);
    add_start(app, session);
    add_stop(app, session);
    add_kill(app, session);
    add_pause(app, session);
    add_resume(app, session);
    add_update(app, session);
    add_resize(app, session);
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

/// `detail` behind the name of the command, which covey itself does not need: its errors begin so.
Error usage_error(const CLI::App& app, std::string_view detail) {
    const std::string path = path_of(app);
    return Error(Code::invalid_argument,
                 app.get_parent() == nullptr
                     ? std::string{detail}
                     : fmt::format("{}: {}", path.substr(path.find(' ') + 1), detail))
        .with_fix(path + " --help");
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    return did_you_mean(word, views);
}

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* level = &app; level != nullptr; level = level->get_parent())
        for (const CLI::Option* option : level->get_options())
            for (const auto& name : option->get_lnames())
                names.push_back("--" + name);
    return names;
}

/// A word that no command took. `app` is the innermost command that was chosen.
Error unknown_word(const CLI::App& app, const std::string& word, const Session& session) {
    if (word.starts_with('-')) {
        const std::string name = word.substr(0, word.find('='));
        Error error = usage_error(
            app, fmt::format("unknown option '{}'{}", name, suggestion(name, option_names(app))));
        if (session.runs_a_program && app.count("CMD") > 0)
            error.set_fix("if it belongs to the command, put -- before the command");
        return error;
    }
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    if (names.empty()) return usage_error(app, fmt::format("one word too many: '{}'", word));
    return usage_error(app, fmt::format("unknown command '{}'{}", word, suggestion(word, names)));
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
std::optional<int> parse(CLI::App& app, const Session& session,
                         std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        print(app.help());
        return 0;
    } catch (const CLI::CallForVersion& version) {
        print(fmt::format("{}\n", version.what()));
        return 0;
    } catch (const CLI::ParseError& failure) {
        throw usage_error(innermost(app), failure.what());
    }
    const CLI::App& chosen = innermost(app);
    if (const auto words = app.remaining(true); !words.empty())
        throw unknown_word(chosen, words.front(), session);
    if (!session.chosen) throw usage_error(chosen, "which command?");
    return std::nullopt;
}

/// `started`: the command line was understood; what fails from now on is the command.
int parse_and_run(Session& session, std::vector<std::string> arguments, bool& started) {
    CLI::App app{"Keeps the containers of a pod together.", "covey"};
    app.set_version_flag("--version", "covey " COVEY_VERSION "\ncommit: " COVEY_COMMIT);
    app.fallthrough();   // global options may stand after the command
    app.allow_extras();  // to name what is wrong in our own words
    app.require_subcommand(0, 1);
    add_global_options(app, session.settings);
    add_commands(Options(app), session);
    // After the commands: they would inherit it.
    app.footer(
        "A pod in three lines:\n"
        "  covey sandbox create web\n"
        "  covey run web --pid pod --name app -d --rootfs DIR -- CMD\n"
        "  covey tree web");

    session.trailing = cut_trailing(arguments);
    if (const auto status = parse(app, session, std::move(arguments))) return *status;
    if (!session.trailing.empty() && !session.runs_a_program)
        throw usage_error(innermost(app), "takes no command after --");
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
