#include "ctl/frames.hpp"

#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::ctl {
namespace {

constexpr std::size_t kHeadSize = 8;

std::uint32_t big_endian(std::string_view four) noexcept {
    std::uint32_t value = 0;
    for (const char c : four)
        value = value << 8U | static_cast<unsigned char>(c);
    return value;
}

}  // namespace

std::vector<Piece> FrameReader::feed(std::string_view bytes) {
    std::vector<Piece> pieces;
    while (!bytes.empty()) {
        if (left_ > 0) {
            const std::size_t now = std::min<std::size_t>(left_, bytes.size());
            pieces.push_back({stream_, std::string{bytes.substr(0, now)}});
            left_ -= static_cast<std::uint32_t>(now);
            bytes.remove_prefix(now);
            continue;
        }
        const std::size_t missing = std::min(kHeadSize - head_.size(), bytes.size());
        head_ += bytes.substr(0, missing);
        bytes.remove_prefix(missing);
        if (head_.size() < kHeadSize) break;

        const auto number = static_cast<unsigned char>(head_[0]);
        if (number > static_cast<unsigned char>(Stream::problem))
            throw Error(Code::internal,
                        fmt::format("coveyd sent an unknown stream number {}", number))
                .with_fix("use a covey command of coveyd's version: covey version");
        stream_ = static_cast<Stream>(number);
        left_ = big_endian(std::string_view{head_}.substr(4));
        head_.clear();
    }
    return pieces;
}

}  // namespace covey::ctl
