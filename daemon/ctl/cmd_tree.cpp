// covey tree: who is in a pod, container by container.
#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/tree.hpp"
#include "ctl/units.hpp"

#include <fmt/format.h>

#include <memory>

namespace covey::ctl {
namespace {

struct Answers {
    std::string sandbox, containers, processes;
};

std::optional<Answers> ask_all(const Session& session, const std::string& id) {
    Request containers = get("containers");
    containers.target += "?sandbox=" + url_encode(id);
    auto first = session.ask(get("sandboxes", id));
    auto second = session.ask(containers);
    auto third = session.ask(get("sandboxes", id, "processes"));
    if (!first || !second || !third) return std::nullopt;
    return Answers{*std::move(first), *std::move(second), *std::move(third)};
}

int tree(const Session& session, const std::string& wanted) {
    std::vector<std::string> ids;
    if (wanted.empty()) {
        for (const auto& sandbox : decode_sandboxes(session.look_up(get("sandboxes"))))
            ids.push_back(sandbox.id);
    } else {
        require_valid_id(wanted, "sandbox id");
        ids.push_back(wanted);
    }

    std::string text, json;
    for (const auto& id : ids) {
        const auto answers = ask_all(session, id);
        if (!answers) continue;
        json += fmt::format(R"({}{{"sandbox":{},"containers":{},"processes":{}}})",
                            json.empty() ? "" : ",", answers->sandbox, answers->containers,
                            answers->processes);
        const TreeFacts facts{decode_sandbox(answers->sandbox),
                              decode_containers(answers->containers),
                              decode_processes(answers->processes), now_microseconds()};
        text += (text.empty() ? "" : "\n") + draw_tree(facts, session.table_style());
    }
    if (session.settings.curl) return 0;
    if (session.settings.format == Format::json)
        print(pretty_json(R"({"items":[)" + json + "]}") + "\n");
    else
        print(text);
    return 0;
}

}  // namespace

void add_tree(const Options& app, Session& session) {
    const Options command = app.command("tree", "Show the processes of a sandbox by container");
    const auto sandbox = std::make_shared<std::string>();
    command.optional("SANDBOX", *sandbox, "the sandbox; all if absent");
    command.chosen([sandbox, &session] {
        session.chosen = [sandbox, &session] { return tree(session, *sandbox); };
    });
}

}  // namespace covey::ctl
