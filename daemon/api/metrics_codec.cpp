#include "api/metrics_codec.hpp"

#include "covey/version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace covey::daemon {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

/// In a label's value these three are written with a backslash.
std::string escaped_label(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        if (c == '\n')
            text += "\\n";
        else
            text += c;
    }
    return text;
}

class Exposition {
  public:
    /// Begins a family: its samples follow.
    Exposition& family(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        write("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
        return *this;
    }
    template <typename Number>
    Exposition& sample(const Labels& labels, Number value, std::string_view suffix = "") {
        write("{}{}", name_, suffix);
        const char* before = "{";
        for (const auto& [name, text] : labels) {
            write("{}{}=\"{}\"", before, name, escaped_label(text));
            before = ",";
        }
        write("{} {}\n", labels.empty() ? "" : "}", value);
        return *this;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    template <typename... Values>
    void write(fmt::format_string<Values...> format, Values&&... values) {
        fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
    }
    std::string text_;
    std::string_view name_;
};

/// A state that nobody is in is a sample too: a series that comes and goes cannot be summed.
template <typename State, typename View, std::size_t N>
void add_states(Exposition& out, const std::array<State, N>& states,
                const std::vector<View>& views) {
    for (const auto state : states) {
        const auto count = std::count_if(views.begin(), views.end(), [&](const View& view) {
            return view.facts.state == state;
        });
        out.sample({{"state", core::state_name(state)}}, count);
    }
}

void add_pods(Exposition& out, const Metrics& metrics) {
    using core::ContainerState, core::SandboxState;
    out.family("covey_sandboxes", "gauge", "Sandboxes, by state.");
    add_states(out,
               std::array{SandboxState::creating, SandboxState::ready, SandboxState::stopping,
                          SandboxState::stopped, SandboxState::unknown},
               metrics.sandboxes);
    out.family("covey_containers", "gauge", "Containers of sandboxes, by state.");
    add_states(
        out,
        std::array{ContainerState::creating, ContainerState::created, ContainerState::running,
                   ContainerState::paused, ContainerState::stopped, ContainerState::unknown},
        metrics.containers);
    const auto is_stale = [](const auto& view) { return view.facts.record_stale; };
    out.family("covey_stale_records", "gauge",
               "Sandboxes and containers whose record on disk is older than they are.")
        .sample({},
                std::count_if(metrics.sandboxes.begin(), metrics.sandboxes.end(), is_stale) +
                    std::count_if(metrics.containers.begin(), metrics.containers.end(), is_stale));
    std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> engines;
    for (const auto& view : metrics.engine_containers)
        ++engines[{view.facts.engine, core::state_name(view.now.state)}];
    out.family("covey_engine_containers", "gauge",
               "Containers that engines made through covey-runtime, by engine and state.");
    for (const auto& [which, count] : engines)
        out.sample({{"engine", which.first}, {"state", which.second}}, count);
}

void add_events(Exposition& out, const EventCounters& events) {
    out.family("covey_events_total", "counter", "Events since coveyd began, by type.");
    for (const auto& [type, count] : events.by_type)
        out.sample({{"type", type}}, count);
    out.family("covey_events_unwritten", "gauge",
               "Events that are not in the journal on disk yet, because it cannot be written.")
        .sample({}, events.unwritten);
    out.family("covey_events_lost_total", "counter",
               "Events that never came into the journal on disk; listeners were told.")
        .sample({}, events.lost);
    out.family("covey_oom_kills_total", "counter",
               "Containers and execs that ended because memory ran out.")
        .sample({}, events.oom_kills);
}

void add_requests(Exposition& out, const RequestCounters& requests) {
    out.family("covey_requests_total", "counter", "API requests, by operation and HTTP status.");
    for (const auto& [which, count] : requests.by_operation_and_status)
        out.sample({{"operation", which.first}, {"status", std::to_string(which.second)}}, count);
    out.family("covey_request_duration_seconds", "summary",
               "Time from a request's head to the end of its answer, streams and waits included.");
    for (const auto& [operation, duration] : requests.durations)
        out.sample({{"operation", operation}}, duration.seconds, "_sum")
            .sample({{"operation", operation}}, duration.count, "_count");
}

void add_process(Exposition& out, const OwnProcess& process) {
    out.family("process_start_time_seconds", "gauge", "When coveyd began, Unix time.")
        .sample({}, process.start_time_seconds);
    out.family("process_cpu_seconds_total", "counter", "Processor time of coveyd.")
        .sample({}, process.cpu_seconds);
    out.family("process_resident_memory_bytes", "gauge", "Resident memory of coveyd.")
        .sample({}, process.resident_bytes);
    out.family("process_open_fds", "gauge", "Open file descriptors of coveyd.")
        .sample({}, process.open_descriptors);
}

}  // namespace

Response metrics_response(const Metrics& metrics) {
    Exposition out;
    out.family("covey_build_info", "gauge", "Always 1; the labels tell what runs.")
        .sample({{"version", COVEY_VERSION}}, 1);
    add_pods(out, metrics);
    add_events(out, metrics.events);
    add_requests(out, metrics.requests);
    add_process(out, metrics.process);
    return {200, "text/plain; version=0.0.4; charset=utf-8", out.take(), {}};
}

}  // namespace covey::daemon
