#include "api/target.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <optional>

namespace covey::daemon {
namespace {

enum class Plus { literal, space };

std::optional<unsigned> hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return std::nullopt;
}

std::string decode(std::string_view text, Plus plus) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus == Plus::space) {
            result += ' ';
        } else if (text[i] != '%') {
            result += text[i];
        } else {
            const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
            const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
            if (!high || !low)
                throw Error(Code::invalid_argument, "the request's target has a bad %-escape")
                    .with_fix("write a percent sign as %25");
            result += static_cast<char>(*high * 16 + *low);
            i += 2;
        }
    }
    if (result.find('\0') != std::string::npos)
        throw Error(Code::invalid_argument, "the request's target has a NUL byte")
            .with_fix("remove %00 from the path or the query");
    if (!is_utf8(result))
        throw Error(Code::invalid_argument, "the request's target is not valid UTF-8")
            .with_fix("percent-encode the UTF-8 bytes of the text");
    return result;
}

QueryParameters parse_query(std::string_view text) {
    QueryParameters query;
    if (text.empty()) return query;
    for (const auto part : split(text, '&')) {
        if (part.empty()) continue;
        const auto equals = part.find('=');
        const auto name = part.substr(0, equals);
        const auto value =
            equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
        query.emplace_back(decode(name, Plus::space), decode(value, Plus::space));
    }
    return query;
}

}  // namespace

Target parse_target(std::string_view text) {
    if (const auto scheme = text.find("://");
        scheme != std::string_view::npos && text.front() != '/') {
        const auto path = text.find('/', scheme + 3);
        text = path == std::string_view::npos ? std::string_view{"/"} : text.substr(path);
    }
    if (text.empty() || text.front() != '/' || text.find('#') != std::string_view::npos)
        throw Error(Code::invalid_argument, fmt::format("'{}' is no path", text))
            .with_fix("a path begins with /v1/, as in GET /v1/version");
    const auto mark = text.find('?');
    Target target;
    target.path = text.substr(0, mark);
    for (const auto segment : split(std::string_view{target.path}.substr(1), '/'))
        target.segments.push_back(decode(segment, Plus::literal));
    if (mark != std::string_view::npos) target.query = parse_query(text.substr(mark + 1));
    return target;
}

}  // namespace covey::daemon
