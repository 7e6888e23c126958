// What coveyd counts, and what GET /metrics tells. Counters begin at zero with each coveyd, as
// Prometheus expects of a process. Thread rule: values.
#pragma once

#include "api/action.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::daemon {

/// Filled by the event log: everything that happens is an event.
struct EventCounters {
    std::map<std::string, std::uint64_t> by_type;
    std::uint64_t oom_kills = 0;  // containers and execs that ended so
    /// Of the journal on disk: not there yet, and never.
    std::uint64_t unwritten = 0, lost = 0;

    void count(const EventRecord& event) {
        ++by_type[event.type];
        if (event.exit && event.exit->oom_killed) ++oom_kills;
    }
};

/// Filled by the API, for each request that reached an operation.
struct RequestCounters {
    struct Duration {
        std::uint64_t count = 0;
        double seconds = 0;
    };
    std::map<std::pair<std::string_view, unsigned>, std::uint64_t> by_operation_and_status;
    std::map<std::string_view, Duration> durations;

    /// `operation`: an operationId of proto/openapi.yaml, as the table of routes has it.
    void count(std::string_view operation, unsigned status, std::chrono::nanoseconds taken) {
        ++by_operation_and_status[{operation, status}];
        auto& duration = durations[operation];
        ++duration.count;
        duration.seconds += std::chrono::duration<double>(taken).count();
    }
};

/// coveyd itself, under the names that Prometheus' own client libraries use.
struct OwnProcess {
    double start_time_seconds = 0;  // Unix time
    double cpu_seconds = 0;
    std::uint64_t resident_bytes = 0, open_descriptors = 0;
};

struct Metrics {
    std::vector<SandboxView> sandboxes;
    std::vector<ContainerView> containers;
    std::vector<EngineContainerView> engine_containers;
    EventCounters events;
    RequestCounters requests;
    OwnProcess process;
};

}  // namespace covey::daemon
