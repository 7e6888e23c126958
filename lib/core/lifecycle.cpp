#include "core/lifecycle.hpp"

#include "base/text.hpp"
#include "core/name_table.hpp"

#include <array>
#include <string>
#include <utility>

namespace covey::core {
namespace {

using SE = SandboxEvent;
using SS = SandboxState;
using CE = ContainerEvent;
using CS = ContainerState;

constexpr std::array kSandboxEvents{
    std::pair{SE::made, std::string_view{"made"}},
    std::pair{SE::failed, std::string_view{"failed"}},
    std::pair{SE::add, std::string_view{"add a container"}},
    std::pair{SE::stop, std::string_view{"stop"}},
    std::pair{SE::gone, std::string_view{"gone"}},
    std::pair{SE::remove, std::string_view{"delete"}},
};

constexpr std::array kContainerEvents{
    std::pair{CE::made, std::string_view{"made"}},
    std::pair{CE::failed, std::string_view{"failed"}},
    std::pair{CE::start, std::string_view{"start"}},
    std::pair{CE::kill, std::string_view{"kill"}},
    std::pair{CE::exec, std::string_view{"exec"}},
    std::pair{CE::pause, std::string_view{"pause"}},
    std::pair{CE::resume, std::string_view{"resume"}},
    std::pair{CE::update, std::string_view{"update"}},
    std::pair{CE::resize, std::string_view{"resize"}},
    std::pair{CE::exited, std::string_view{"exited"}},
    std::pair{CE::remove, std::string_view{"delete"}},
};

constexpr std::array<SandboxTransition, 12> kSandboxTable{{
    {SS::creating, SE::made, SS::ready},
    {SS::creating, SE::failed, SS::stopped},
    {SS::creating, SE::gone, SS::stopped},
    {SS::ready, SE::add, SS::ready},
    {SS::ready, SE::stop, SS::stopping},
    {SS::ready, SE::gone, SS::stopped},  // pause died, and with it the pod
    {SS::stopping, SE::stop, SS::stopping},
    {SS::stopping, SE::gone, SS::stopped},
    {SS::stopped, SE::stop, SS::stopped},  // stop is idempotent
    {SS::stopped, SE::gone, SS::stopped},
    {SS::stopped, SE::remove, SS::stopped},
    {SS::unknown, SE::gone, SS::stopped},  // else only a forced deletion
}};

// runtime.md: start only when created, kill only when created or running, delete only when stopped.
// Paused is running that stands still: no exec, for nothing of it could begin. Pause and resume are
// idempotent.
constexpr std::array<ContainerTransition, 23> kContainerTable{{
    {CS::creating, CE::made, CS::created},  {CS::creating, CE::failed, CS::stopped},
    {CS::created, CE::start, CS::running},  {CS::created, CE::kill, CS::created},
    {CS::created, CE::update, CS::created}, {CS::created, CE::resize, CS::created},
    {CS::created, CE::exited, CS::stopped}, {CS::running, CE::kill, CS::running},
    {CS::running, CE::exec, CS::running},   {CS::running, CE::pause, CS::paused},
    {CS::running, CE::resume, CS::running}, {CS::running, CE::update, CS::running},
    {CS::running, CE::resize, CS::running}, {CS::running, CE::exited, CS::stopped},
    {CS::paused, CE::kill, CS::paused},     {CS::paused, CE::pause, CS::paused},
    {CS::paused, CE::resume, CS::running},  {CS::paused, CE::update, CS::paused},
    {CS::paused, CE::resize, CS::paused},   {CS::paused, CE::exited, CS::stopped},
    {CS::stopped, CE::remove, CS::stopped}, {CS::unknown, CE::kill, CS::unknown},
    {CS::unknown, CE::exited, CS::stopped},
}};

template <typename Table, typename State, typename Event>
auto find(const Table& table, State state, Event event) noexcept {
    auto at = table.begin();
    while (at != table.end() && (at->from != state || at->event != event))
        ++at;
    return at;
}

template <typename Table, typename State, typename Event>
State next_in(const Table& table, std::string_view what, State state, Event event) {
    if (const auto found = find(table, state, event); found != table.end()) return found->to;
    std::vector<std::string> allowed;
    for (const auto& row : table)
        if (row.from == state) allowed.emplace_back(event_name(row.event));
    throw Error(Code::failed_precondition, std::string{what} + " is " +
                                               std::string{state_name(state)} + ": '" +
                                               std::string{event_name(event)} + "' is not allowed")
        .with_fix("allowed now: " + join(allowed, ", "));
}

}  // namespace

std::string_view event_name(SandboxEvent event) noexcept {
    return name_in(kSandboxEvents, event);
}

std::string_view event_name(ContainerEvent event) noexcept {
    return name_in(kContainerEvents, event);
}

std::span<const SandboxTransition> sandbox_transitions() noexcept {
    return kSandboxTable;
}

std::span<const ContainerTransition> container_transitions() noexcept {
    return kContainerTable;
}

SandboxState next(SandboxState state, SandboxEvent event) {
    return next_in(kSandboxTable, "the sandbox", state, event);
}

ContainerState next(ContainerState state, ContainerEvent event) {
    return next_in(kContainerTable, "the container", state, event);
}

bool allows(SandboxState state, SandboxEvent event) noexcept {
    return find(kSandboxTable, state, event) != kSandboxTable.end();
}

bool allows(ContainerState state, ContainerEvent event) noexcept {
    return find(kContainerTable, state, event) != kContainerTable.end();
}

}  // namespace covey::core
