// proto/ as data: the closed list of errors and the OpenAPI document, generated at build time by
// embed_contract.py. Used by error_codec, the routes of /v1/errors and /v1/openapi.json, and tests.
// Thread rule: constant data. Does not block.
#pragma once

#include "covey/error.hpp"

#include <span>
#include <string_view>

namespace covey::daemon {

struct ErrorInfo {
    Code code;
    int status;  // HTTP
    int exit;    // of the covey command
    std::string_view title, meaning, fix;
};

/// In the order of proto/errors.yaml; has every Code (a test checks it).
[[nodiscard]] std::span<const ErrorInfo> error_table() noexcept;
/// Never fails: a code without an entry gets that of Code::internal.
[[nodiscard]] const ErrorInfo& error_info(Code code) noexcept;
/// proto/openapi.yaml as JSON.
[[nodiscard]] std::string_view openapi_json() noexcept;

}  // namespace covey::daemon
