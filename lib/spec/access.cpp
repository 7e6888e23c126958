#include "spec/access.hpp"

#include <utility>

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

std::map<std::string, std::string> access_words(const Access& access) {
    return {{"see", std::string{reach_name(access.see)}},
            {"signal", std::string{reach_name(access.signal)}},
            {"inspect", std::string{reach_name(access.inspect)}}};
}

std::optional<Access> access_of_words(const std::map<std::string, std::string>& words) {
    Access access;
    const std::array<std::pair<const char*, Reach*>, 3> fields{
        {{"see", &access.see}, {"signal", &access.signal}, {"inspect", &access.inspect}}};
    for (const auto& [name, out] : fields) {
        const auto word = words.find(name);
        const auto value = word == words.end() ? std::nullopt : reach(word->second);
        if (!value) return std::nullopt;
        *out = *value;
    }
    if (words.size() != fields.size()) return std::nullopt;
    return access;
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
