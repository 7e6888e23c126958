#include "store/engine_link.hpp"

#include <fmt/format.h>

#include <climits>
#include <cstdint>

namespace covey::store {

std::string engine_link_name(std::string_view root, std::string_view id) {
    std::uint64_t digest = 0xcbf29ce484222325;
    for (const char c : root)
        digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    constexpr std::size_t kSuffix = 32;
    return fmt::format("{}-{:016x}{}", id.substr(0, NAME_MAX - kSuffix), digest, kEngineLinkSuffix);
}

}  // namespace covey::store
