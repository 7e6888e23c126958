// What Prometheus reads. The format itself is judged by its own parser in
// tests/api/test_metrics.py.
#include "api/metrics_codec.hpp"

#include "catch.hpp"

#include <string>

using namespace covey;
using namespace covey::daemon;
using namespace std::chrono_literals;

namespace {

bool has_line(const Response& response, const std::string& line) {
    return response.body.find("\n" + line + "\n") != std::string::npos;
}

SandboxView sandbox_that_is(core::SandboxState state) {
    SandboxView view;
    view.facts.state = state;
    return view;
}

}  // namespace

TEST_CASE("every state is a sample, also one that nobody is in") {
    Metrics metrics;
    metrics.sandboxes = {sandbox_that_is(core::SandboxState::ready),
                         sandbox_that_is(core::SandboxState::ready),
                         sandbox_that_is(core::SandboxState::stopped)};
    metrics.containers.emplace_back().facts.state = core::ContainerState::paused;
    const auto response = metrics_response(metrics);
    CHECK(response.content_type == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(has_line(response, "# TYPE covey_sandboxes gauge"));
    CHECK(has_line(response, R"(covey_sandboxes{state="ready"} 2)"));
    CHECK(has_line(response, R"(covey_sandboxes{state="stopped"} 1)"));
    CHECK(has_line(response, R"(covey_sandboxes{state="creating"} 0)"));
    CHECK(has_line(response, R"(covey_containers{state="paused"} 1)"));
    CHECK(has_line(response, R"(covey_containers{state="running"} 0)"));
    CHECK(response.body.back() == '\n');
}

TEST_CASE("what a full disk keeps back is a sample, also when there is none") {
    Metrics metrics;
    CHECK(has_line(metrics_response(metrics), "covey_stale_records 0"));
    metrics.sandboxes = {sandbox_that_is(core::SandboxState::unknown)};
    metrics.sandboxes.front().facts.record_stale = true;
    metrics.containers.emplace_back().facts.record_stale = true;
    metrics.events.unwritten = 3;
    metrics.events.lost = 4;
    const auto response = metrics_response(metrics);
    CHECK(has_line(response, R"(covey_sandboxes{state="unknown"} 1)"));
    CHECK(has_line(response, "covey_stale_records 2"));
    CHECK(has_line(response, "covey_events_unwritten 3"));
    CHECK(has_line(response, "covey_events_lost_total 4"));
}

TEST_CASE("events and requests are counted") {
    Metrics metrics;
    EventRecord event;
    event.type = "container.exited";
    metrics.events.count(event);
    event.exit.emplace().oom_killed = true;
    metrics.events.count(event);
    metrics.requests.count("getSandbox", 200, 250ms);
    metrics.requests.count("getSandbox", 404, 500ms);
    const auto response = metrics_response(metrics);
    CHECK(has_line(response, R"(covey_events_total{type="container.exited"} 2)"));
    CHECK(has_line(response, "covey_oom_kills_total 1"));
    CHECK(has_line(response, R"(covey_requests_total{operation="getSandbox",status="404"} 1)"));
    CHECK(has_line(response, R"(covey_request_duration_seconds_sum{operation="getSandbox"} 0.75)"));
    CHECK(has_line(response, R"(covey_request_duration_seconds_count{operation="getSandbox"} 2)"));
}

TEST_CASE("a label's value cannot end its line or its quotes") {
    Metrics metrics;
    metrics.engine_containers.emplace_back().facts.engine = "a\"b\\c\nd";
    CHECK(has_line(metrics_response(metrics),
                   R"(covey_engine_containers{engine="a\"b\\c\nd",state="stopped"} 1)"));
}
