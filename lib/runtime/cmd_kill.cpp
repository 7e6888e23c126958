// covey-runtime kill: a signal to init, or with --all to every process of the container.
#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/container_store.hpp"
#include "runtime/ending.hpp"
#include "runtime/status.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <csignal>

namespace covey::runtime {
namespace {

int parse_signal(const std::string& text) {
    if (text == "0") return 0;
    if (const auto number = spec::signal_number(text)) return *number;
    // No name is near a number.
    const bool is_name = !text.empty() && !parse_i64(text);
    throw Error(
        Code::invalid_argument,
        fmt::format("unknown signal \"{}\"{}", text,
                    is_name ? did_you_mean("SIG" + to_upper(text), spec::signal_names()) : ""))
        .with_fix(
            "use a name (TERM, SIGKILL, RTMIN+3) or a number from 1 to 64; 0 asks whether it is "
            "there");
}

int kill_container(Invocation& call) {
    bool all = false;
    Flags flags;
    flags.boolean("all", 'a', all, "every process of the container, its init alive or not");
    const auto words = call.parse(flags, 1, 2);
    if (!words) return 0;
    int signal = parse_signal(words->size() > 1 ? words->at(1) : "SIGTERM");
    const auto store = ContainerStore::open_existing(call.globals.root);
    const auto view = look_at(store.open_container(words->front()));
    // At its gate init is number 1 of a PID namespace without a handler: it would hear of nothing
    // but SIGKILL.
    if (view.state == core::ContainerState::created && spec::ends_by_default(signal))
        signal = SIGKILL;
    if (all)
        signal_all(store, view, signal);
    else
        signal_init(view, signal);
    return 0;
}

}  // namespace

const Command kKill{"kill",         "ID [SIGNAL]", "send a signal to a container (default: TERM)",
                    kill_container, false,         1};

}  // namespace covey::runtime
