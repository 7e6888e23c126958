#include "spec/json_reader.hpp"

#include "base/json.hpp"
#include "spec/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace covey::spec {
namespace {

using nlohmann::json;

/// Builds the value while it checks. Faults that leave the structure intact (duplicate keys, NUL)
/// are collected and reading goes on; syntax and depth end it.
class StrictBuilder : public nlohmann::json_sax<json> {
  public:
    StrictBuilder(std::string_view text, std::size_t depth_limit)
        : text_(text), depth_limit_(depth_limit) {}

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(number_integer_t value) override { return add(value); }
    bool number_unsigned(number_unsigned_t value) override { return add(value); }
    bool number_float(number_float_t value, const string_t& /*token*/) override {
        return add(value);
    }
    bool binary(binary_t& /*value*/) override { return false; }  // JSON text has none
    bool string(string_t& value) override {
        const bool has_nul = value.find('\0') != std::string::npos;
        add(std::move(value));
        if (has_nul) problems_.add(pointer(Element::last), "must not contain a NUL byte");
        return true;
    }

    bool start_object(std::size_t /*elements*/) override { return open(json::object()); }
    bool start_array(std::size_t /*elements*/) override { return open(json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t& value) override {
        Level& level = stack_.back();
        level.key = std::move(value);
        level.has_key = true;
        if (level.value->contains(level.key)) {
            problems_.add(pointer(Element::next), "is a duplicate key");
        }
        if (level.key.find('\0') != std::string::npos) {
            problems_.add(pointer(Element::next), "a key must not contain a NUL byte");
        }
        return true;
    }

    bool parse_error(std::size_t position, const std::string& /*last_token*/,
                     const nlohmann::detail::exception& error) override {
        // The library's own sentence without its number and without the input's bytes, which need
        // not be valid UTF-8.
        std::string reason = error.what();
        if (const auto start = reason.rfind(" - "); start != std::string::npos) {
            reason = reason.substr(start + 3);
        } else if (const auto bracket = reason.find("] "); bracket != std::string::npos) {
            reason = reason.substr(bracket + 2);
        }
        reason = reason.substr(0, reason.find("; last read"));
        if (!is_plain(reason)) reason = "syntax error";
        problems_.add(pointer(Element::next), fmt::format("{}: {}", where(position), reason));
        return false;
    }

    [[nodiscard]] std::string where(std::size_t position) const {
        const auto read = text_.substr(0, std::min(position, text_.size()));
        const auto line = std::count(read.begin(), read.end(), '\n') + 1;
        const auto newline = read.rfind('\n');
        const std::size_t column =
            newline == std::string_view::npos ? read.size() : read.size() - newline - 1;
        return fmt::format("line {}, column {}", line, column);
    }

    [[nodiscard]] Collector& problems() noexcept { return problems_; }
    [[nodiscard]] json take() { return std::move(root_); }

  private:
    struct Level {
        json* value;
        std::string key;  // the one that was read last
        bool has_key = false;
    };
    enum class Element { last, next };

    static bool is_plain(std::string_view text) {
        return std::all_of(text.begin(), text.end(),
                           [](char byte) { return byte >= 0x20 && byte < 0x7f; });
    }

    json* place(json&& value) {
        if (stack_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        Level& level = stack_.back();
        if (level.value->is_array()) {
            level.value->push_back(std::move(value));
            return &level.value->back();
        }
        json& slot = (*level.value)[level.key];
        slot = std::move(value);
        return &slot;
    }

    bool add(json&& value) {
        place(std::move(value));
        return true;
    }

    bool open(json&& value) {
        if (stack_.size() == depth_limit_) {
            problems_.add(pointer(Element::next),
                          fmt::format("is nested deeper than {} levels", depth_limit_));
            return false;
        }
        json* const slot = place(std::move(value));
        stack_.push_back({slot, {}, false});
        return true;
    }

    bool close() {
        stack_.pop_back();
        return true;
    }

    /// Where the reader is: in an array at the element it read last, or at the one it begins.
    [[nodiscard]] std::string pointer(Element element) const {
        std::string text;
        for (const Level& level : stack_) {
            if (level.value->is_array()) {
                const bool innermost = &level == &stack_.back();
                const bool next = innermost && element == Element::next;
                text += fmt::format("/{}", level.value->size() - (next ? 0 : 1));
            } else if (level.has_key) {
                text += '/';
                append_escaped(text, level.key);
            }
        }
        return text;
    }

    std::string_view text_;
    std::size_t depth_limit_;
    json root_;
    std::vector<Level> stack_;
    Collector problems_;
};

}  // namespace

json parse_strict(std::string_view text, std::string_view document, std::size_t depth_limit) {
    StrictBuilder builder{text, depth_limit};
    // nlohmann skips a byte order mark and takes a NUL byte for the end of the input: others do
    // not.
    if (text.starts_with("\xEF\xBB\xBF")) {
        builder.problems().add("", "must not begin with a byte order mark");
    } else if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        builder.problems().add("", builder.where(nul + 1) + ": a NUL byte");
    } else {
        json::sax_parse(text.begin(), text.end(), &builder);
    }
    if (!builder.problems().empty()) throw SpecError(document, builder.problems().take());
    return builder.take();
}

}  // namespace covey::spec
