#include "daemon/config.hpp"

#include "base/text.hpp"
#include "covey/version.hpp"
#include "engine/id_blocks.hpp"

#include <CLI/CLI.hpp>

#include <map>

namespace covey::daemon {

namespace {

std::optional<IdRange> id_range(const std::string& text) {
    const auto parts = split(text, ':');
    if (parts.size() != 2) return std::nullopt;
    const auto first = parse_u32(parts[0]), count = parse_u32(parts[1]);
    if (!first || !count || *first == 0 || *count < kIdBlock) return std::nullopt;
    return IdRange{*first, *count};
}

/// Empty: it is one, or nothing.
std::string range_fault(const std::string& text) {
    if (text.empty() || id_range(text)) return {};
    return "'" + text + "' is not FIRST:COUNT with FIRST above 0 and COUNT at least 65536";
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, char** argv) {
    ParsedCommandLine result;
    Config& config = result.config;
    CLI::App app{
        "coveyd keeps the containers of a pod together: an HTTP API on a Unix socket.\n"
        "Killing it, with any signal, leaves all sandboxes running; started again it finds them."};
    app.set_version_flag("--version", "coveyd " COVEY_VERSION "\ncommit: " COVEY_COMMIT);
    app.add_option("--socket", config.socket, "Path of the API's socket")
        ->envname("COVEY_SOCKET")
        ->capture_default_str();
    app.add_option("--root", config.root, "Folder of the state, for one daemon alone")
        ->envname("COVEY_ROOT")
        ->capture_default_str();
    app.add_option("--engine-registry", config.engine_registry,
                   "Where covey-runtime reports engines' containers; empty: none are shown")
        ->envname("COVEY_REGISTRY")
        ->capture_default_str();
    app.add_option("--debug-tools", config.debug_tools,
                   "Root folder with the tools of debuggers that name none")
        ->envname("COVEY_DEBUG_TOOLS")
        ->capture_default_str();
    std::string ids;
    app.add_option("--userns-ids", ids,
                   "Host ids FIRST:COUNT for sandboxes with a user namespace, 65536 each; empty: "
                   "covey's in /etc/subuid and /etc/subgid")
        ->envname("COVEY_USERNS_IDS")
        ->check(CLI::Validator{range_fault, "FIRST:COUNT"});
    const std::map<std::string, log::Level> levels{{"debug", log::Level::debug},
                                                   {"info", log::Level::info},
                                                   {"warning", log::Level::warning},
                                                   {"error", log::Level::error}};
    app.add_option("--log-level", config.log_level, "debug, info, warning or error")
        ->transform(CLI::CheckedTransformer(levels))
        ->default_str("info");
    const std::map<std::string, log::Format> formats{{"text", log::Format::text},
                                                     {"json", log::Format::json}};
    app.add_option("--log-format", config.log_format, "text or json, on stderr")
        ->transform(CLI::CheckedTransformer(formats))
        ->default_str("text");
    try {
        app.parse(argc, argv);
        config.ids.range = id_range(ids);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);  // prints
        result.exit_status = status == 0 ? 0 : 2;
    }
    return result;
}

}  // namespace covey::daemon
