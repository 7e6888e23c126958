#include "base/id.hpp"

#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include <sys/random.h>

namespace covey {
namespace {

constexpr bool is_word(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

constexpr bool is_id_character(char c) {
    return is_word(c) || c == '.' || c == '+' || c == '-';
}

/// What a person can read of a rejected id: control bytes as \xNN, cut to a sane length.
std::string printable(std::string_view id) {
    constexpr std::size_t kShown = 64;
    std::string result;
    for (const char c : id.substr(0, kShown)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7F)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += c;
    }
    return id.size() > kShown ? result + "…" : result;
}

}  // namespace

bool is_valid_id(std::string_view id) noexcept {
    if (id.empty() || id.size() > kLongestId || !is_word(id.front())) return false;
    return std::all_of(id.begin(), id.end(), is_id_character);
}

void require_valid_id(std::string_view id, std::string_view what) {
    if (is_valid_id(id)) return;
    throw Error(Code::invalid_argument, fmt::format("invalid {} '{}'", what, printable(id)))
        .with_fix("use 1 to 128 of A-Z a-z 0-9 _ . + -, the first a letter, a digit or _");
}

bool is_valid_container_id(std::string_view id) noexcept {
    return !id.empty() && id.size() <= NAME_MAX && id.front() != '.' &&
           std::all_of(id.begin(), id.end(), is_id_character);
}

void require_valid_container_id(std::string_view id) {
    if (is_valid_container_id(id)) return;
    throw Error(Code::invalid_argument, fmt::format("invalid container id '{}'", printable(id)))
        .with_fix(
            "at most 255 letters, digits and _ + - . are allowed, and the first is not a dot");
}

std::string random_id() {
    std::array<unsigned char, 8> bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw Error::from_errno(errno, "getrandom");
    std::string id;
    for (const auto byte : bytes)
        id += fmt::format("{:02x}", byte);
    return id;
}

}  // namespace covey
