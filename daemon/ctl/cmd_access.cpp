// covey access: who in a sandbox may do what to whom, why not, and what would change it.
#include "base/id.hpp"
#include "base/text.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/table.hpp"

#include <fmt/format.h>

#include <memory>

namespace covey::ctl {
namespace {

struct AccessOptions {
    std::string sandbox, from, to;
};

std::string cell(const VerdictAnswer& verdict) {
    return verdict.allowed ? "yes" : "no: " + join(verdict.because, ", ");
}

void print_pairs(const Session& session, const std::vector<AccessAnswer>& pairs) {
    Table table{{{"FROM"}, {"TO"}, {"SEE"}, {"SIGNAL"}, {"ROOT"}, {"PTRACE"}}};
    for (const auto& pair : pairs)
        table.add({pair.from, pair.to, cell(pair.see), cell(pair.signal), cell(pair.read_root),
                   cell(pair.ptrace)});
    print(table.render(session.table_style()));
}

/// One pair, spelled out.
void print_pair(const AccessAnswer& pair) {
    const auto line = [&](const char* what, const VerdictAnswer& verdict) {
        std::string text = fmt::format("{} {} {}: {}\n", pair.from, what, pair.to, cell(verdict));
        for (std::size_t i = 0; i < verdict.changes.size(); ++i)
            text += fmt::format("  {} {}\n", i == 0 ? "to allow it:" : "or:", verdict.changes[i]);
        if (!verdict.note.empty()) text += "  note: " + verdict.note + "\n";
        print(text);
    };
    line("may see", pair.see);
    line("may signal", pair.signal);
    line("may read /proc/N/root of", pair.read_root);
    line("may ptrace", pair.ptrace);
}

int access(const Session& session, const AccessOptions& options) {
    require_valid_id(options.sandbox, "sandbox id");
    Request request = get("sandboxes", options.sandbox, "access");
    if (!options.from.empty()) request.target += "?from=" + url_encode(options.from);
    if (!options.to.empty()) request.target += "&to=" + url_encode(options.to);
    const auto answer = session.ask(request);
    if (!answer) return 0;
    if (session.settings.format == Format::json) {
        print(pretty_json(*answer) + "\n");
        return 0;
    }
    const auto pairs = decode_access(*answer);
    if (options.to.empty())
        print_pairs(session, pairs);
    else
        for (const auto& pair : pairs)
            print_pair(pair);
    return 0;
}

}  // namespace

void add_access(const Options& app, Session& session) {
    const Options command = app.command("access", "Show who may do what to whom in a sandbox");
    const auto options = std::make_shared<AccessOptions>();
    command.required("SANDBOX", options->sandbox, "the sandbox");
    command.optional("FROM", options->from, "only what this container may do");
    command.optional("TO", options->to, "only to this one, spelled out; (pause) for pause");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return access(session, *options); };
    });
}

}  // namespace covey::ctl
