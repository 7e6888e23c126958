#include "api/capability_codec.hpp"

#include "base/text.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

namespace covey::daemon {

std::optional<std::uint64_t> capability_bit(std::string_view name) {
    const auto number = spec::capability_number(name);
    if (!number) return std::nullopt;
    return std::uint64_t{1} << static_cast<unsigned>(*number);
}

std::string unknown_capability(std::string_view name) {
    std::string full = to_upper(name);
    if (!full.starts_with("CAP_")) full.insert(0, "CAP_");
    return fmt::format("unknown capability '{}'{}", name,
                       did_you_mean(full, spec::capability_names()));
}

}  // namespace covey::daemon
