#include "ctl/run_exec.hpp"

#include "ctl/relay.hpp"
#include "ctl/terminal.hpp"

#include <optional>
#include <utility>

#include <unistd.h>

namespace covey::ctl {

int run_exec(const Session& session, ExecRequest wish) {
    const FdRef input{STDIN_FILENO};
    const bool here = wish.terminal && is_terminal(input);
    FollowedSize followed;
    if (here && !session.settings.curl) followed = {wish.container, window_changes()};
    if (here) {
        const TerminalSize size = terminal_size(input);
        wish.rows = size.rows;
        wish.columns = size.columns;
    }
    const Request request = exec(wish);
    if (session.settings.curl) {
        static_cast<void>(session.ask(request));
        return 0;
    }
    std::optional<RawMode> raw;
    if (here && wish.streams_input) raw.emplace(input);
    return relay_exec(session.settings.socket, request, std::move(followed));
}

}  // namespace covey::ctl
