#include "spec/access.hpp"

namespace covey::spec {

bool Access::is_restricted() const noexcept {
    return *this != kOpen;
}

std::optional<Access> access_preset(std::string_view name) noexcept {
    if (name == "open") return kOpen;
    if (name == "private") return kPrivate;
    if (name == "observer") return kObserver;
    return std::nullopt;
}

std::optional<std::string_view> preset_name(const Access& access) noexcept {
    for (const auto name : kAccessPresets)
        if (access_preset(name) == access) return name;
    return std::nullopt;
}

std::optional<Reach> reach(std::string_view name) noexcept {
    if (name == "own") return Reach::own;
    if (name == "pod") return Reach::pod;
    return std::nullopt;
}

std::string_view reach_name(Reach reach) noexcept {
    return kReachNames.at(static_cast<std::size_t>(reach));
}

std::optional<std::string> impossible(const Access& access) {
    if (access.inspect == Reach::own) return std::nullopt;
    if (access.see == Reach::own)
        return "see 'own' with inspect 'pod' cannot be: what a container does not see it cannot "
               "inspect";
    if (access.signal == Reach::own)
        return "signal 'own' with inspect 'pod' cannot be: the kernel's Landlock domain that holds "
               "signals back holds inspection back too";
    return std::nullopt;
}

}  // namespace covey::spec
