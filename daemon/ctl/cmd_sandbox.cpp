// covey sandbox: create, ls, inspect, stop, rm.
#include "base/id.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/text_safety.hpp"
#include "ctl/tree.hpp"
#include "ctl/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace covey::ctl {
namespace {

struct CreateOptions {
    CreateSandboxRequest sandbox;
    std::string net, ipc, uts, user;
    std::vector<std::string> uid_maps, gid_maps, sysctls, labels;
};

void add_pairs(std::map<std::string, std::string>& into, const std::vector<std::string>& pairs,
               std::string_view option) {
    for (const auto& pair : pairs) {
        const std::size_t equals = pair.find('=');
        if (equals == pair.npos || equals == 0)
            throw Error(Code::invalid_argument,
                        fmt::format("{} '{}' is not NAME=VALUE", option, pair))
                .with_fix(fmt::format("{} NAME=VALUE", option));
        into[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
}

std::vector<spec::IdMapping> parse_mappings(const std::vector<std::string>& texts,
                                            std::string_view option) {
    std::vector<spec::IdMapping> maps;
    for (const auto& text : texts) {
        const auto parts = split(text, ':');
        std::vector<std::uint32_t> numbers;
        for (const auto part : parts)
            if (const auto number = parse_u32(part)) numbers.push_back(*number);
        if (parts.size() != 3 || numbers.size() != 3)
            throw Error(Code::invalid_argument,
                        fmt::format("{} '{}' is not CONTAINER:HOST:SIZE", option, text))
                .with_fix(fmt::format("{} 0:100000:65536", option));
        maps.push_back({numbers[0], numbers[1], numbers[2]});
    }
    return maps;
}

int create(const Session& session, CreateOptions options) {
    auto& wish = options.sandbox;
    require_valid_id(wish.id, "sandbox id");
    add_pairs(wish.sysctls, options.sysctls, "--sysctl");
    add_pairs(wish.labels, options.labels, "--label");
    for (const auto& [type, value] : {std::pair{"net", options.net},
                                      {"ipc", options.ipc},
                                      {"uts", options.uts},
                                      {"user", options.user}})
        if (!value.empty()) wish.namespaces[type] = value;
    wish.uid_mappings = parse_mappings(options.uid_maps, "--uidmap");
    wish.gid_mappings =
        options.gid_maps.empty() ? wish.uid_mappings : parse_mappings(options.gid_maps, "--gidmap");
    if (wish.gid_mappings.empty() != wish.uid_mappings.empty() ||
        (!wish.uid_mappings.empty() && !options.user.empty() && options.user != "new"))
        throw Error(Code::invalid_argument,
                    "--uidmap and --gidmap are of a new user namespace, which needs both")
            .with_fix("--userns new --uidmap 0:100000:65536");

    const auto answer = session.ask(create_sandbox(wish));
    if (!answer) return 0;
    print_warnings(session, decode_sandbox(*answer).warnings);
    session.print_object(*answer, wish.id);
    return 0;
}

/// Processes of a sandbox, pause included; empty if it went away meanwhile.
std::string process_count(const Session& session, const SandboxAnswer& sandbox) {
    try {
        const auto answer = session.look_up(get("sandboxes", sandbox.id, "processes"));
        return fmt::to_string(decode_processes(answer).size());
    } catch (const Error& error) {
        if (error.code() == Code::not_found || error.code() == Code::sandbox_gone) return "";
        throw;
    }
}

std::string labels_text(const SandboxAnswer& sandbox) {
    std::vector<std::string> pairs;
    for (const auto& [name, value] : sandbox.labels)
        pairs.push_back(name + "=" + value);
    return join(pairs, ",");
}

int list(const Session& session) {
    const auto answer = session.ask(get("sandboxes"));
    if (!answer) return 0;
    if (session.settings.format == Format::json && !session.settings.quiet) {
        print(pretty_json(*answer) + "\n");
        return 0;
    }
    const auto sandboxes = decode_sandboxes(*answer);
    if (session.names_only()) {
        for (const auto& sandbox : sandboxes)
            print(printable(sandbox.id) + "\n");
        return 0;
    }
    std::vector<Column> columns{{"SANDBOX"},
                                {"STATE"},
                                {"CONTAINERS", Align::right},
                                {"PROCS", Align::right},
                                {"SHARED"},
                                {"PAUSE", Align::right},
                                {"AGE", Align::right}};
    const bool wide = session.settings.format == Format::wide;
    if (wide) columns.insert(columns.end(), {{"PIDMODE"}, {"CGROUP"}, {"LABELS"}});
    Table table(columns);
    for (const auto& sandbox : sandboxes) {
        std::vector<std::string> row{sandbox.id,
                                     sandbox.state,
                                     fmt::to_string(sandbox.containers.size()),
                                     process_count(session, sandbox),
                                     shared_text(sandbox),
                                     sandbox.pid > 0 ? fmt::to_string(sandbox.pid) : "",
                                     age_of(sandbox.created_at, now_microseconds())};
        if (wide) row.insert(row.end(), {sandbox.pid_mode, sandbox.cgroup, labels_text(sandbox)});
        table.add(std::move(row));
    }
    print(table.render(session.table_style()));
    return 0;
}

int inspect_sandbox(const Session& session, const std::string& id) {
    require_valid_id(id, "sandbox id");
    if (const auto answer = session.ask(get("sandboxes", id))) print(pretty_json(*answer) + "\n");
    return 0;
}

int stop_sandboxes(const Session& session, const std::vector<std::string>& ids) {
    for (const auto& id : ids) {
        require_valid_id(id, "sandbox id");
        if (const auto answer = session.ask(post("sandboxes", id, "stop")))
            session.print_object(*answer, id);
    }
    return 0;
}

int remove_all(const Session& session, const std::vector<std::string>& ids, bool force) {
    for (const auto& id : ids) {
        require_valid_id(id, "sandbox id");
        const auto answer = session.ask(remove("sandboxes", id, force ? Force::yes : Force::no));
        if (answer && !session.settings.quiet) print(id + "\n");
    }
    return 0;
}

void add_create(const Options& group, Session& session) {
    const Options command =
        group.command("create", "Create a sandbox: a pod's namespaces and /pause");
    const auto options = std::make_shared<CreateOptions>();
    auto& wish = options->sandbox;
    command.required("NAME", wish.id, "its id");
    command.value("--hostname", "TEXT", wish.hostname, "its host name; the id if absent");
    command.value("--pid", "MODE", wish.pid_mode,
                  "default of its containers: pod, nested, container or node");
    command.value("--access", "PRESET", wish.access,
                  "default of its containers: open, private or observer");
    command.value("--pid1-signals", "CHOICE", wish.pid1_signals,
                  "default of its containers in pid mode pod: ignore or route");
    command.value("--net", "NS", options->net, "network: new, host or a path");
    command.value("--ipc", "NS", options->ipc, "IPC: new, host or a path");
    command.value("--uts", "NS", options->uts, "host name: new, host or a path");
    command.value("--userns", "NS", options->user,
                  "user: host (if absent), new or a path; the other namespaces belong to it");
    command.values("--uidmap", "C:H:SIZE", options->uid_maps,
                   "SIZE uids from C on are the host's from H on, in a new user namespace; absent: "
                   "ids that coveyd has for it");
    command.values("--gidmap", "C:H:SIZE", options->gid_maps, "the same for gids; as --uidmap");
    command.values("--sysctl", "NAME=VALUE", options->sysctls, "a sysctl of its namespaces");
    command.values("--label", "NAME=VALUE", options->labels, "a label");
    command.value("--cgroup-parent", "PATH", wish.cgroup_parent,
                  "cgroup below which it gets its own");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return create(session, *options); };
    });
}

}  // namespace

