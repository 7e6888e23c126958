// Errors as RFC 9457 problem documents and as pages. Every problem has a non-empty `fix`: the
// error's own or that of proto/errors.yaml. Thread rule: pure functions. Do not block.
#pragma once

#include "api/contract.hpp"
#include "api/http.hpp"
#include "covey/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <exception>
#include <string>
#include <string_view>

namespace covey::daemon {

/// `instance` is the request's path. `status` 0: the code's own.
[[nodiscard]] nlohmann::ordered_json problem_json(const Error& error, std::string_view instance,
                                                  std::string_view request_id, int status = 0);
[[nodiscard]] Response problem_response(const Error& error, std::string_view instance,
                                        std::string_view request_id, int status = 0);
/// What was caught, as an Error: foreign exceptions are Code::internal, lack of memory
/// resource_exhausted.
[[nodiscard]] Error as_error(const std::exception_ptr& caught);

/// The page of one code, or of all. Throws not_found with the nearest code.
[[nodiscard]] Response error_page(std::string_view code);
[[nodiscard]] Response error_pages();

/// JSON text; bytes that are not UTF-8 become U+FFFD (file names from a bundle may be in an error).
[[nodiscard]] std::string to_text(const nlohmann::ordered_json& value);
[[nodiscard]] Response json_response(const nlohmann::ordered_json& value, unsigned status = 200);

}  // namespace covey::daemon
