// The lifecycle tables, every pair of state and event.
#include "core/lifecycle.hpp"

#include "catch.hpp"

#include <algorithm>
#include <string>

using namespace covey;
using namespace covey::core;

namespace {

constexpr SandboxState kSandboxStates[] = {SandboxState::creating, SandboxState::ready,
                                           SandboxState::stopping, SandboxState::stopped,
                                           SandboxState::unknown};
constexpr SandboxEvent kSandboxEvents[] = {SandboxEvent::made, SandboxEvent::failed,
                                           SandboxEvent::add,  SandboxEvent::stop,
                                           SandboxEvent::gone, SandboxEvent::remove};
constexpr ContainerState kContainerStates[] = {ContainerState::creating, ContainerState::created,
                                               ContainerState::running,  ContainerState::paused,
                                               ContainerState::stopped,  ContainerState::unknown};
constexpr ContainerEvent kContainerEvents[] = {
    ContainerEvent::made,   ContainerEvent::failed, ContainerEvent::start,  ContainerEvent::kill,
    ContainerEvent::exec,   ContainerEvent::pause,  ContainerEvent::resume, ContainerEvent::update,
    ContainerEvent::resize, ContainerEvent::exited, ContainerEvent::remove};

/// Every pair either moves as its row says or is refused naming both words.
template <typename States, typename Events, typename Rows>
void check_every_pair(const States& states, const Events& events, const Rows& rows) {
    std::size_t moves = 0;
    for (const auto state : states)
        for (const auto event : events) {
            const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& each) {
                return each.from == state && each.event == event;
            });
            INFO(state_name(state) << " + " << event_name(event));
            CHECK(allows(state, event) == (row != rows.end()));
            if (row != rows.end()) {
                CHECK(next(state, event) == row->to);
                ++moves;
                continue;
            }
            try {
                (void)next(state, event);
                FAIL("not refused");
            } catch (const Error& error) {
                CHECK(error.code() == Code::failed_precondition);
                CHECK(error.detail().find(state_name(state)) != std::string::npos);
                CHECK(error.detail().find(event_name(event)) != std::string::npos);
                CHECK_FALSE(error.fix().empty());
            }
        }
    CHECK(moves == rows.size());  // no row twice, none unreachable
}

}  // namespace

TEST_CASE("every pair of sandbox state and event moves or is refused by name") {
    check_every_pair(kSandboxStates, kSandboxEvents, sandbox_transitions());
}

TEST_CASE("every pair of container state and event moves or is refused by name") {
    check_every_pair(kContainerStates, kContainerEvents, container_transitions());
}

TEST_CASE("predicates say what OCI says") {
    for (const auto state : kContainerStates) {
        INFO(state_name(state));
        CHECK(can_start(state) == (state == ContainerState::created));
        CHECK(can_kill(state) == (state == ContainerState::created || has_started(state) ||
                                  state == ContainerState::unknown));
        CHECK(has_started(state) ==
              (state == ContainerState::running || state == ContainerState::paused));
        CHECK(can_exec(state) == (state == ContainerState::running));
        CHECK(can_pause(state) == has_started(state));
        CHECK(can_resume(state) == has_started(state));
        CHECK(can_update(state) == (can_kill(state) && state != ContainerState::unknown));
        CHECK(allows(state, ContainerEvent::resize) == can_update(state));
        CHECK(can_delete(state) == (state == ContainerState::stopped));
    }
}

TEST_CASE("pause and resume are idempotent") {
    for (const auto state : {ContainerState::running, ContainerState::paused}) {
        CHECK(next(state, ContainerEvent::pause) == ContainerState::paused);
        CHECK(next(state, ContainerEvent::resume) == ContainerState::running);
        CHECK(next(state, ContainerEvent::kill) == state);
    }
}

TEST_CASE("nothing leaves the state stopped") {
    for (const auto event : kContainerEvents)
        if (allows(ContainerState::stopped, event))
            CHECK(next(ContainerState::stopped, event) == ContainerState::stopped);
    for (const auto event : kSandboxEvents)
        if (allows(SandboxState::stopped, event))
            CHECK(next(SandboxState::stopped, event) == SandboxState::stopped);
}

TEST_CASE("the names of states read back") {
    for (const auto state : kSandboxStates)
        CHECK(sandbox_state(state_name(state)) == state);
    for (const auto state : kContainerStates)
        CHECK(container_state(state_name(state)) == state);
    CHECK_FALSE(sandbox_state("Ready").has_value());
    CHECK_FALSE(container_state("").has_value());
}
