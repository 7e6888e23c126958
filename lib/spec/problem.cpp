#include "spec/problem.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::spec {
namespace {

// causes() has every problem; a single line with hundreds of them helps nobody.
constexpr std::size_t kProblemsInOneLine = 8;

std::string line(const Problem& problem) {
    return problem.pointer.empty() ? problem.message
                                   : fmt::format("{}: {}", problem.pointer, problem.message);
}

std::string summary(std::string_view document, const std::vector<Problem>& problems) {
    std::string text = fmt::format("{}: {} problem{}: ", document, problems.size(),
                                   problems.size() == 1 ? "" : "s");
    const std::size_t shown = std::min(problems.size(), kProblemsInOneLine);
    for (std::size_t i = 0; i < shown; ++i) {
        if (i != 0) text += "; ";
        text += line(problems[i]);
    }
    if (shown < problems.size()) text += fmt::format("; and {} more", problems.size() - shown);
    return text;
}

}  // namespace

SpecError::SpecError(std::string_view document, std::vector<Problem> problems)
    : Error(Code::invalid_spec, summary(document, problems)), problems_(std::move(problems)) {
    for (const auto& problem : problems_) {
        add_cause(line(problem));
    }
    set_fix(fmt::format("correct the named places of {}", document));
}

}  // namespace covey::spec
