// Errors say where they happened: "mount op 7 (proc on /proc): …". Thread rule: pure functions.
#pragma once

#include "covey/error.hpp"

#include <string>
#include <utility>

namespace covey::launch {

/// Runs `step`; what it throws comes out with `where` before its detail, code and fix kept.
template <typename Step>
decltype(auto) in_context(const std::string& where, Step&& step) {
    try {
        return std::forward<Step>(step)();
    } catch (const Error& error) {
        throw Error::restored(error.code(), where + ": " + error.detail(), error.fix(),
                              error.causes(), error.errno_value());
    }
}

}  // namespace covey::launch
