// All that is wrong with a document, at once. Thrown by spec/load; printed with one line a problem.
// Thread rule: values.
#pragma once

#include "covey/error.hpp"

#include <string>
#include <vector>

namespace covey::spec {

/// One fault: where (RFC 6901 JSON pointer, "" is the document) and what, with the remedy in words.
struct Problem {
    std::string pointer;
    std::string message;
};

/// Code::invalid_spec. what() is "config.json: 3 problems: /process/cwd: must be absolute; …";
/// causes() has one line for each problem ("/process/cwd: must be absolute").
class SpecError : public Error {
  public:
    SpecError(std::string_view document, std::vector<Problem> problems);
    [[nodiscard]] const std::vector<Problem>& problems() const noexcept { return problems_; }

  private:
    std::vector<Problem> problems_;
};

}  // namespace covey::spec
