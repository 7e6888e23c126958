#include "core/messages.hpp"

#include "core/name_table.hpp"

#include <array>
#include <utility>

namespace covey::core {
namespace {

constexpr std::array kSandboxStates{
    std::pair{SandboxState::creating, std::string_view{"creating"}},
    std::pair{SandboxState::ready, std::string_view{"ready"}},
    std::pair{SandboxState::stopping, std::string_view{"stopping"}},
    std::pair{SandboxState::stopped, std::string_view{"stopped"}},
    std::pair{SandboxState::unknown, std::string_view{"unknown"}},
};

constexpr std::array kContainerStates{
    std::pair{ContainerState::creating, std::string_view{"creating"}},
    std::pair{ContainerState::created, std::string_view{"created"}},
    std::pair{ContainerState::running, std::string_view{"running"}},
    std::pair{ContainerState::paused, std::string_view{"paused"}},
    std::pair{ContainerState::stopped, std::string_view{"stopped"}},
    std::pair{ContainerState::unknown, std::string_view{"unknown"}},
};

template <typename Table>
auto state_in(const Table& table, std::string_view word) noexcept {
    using State = typename Table::value_type::first_type;
    for (const auto& [value, name] : table)
        if (name == word) return std::optional<State>{value};
    return std::optional<State>{};
}

}  // namespace

std::string_view state_name(SandboxState state) noexcept {
    return name_in(kSandboxStates, state);
}

std::string_view state_name(ContainerState state) noexcept {
    return name_in(kContainerStates, state);
}

std::optional<SandboxState> sandbox_state(std::string_view name) noexcept {
    return state_in(kSandboxStates, name);
}

std::optional<ContainerState> container_state(std::string_view name) noexcept {
    return state_in(kContainerStates, name);
}

std::string_view sender_name(ExitRecord::Sender sender) noexcept {
    switch (sender) {
        case ExitRecord::Sender::covey:
            return "covey";
        case ExitRecord::Sender::kernel:
            return "kernel";
        case ExitRecord::Sender::unknown:
            break;
    }
    return "";
}

ExitRecord::Sender exit_sender(std::string_view name) noexcept {
    if (name == "covey") return ExitRecord::Sender::covey;
    return name == "kernel" ? ExitRecord::Sender::kernel : ExitRecord::Sender::unknown;
}

}  // namespace covey::core
