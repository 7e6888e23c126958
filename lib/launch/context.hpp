// Errors say where they happened: "mount op 7 (proc on /proc): …". Thread rule: pure functions.
#pragma once

#include "covey/error.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace covey::launch {

/// `error` with `where` before its detail; code, fix, causes and errno kept.
inline Error prefixed(std::string_view where, const Error& error) {
    return Error::restored(error.code(), std::string{where} + ": " + error.detail(), error.fix(),
                           error.causes(), error.errno_value());
}

/// Runs `step`; what it throws comes out with `where` before its detail, code and fix kept.
template <typename Step>
decltype(auto) in_context(const std::string& where, Step&& step) {
    try {
        return std::forward<Step>(step)();
    } catch (const Error& error) {
        throw prefixed(where, error);
    }
}

}  // namespace covey::launch
