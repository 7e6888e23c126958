// covey resize: the size of a container's terminal.
#include "covey/error.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/terminal.hpp"

#include <fmt/format.h>

#include <limits>
#include <memory>

#include <unistd.h>

namespace covey::ctl {
namespace {

struct ResizeOptions {
    std::string name;
    std::optional<std::uint64_t> width, height;
};

std::uint16_t characters(const char* flag, std::optional<std::uint64_t> said, std::uint16_t own) {
    const auto number = said.value_or(own);
    if (number == 0 || number > std::numeric_limits<std::uint16_t>::max())
        throw Error(Code::invalid_argument,
                    said ? fmt::format("{}: must be from 1 to 65535", flag)
                         : fmt::format("{} is missing, and this is no terminal", flag))
            .with_fix("say --width and --height, or call it in a terminal of the wanted size");
    return static_cast<std::uint16_t>(number);
}

int resize_container(const Session& session, const ResizeOptions& options) {
    const auto own = terminal_size(FdRef{STDOUT_FILENO});
    const auto columns = characters("--width", options.width, own.columns);
    const auto rows = characters("--height", options.height, own.rows);
    const std::string id = session.container_id(options.name);
    if (session.ask(resize(id, rows, columns)) && !session.settings.quiet) print(id + "\n");
    return 0;
}

}  // namespace

void add_resize(const Options& app, Session& session) {
    const Options command = app.command("resize", "Set the size of a container's terminal");
    const auto options = std::make_shared<ResizeOptions>();
    command.required("CONTAINER", options->name, "an id, or SANDBOX/CONTAINER");
    command.value("--width", "N", options->width, "characters; this terminal's if absent");
    command.value("--height", "N", options->height, "characters; this terminal's if absent");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return resize_container(session, *options); };
    });
}

}  // namespace covey::ctl
