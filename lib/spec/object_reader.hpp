// Reads one JSON object of a configuration, key by key, and notes every fault with its place
// instead of stopping. Unknown keys are ignored (config.md, extensibility), null counts as absent,
// as it does for every runtime written in Go. Internal to lib/spec. Thread rule: one thread. Does
// not block.
#pragma once

#include "spec/collector.hpp"

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey::spec {

enum class Need { optional, required };

/// Called with each string of an array and its place.
using TextCheck = std::function<void(const std::string& text, const Place& place)>;
/// Called with each element of an array and its place.
using ElementReader = std::function<void(const nlohmann::json& element, const Place& place)>;

class ObjectReader {
  public:
    /// `value` that is not an object is a problem; everything in it is then absent.
    ObjectReader(const nlohmann::json& value, const Place& place, Collector& problems);

    [[nodiscard]] bool is_object() const noexcept { return object_ != nullptr; }
    [[nodiscard]] const Place& place() const noexcept { return place_; }
    [[nodiscard]] Place at(std::string_view key) const { return {&place_, key}; }
    void problem(std::string_view key, std::string message) {
        problems_->add(at(key), std::move(message));
    }
    [[nodiscard]] Collector& problems() noexcept { return *problems_; }

    /// nullptr: absent or null; when it is required, that is a problem.
    [[nodiscard]] const nlohmann::json* find(std::string_view key, Need need = Need::optional);

    // Each returns whether there was a good value; `out` stays as it was when there was none.
    bool text(std::string_view key, std::string& out, Need need = Need::optional);
    bool boolean(std::string_view key, bool& out, Need need = Need::optional);
    bool boolean(std::string_view key, std::optional<bool>& out);
    /// A text from a closed list; `what` names it: "unknown seccomp action 'X' (did you mean …)".
    bool one_of(std::string_view key, std::string& out, std::span<const std::string_view> names,
                std::string_view what, Need need = Need::optional);

    /// JSON integers only: no fraction, no exponent, no text.
    template <std::integral T>
    bool number(std::string_view key, T& out, Need need = Need::optional,
                T least = std::numeric_limits<T>::min(), T most = std::numeric_limits<T>::max()) {
        if constexpr (std::unsigned_integral<T>) {
            const auto value = natural(key, least, most, need);
            if (value) out = static_cast<T>(*value);
            return value.has_value();
        } else {
            const auto value = integer(key, least, most, need);
            if (value) out = static_cast<T>(*value);
            return value.has_value();
        }
    }
    template <std::integral T>
    bool number(std::string_view key, std::optional<T>& out, Need need = Need::optional,
                T least = std::numeric_limits<T>::min(), T most = std::numeric_limits<T>::max()) {
        T value{};
        const bool good = number(key, value, need, least, most);
        if (good) out = value;
        return good;
    }

    void texts(std::string_view key, std::vector<std::string>& out, const TextCheck& check = {});
    void text_map(std::string_view key, std::map<std::string, std::string>& out);
    void each(std::string_view key, const ElementReader& read);

  private:
    std::optional<std::uint64_t> natural(std::string_view key, std::uint64_t least,
                                         std::uint64_t most, Need need);
    std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most,
                                        Need need);

    const nlohmann::json* object_;
    Place place_;
    Collector* problems_;
};

/// One JSON integer outside an object (an element of an array): 0 … most, else a problem.
[[nodiscard]] std::optional<std::uint64_t> read_natural(const nlohmann::json& value,
                                                        std::uint64_t least, std::uint64_t most,
                                                        const Place& place, Collector& problems);

/// Each element of the array `key` as a T; `read` fills one from its object.
template <class T>
void read_list(ObjectReader& reader, std::string_view key, std::vector<T>& out,
               void (*read)(ObjectReader&, T&)) {
    reader.each(key, [&](const nlohmann::json& element, const Place& place) {
        ObjectReader element_reader{element, place, reader.problems()};
        T value{};
        if (element_reader.is_object()) read(element_reader, value);
        out.push_back(std::move(value));
    });
}

/// The object `key`, if there is one. True when there was.
template <class T>
bool read_object(ObjectReader& reader, std::string_view key, T& out,
                 void (*read)(ObjectReader&, T&), Need need = Need::optional) {
    const nlohmann::json* const value = reader.find(key, need);
    if (value == nullptr) return false;
    const Place place = reader.at(key);
    ObjectReader object_reader{*value, place, reader.problems()};
    if (object_reader.is_object()) read(object_reader, out);
    return true;
}
template <class T>
void read_object(ObjectReader& reader, std::string_view key, std::optional<T>& out,
                 void (*read)(ObjectReader&, T&)) {
    T value{};
    if (read_object(reader, key, value, read)) out = std::move(value);
}

}  // namespace covey::spec
