// What a container may do to the processes of its neighbours: see them, signal them, inspect them,
// each either the pod's or only its own. Used by the API's codecs, the shim's protocol, the plan
// and covey-runtime. Thread rule: values and constant data.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace covey::spec {

enum class Reach { own, pod };
inline constexpr std::array<std::string_view, 2> kReachNames{"own", "pod"};

struct Access {
    Reach see = Reach::pod, signal = Reach::pod, inspect = Reach::pod;
    friend bool operator==(const Access&, const Access&) = default;
    /// Something of it needs to be kept from the container.
    [[nodiscard]] bool is_restricted() const noexcept;
};

inline constexpr Access kOpen{};
inline constexpr Access kPrivate{Reach::own, Reach::own, Reach::own};
inline constexpr Access kObserver{Reach::pod, Reach::own, Reach::own};
inline constexpr std::array<std::string_view, 3> kAccessPresets{"open", "private", "observer"};

[[nodiscard]] std::optional<Access> access_preset(std::string_view name) noexcept;
/// The preset's name, or nothing for a combination that has none.
[[nodiscard]] std::optional<std::string_view> preset_name(const Access& access) noexcept;
[[nodiscard]] std::optional<Reach> reach(std::string_view name) noexcept;
[[nodiscard]] std::string_view reach_name(Reach reach) noexcept;
/// As three words, {"see": "pod", …}: what all that is written down has.
[[nodiscard]] std::map<std::string, std::string> access_words(const Access& access);
/// Nothing unless they are the three, each own or pod.
[[nodiscard]] std::optional<Access> access_of_words(
    const std::map<std::string, std::string>& words);
/// Why no kernel can give it, or nothing: both restrictions of the mechanism (a Landlock domain
/// holds inspection back whatever else it does, and what cannot be seen cannot be inspected).
[[nodiscard]] std::optional<std::string> impossible(const Access& access);

}  // namespace covey::spec
