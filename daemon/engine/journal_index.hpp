// What the event journal says of each object that it does not call deleted: the ground on which a
// restarted daemon decides which events its killed predecessor could not write any more.
// Used by recovery only. Thread rule: a value.
#pragma once

#include "engine/event_log.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace covey::daemon {

class JournalIndex {
  public:
    explicit JournalIndex(const EventLog& log);

    struct Exec {
        bool started = false, exited = false;
    };
    struct Container {
        std::string sandbox;
        bool created = false, started = false, paused = false, exited = false;
        std::optional<core::ExitRecord> exit;
        std::map<std::string, Exec> execs;
    };
    struct Sandbox {
        bool created = false, ready = false, stopped = false;
    };
    /// Of an engine: it cannot be known when what happened to it happened.
    struct EngineContainer {
        EventRecord newest;
        bool started = false, exited = false;
    };
    std::map<std::pair<std::string, std::string>, EngineContainer> engine_containers;  // root, id
    std::map<std::string, Sandbox> sandboxes;
    std::map<std::string, Container> containers;

    /// Whether an event that is not in the journal has to be written: not if it may have been there
    /// and was dropped, because all that is kept is younger. `happened_at` is in Unix microseconds.
    [[nodiscard]] bool must_write(bool seen, std::int64_t happened_at) const noexcept {
        return !seen && happened_at >= oldest_kept_;
    }

  private:
    void take(const EventRecord& event);
    void take_of_engine(const EventRecord& event);
    std::int64_t oldest_kept_ = 0;  // 0: nothing was ever dropped
};

}  // namespace covey::daemon
