// covey-runtime events: what a container uses, once or every so often, and when its memory ran out.
#include "base/text.hpp"
#include "cgroup/oom_watch.hpp"
#include "cgroup/usage.hpp"
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/duration.hpp"
#include "runtime/group_of.hpp"
#include "runtime/stats_codec.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

#include <poll.h>

namespace covey::runtime {
namespace {

using Clock = std::chrono::steady_clock;

/// A reader that has gone ends the command by SIGPIPE, as it should.
void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

/// Until the container's init ends. One without the memory controller has no such events.
void follow(const GroupedContainer& container, std::chrono::milliseconds interval) {
    const auto& id = container.view.record.id;
    std::optional<cgroup::OomWatch> watch;
    try {
        watch.emplace(container.host, container.group);
    } catch (const Error& error) {
        if (error.code() != Code::unsupported_by_host) throw;
    }
    auto next = Clock::now() + interval;
    while (true) {
        const bool watches = watch && !watch->is_over();
        std::array<pollfd, 2> fds{{{container.view.init.get(), POLLIN, 0},
                                   {watches ? watch->fd().get() : -1,
                                    watches ? watch->poll_events() : static_cast<short>(0), 0}}};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
        (void)::poll(fds.data(), fds.size(), static_cast<int>(std::max(left.count(), 0L)));
        if (watches)
            for (auto count = watch->take(); count > 0; --count)
                say(encode_oom_event(id));
        if (fds[0].revents != 0) return;
        if (Clock::now() < next) continue;
        say(encode_stats_event(id, cgroup::read_usage(container.host, container.group)));
        next += interval;
    }
}

int events(Invocation& call) {
    bool stats = false;
    std::string interval = "5s";
    Flags flags;
    flags.boolean("stats", 0, stats, "once, and end")
        .text("interval", 0, interval, "time between two, as in 5s or 500ms");
    const auto words = call.parse(flags, 1, 1);
    if (!words) return 0;
    const auto every = parse_duration(interval, "interval");
    const GroupedContainer container{call.globals.root, words->front(), "be counted"};
    if (stats)
        say(encode_stats_event(container.view.record.id,
                               cgroup::read_usage(container.host, container.group)));
    else
        follow(container, every);
    return 0;
}

}  // namespace

const Command kEvents{"events", "ID", "print what a container uses, and when its memory ran out",
                      events};

}  // namespace covey::runtime