void add_sandbox(const Options& app, Session& session) {
    const Options group = app.group("sandbox", "Create, list and remove sandboxes");
    add_create(group, session);

    group.command("ls", "List sandboxes").chosen([&session] {
        session.chosen = [&session] { return list(session); };
    });

    const auto name = std::make_shared<std::string>();
    const Options inspect_command = group.command("inspect", "Print a sandbox as JSON");
    inspect_command.required("NAME", *name, "the sandbox");
    inspect_command.chosen([name, &session] {
        session.chosen = [name, &session] { return inspect_sandbox(session, *name); };
    });

    const auto names = std::make_shared<std::vector<std::string>>();
    const Options stop_command = group.command("stop", "End every container, then pause");
    stop_command.required("NAME", *names, "the sandboxes");
    stop_command.chosen([names, &session] {
        session.chosen = [names, &session] { return stop_sandboxes(session, *names); };
    });

    const auto force = std::make_shared<bool>(false);
    const Options rm_command = group.command("rm", "Delete a sandbox");
    rm_command.required("NAME", *names, "the sandboxes");
    rm_command.flag("-f,--force", *force, "end what runs in it first");
    rm_command.chosen([names, force, &session] {
        session.chosen = [names, force, &session] { return remove_all(session, *names, *force); };
    });
}

}  // namespace covey::ctl
