#include "engine/journal_index.hpp"

namespace covey::daemon {

JournalIndex::JournalIndex(const EventLog& log) {
    const auto& entries = log.entries();
    if (!entries.empty() && entries.front().seq > 1)
        oldest_kept_ = decode_event(entries.front().seq, entries.front().event).time;
    for (const auto& entry : entries)
        take(decode_event(entry.seq, entry.event));
}

void JournalIndex::take(const EventRecord& event) {
    if (!event.engine.empty()) {
        take_of_engine(event);
    } else if (event.type == "sandbox.deleted") {
        sandboxes.erase(event.sandbox);
    } else if (event.type == "container.deleted") {
        containers.erase(event.container);
    } else if (event.container.empty()) {
        auto& sandbox = sandboxes[event.sandbox];
        sandbox.created |= event.type == "sandbox.created";
        sandbox.ready |= event.type == "sandbox.ready";
        sandbox.stopped |= event.type == "sandbox.stopped";
    } else {
        auto& container = containers[event.container];
        container.sandbox = event.sandbox;
        container.created |= event.type == "container.created";
        container.started |= event.type == "container.started";
        if (event.type == "container.paused") container.paused = true;
        if (event.type == "container.resumed") container.paused = false;
        if (event.type == "container.exited") {
            container.exited = true;
            container.exit = event.exit;
        }
        if (event.exec.empty()) return;
        auto& exec = container.execs[event.exec];
        exec.started |= event.type == "exec.started";
        exec.exited |= event.type == "exec.exited";
    }
}

void JournalIndex::take_of_engine(const EventRecord& event) {
    const std::pair key{event.root, event.container};
    if (event.type == "engine.deleted") {
        engine_containers.erase(key);
        return;
    }
    auto& container = engine_containers[key];
    container.newest = event;
    container.started |= event.type == "engine.started";
    container.exited |= event.type == "engine.exited";
}

}  // namespace covey::daemon
