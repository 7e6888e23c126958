// coveyd's command line. Called by main only. Thread rule: pure. Does not block.
#pragma once

#include "base/log.hpp"
#include "engine/id_range.hpp"
#include "store/engine_link.hpp"

#include <optional>
#include <string>

namespace covey::daemon {

struct Config {
    std::string socket = "/run/covey/covey.sock";
    std::string root = "/run/covey";
    std::string engine_registry{store::kEngineRegistry};
    std::string debug_tools = "/var/lib/covey/tools";
    IdSource ids;
    log::Level log_level = log::Level::info;
    log::Format log_format = log::Format::text;
};

struct ParsedCommandLine {
    Config config;
    std::optional<int> exit_status;  // --help, --version, a usage error: printed already
};
[[nodiscard]] ParsedCommandLine parse_command_line(int argc, char** argv);

}  // namespace covey::daemon
