#include "ctl/report.hpp"

#include "ctl/text_safety.hpp"

#include <fmt/format.h>

namespace covey::ctl {

std::string error_report(const Error& error, bool verbose) {
    std::string text = fmt::format("covey: {}\n", printable(error.detail()));
    if (verbose) text += fmt::format("  code: {}\n", code_name(error.code()));
    // The problems of a configuration are the causes: without them the line says nothing.
    if (verbose || error.code() == Code::invalid_spec)
        for (const auto& cause : error.causes())
            text += fmt::format("  cause: {}\n", printable(cause));
    if (!error.fix().empty()) text += fmt::format("  fix: {}\n", printable(error.fix()));
    return text;
}

int exit_status(Code code) noexcept {
    const bool wrong_request = code == Code::invalid_argument || code == Code::unknown_field ||
                               code == Code::invalid_spec || code == Code::too_large;
    return wrong_request ? kExitUsage : kExitError;
}

}  // namespace covey::ctl
