// covey ps: containers.
#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/text_safety.hpp"
#include "ctl/tree.hpp"
#include "ctl/units.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>

namespace covey::ctl {
namespace {

struct PsOptions {
    std::string sandbox;
    bool all = false;
};

constexpr std::string_view kOwnEngine = "covey";

std::string engine_text(const ContainerAnswer& container) {
    return container.engine.empty() ? std::string{kOwnEngine} : container.engine;
}

/// Processes by host number, of the sandboxes that the containers are in: who they run as, and with
/// which rights, only the kernel knows.
std::map<std::int64_t, ProcessAnswer> processes_of(const Session& session,
                                                   const std::vector<ContainerAnswer>& containers) {
    std::map<std::string, bool> seen;
    std::map<std::int64_t, ProcessAnswer> processes;
    for (const auto& container : containers) {
        if (engine_text(container) != kOwnEngine || !seen.emplace(container.sandbox, true).second)
            continue;
        try {
            for (auto& process : decode_processes(
                     session.look_up(get("sandboxes", container.sandbox, "processes"))))
                processes[process.pid] = std::move(process);
        } catch (const Error& error) {
            // It went away since the list was made.
            if (error.code() != Code::not_found && error.code() != Code::sandbox_gone) throw;
        }
    }
    return processes;
}

void print_table(const Session& session, const std::vector<ContainerAnswer>& containers) {
    const bool wide = session.settings.format == Format::wide;
    std::vector<Column> columns{{"CONTAINER"},
                                {"SANDBOX"},
                                {"ENGINE"},
                                {"STATE"},
                                {"PID", Align::right},
                                {"HOSTPID", Align::right},
                                {"STARTED", Align::right}};
    if (wide) columns.insert(columns.end(), {{"ID"}, {"BUNDLE"}, {"USER"}, {"CAPS"}});
    columns.push_back({"COMMAND"});
    std::map<std::int64_t, ProcessAnswer> processes;
    if (wide) processes = processes_of(session, containers);

    Table table(columns);
    const auto number = [](std::int64_t pid) {
        return pid > 0 ? fmt::to_string(pid) : std::string{};
    };
    for (const auto& one : containers) {
        std::vector<std::string> row{
            one.id,
            one.sandbox,
            engine_text(one),
            one.debug ? state_text(one) + ", " + debugger_text(*one.debug) : state_text(one),
            number(one.pod_pid),
            number(one.pid),
            age_of(one.started_at, now_microseconds())};
        if (wide) {
            const auto process = processes.find(one.pid);
            const bool known = process != processes.end() && one.pid > 0;
            row.insert(row.end(), {one.id, one.bundle, known ? user_text(process->second.uid) : "",
                                   known ? capability_text(process->second.capabilities) : ""});
        }
        row.push_back(command_text(one.command));
        table.add(std::move(row));
    }
    print(table.render(session.table_style()));
}

int ps(const Session& session, const PsOptions& options) {
    Request request = get("containers");
    if (!options.sandbox.empty()) {
        require_valid_id(options.sandbox, "sandbox id");
        request.target += "?sandbox=" + url_encode(options.sandbox);
    }
    const auto answer = session.ask(request);
    if (!answer) return 0;
    if (session.settings.format == Format::json && !session.settings.quiet) {
        print(pretty_json(*answer) + "\n");
        return 0;
    }
    auto containers = decode_containers(*answer);
    if (!options.all)
        std::erase_if(containers, [](const auto& one) { return one.state == "stopped"; });
    if (!session.names_only()) {
        print_table(session, containers);
        return 0;
    }
    for (const auto& one : containers)
        print(printable(one.id) + "\n");
    return 0;
}

}  // namespace

void add_ps(const Options& app, Session& session) {
    const Options command =
        app.command("ps", "List containers (-o json: all, as coveyd says them)");
    const auto options = std::make_shared<PsOptions>();
    command.value("-s,--sandbox", "TEXT", options->sandbox, "only of this sandbox");
    command.flag("-a,--all", options->all, "stopped ones too");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return ps(session, *options); };
    });
}

}  // namespace covey::ctl
