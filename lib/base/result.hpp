// Result<T>: a value or an errno. What every wrapper in lib/sys returns.
// Code that expects a failure (ESRCH on kill, ENOENT on delete) branches on it; all other code says
// `.or_throw("open", path)`. Thread rule: a value.
#pragma once

#include "covey/error.hpp"

#include <string_view>
#include <utility>
#include <variant>

namespace covey {

struct Errno {
    int value = 0;
    friend bool operator==(Errno, Errno) = default;
};

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Errno error) : state_(std::in_place_index<1>, error) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /// 0 when there is a value.
    [[nodiscard]] int error() const noexcept { return has_value() ? 0 : std::get<1>(state_).value; }
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] T value_or(T other) && {
        return has_value() ? std::move(*this).value() : std::move(other);
    }

    T or_throw(std::string_view operation, std::string_view object = {}) && {
        if (!has_value()) throw Error::from_errno(error(), operation, object);
        return std::move(*this).value();
    }

  private:
    std::variant<T, Errno> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Errno error) : error_(error) {}

    [[nodiscard]] bool has_value() const noexcept { return error_.value == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] int error() const noexcept { return error_.value; }

    void or_throw(std::string_view operation, std::string_view object = {}) const {
        if (!has_value()) throw Error::from_errno(error(), operation, object);
    }

  private:
    Errno error_{};
};

}  // namespace covey
