// covey events: what happened, and with -f what happens.
#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/client.hpp"
#include "ctl/commands.hpp"
#include "ctl/text_safety.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <optional>

#include <poll.h>

namespace covey::ctl {
namespace {

struct EventsOptions {
    bool follow = false;
    std::optional<std::uint64_t> since;
    std::string sandbox;
};

std::string event_line(const EventAnswer& event) {
    std::string text =
        fmt::format("{}  {:>6}  {:<18}  {}", event.time, event.seq, event.type, event.sandbox);
    if (!event.container.empty()) text += (event.sandbox.empty() ? "" : "/") + event.container;
    if (!event.engine.empty()) text += "  of " + event.engine;
    if (!event.exec.empty()) text += "  exec " + event.exec;
    if (event.pid > 0)
        text += fmt::format("  pid {}", event.pod_pid > 0 ? event.pod_pid : event.pid);
    if (event.pod_pid > 0) text += fmt::format(" (host {})", event.pid);
    if (event.exit) {
        text += fmt::format("  exit {}", event.exit->exit_code);
        if (!event.exit->signal.empty()) text += " " + event.exit->signal;
        if (!event.exit->sent_by.empty()) text += " by " + event.exit->sent_by;
        if (event.exit->oom_killed) text += " out of memory";
    }
    return printable(text) + "\n";
}

class EventPrinter {
  public:
    EventPrinter(const Session& session, bool follow)
        : json_(session.settings.format == Format::json), follow_(follow) {}

    /// One line of the stream. False: this was the last one wanted.
    bool line(const std::string& text) {
        const EventAnswer event = decode_event(text);
        if (event.problem) throw *event.problem;
        if (event.type == "stream.opened") {
            newest_ = event.seq;
            return follow_ || newest_ > 0;
        }
        if (event.type != "heartbeat")
            print(json_ ? printable_json(text) + "\n" : event_line(event));
        // A heartbeat comes when there is nothing more: what a filter hides will not come either.
        return follow_ || (event.seq < newest_ && event.type != "heartbeat");
    }

  private:
    std::uint64_t newest_ = 0;
    bool json_, follow_;
};

void wait_for(const Exchange& exchange) {
    const int events = POLLIN | (exchange.wants_to_send() ? POLLOUT : 0);
    pollfd waiting{exchange.fd().get(), static_cast<short>(events), 0};
    if (::poll(&waiting, 1, -1) < 0 && errno != EINTR)
        throw Error::from_errno(errno, "wait for events");
}

int stream(const Session& session, const Request& request, bool follow) {
    Exchange exchange(session.settings.socket, request);
    EventPrinter printer(session, follow);
    std::string unread;
    for (exchange.advance();; wait_for(exchange), exchange.advance()) {
        unread += exchange.take_body();
        if (exchange.has_header() && exchange.status() >= kFirstFailure) {
            if (exchange.finished()) throw decode_problem(exchange.status(), unread);
            continue;
        }
        for (std::size_t end = 0; (end = unread.find('\n')) != unread.npos;
             unread.erase(0, end + 1))
            if (end > 0 && !printer.line(unread.substr(0, end))) return 0;
        if (exchange.finished())
            throw Error(Code::unavailable, "coveyd ended the stream of events")
                .with_fix("see whether it still runs: covey version");
    }
}

int events(const Session& session, const EventsOptions& options) {
    Request request{"GET", "/v1/events", "", "application/x-ndjson", false};
    // Without -f there must be something to print: all that is kept.
    if (options.since || !options.follow)
        request.target += fmt::format("?since={}", options.since.value_or(0));
    if (!options.sandbox.empty()) {
        require_valid_id(options.sandbox, "sandbox id");
        request.target +=
            fmt::format("{}sandbox={}", request.target.find('?') == std::string::npos ? '?' : '&',
                        url_encode(options.sandbox));
    }
    if (session.settings.curl) {
        static_cast<void>(session.ask(request));
        return 0;
    }
    return stream(session, request, options.follow);
}

}  // namespace

void add_events(const Options& app, Session& session) {
    const Options command = app.command("events", "Show what happened (-f: and what happens)");
    const auto options = std::make_shared<EventsOptions>();
    command.flag("-f,--follow", options->follow, "go on with what happens");
    command.value("--since", "SEQ", options->since, "only events after this number");
    command.value("-s,--sandbox", "TEXT", options->sandbox, "only of this sandbox");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return events(session, *options); };
    });
}

}  // namespace covey::ctl
