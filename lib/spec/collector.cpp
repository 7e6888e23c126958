#include "spec/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace covey::spec {
namespace {

bool is_control(char byte) noexcept {
    return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
}

void append_visible(std::string& out, char byte) {
    if (is_control(byte)) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
        out += byte;
    }
}

}  // namespace

void append_escaped(std::string& pointer, std::string_view key) {
    for (const char byte : key) {
        if (byte == '~') {
            pointer += "~0";
        } else if (byte == '/') {
            pointer += "~1";
        } else {
            append_visible(pointer, byte);
        }
    }
}

std::string quote(std::string_view text) {
    constexpr std::size_t kLongest = 80;
    std::string out = "'";
    std::size_t length = std::min(text.size(), kLongest);
    // Never cut inside a UTF-8 sequence: the message itself becomes JSON.
    while (length < text.size() && length > 0 &&
           (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) {
        --length;
    }
    for (const char byte : text.substr(0, length)) {
        append_visible(out, byte);
    }
    out += length < text.size() ? "…'" : "'";
    return out;
}

std::string Place::pointer() const {
    if (parent_ == nullptr) return {};
    std::string text = parent_->pointer();
    text += '/';
    if (is_index_) {
        text += std::to_string(index_);
    } else {
        append_escaped(text, key_);
    }
    return text;
}

void Collector::add(std::string pointer, std::string message) {
    if (problems_.size() > kMost) return;
    if (problems_.size() == kMost) {
        problems_.push_back(
            {"", fmt::format("more problems follow; only the first {} are listed", kMost)});
        return;
    }
    problems_.push_back({std::move(pointer), std::move(message)});
}

bool Collector::clean(std::string_view pointer) const noexcept {
    return std::none_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
        return problem.pointer.starts_with(pointer) &&
               (problem.pointer.size() == pointer.size() || problem.pointer[pointer.size()] == '/');
    });
}

}  // namespace covey::spec
