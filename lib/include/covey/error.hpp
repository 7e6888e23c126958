// The one error type of Covey's public interface. Thrown by everything above `lib/sys`; carried
// over the shim's socket and printed as RFC 9457 problem+json by coveyd. Thread rule: a value, like
// any exception. Does not block.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace covey {

/// The closed list of error codes; `proto/errors.yaml` has the same list with HTTP status, exit
/// code and remedy, and a test compares the two.
enum class Code {
    invalid_argument,
    unknown_field,
    invalid_spec,
    permission_denied,
    not_found,
    timeout,
    already_exists,
    failed_precondition,
    sandbox_gone,
    compacted,
    too_large,
    too_many,
    internal,
    unsupported_by_host,
    unavailable,
    resource_exhausted,
};

[[nodiscard]] std::string_view code_name(Code code) noexcept;
/// Unknown names give `Code::internal`.
[[nodiscard]] Code code_from_name(std::string_view name) noexcept;
/// The code that fits an errno when nothing better is known (EPERM → permission_denied, …).
[[nodiscard]] Code code_from_errno(int error) noexcept;

/// What went wrong, with what, and what to do about it.
///
///     throw Error(Code::not_found, "no sandbox 'web'").with_fix("covey sandbox ls");
///     throw Error::from_errno(errno, "open", path);      // "open /x: Permission denied (EACCES)"
class [[nodiscard]] Error : public std::runtime_error {
  public:
    Error(Code code, std::string detail);

    /// `operation` in words, `object` what it was done to; the errno's text is added here.
    static Error from_errno(int error, std::string_view operation, std::string_view object = {});

    /// An error that was carried over a socket or kept in a file: all of it as it was.
    static Error restored(Code code, std::string detail, std::string fix,
                          std::vector<std::string> causes, int error);

    Error&& with_fix(std::string fix) &&;
    Error&& with_code(Code code) &&;
    /// A line about what led to this, innermost first.
    Error&& with_cause(std::string cause) &&;
    void add_cause(std::string cause);
    void set_fix(std::string fix);

    [[nodiscard]] Code code() const noexcept { return code_; }
    [[nodiscard]] std::string detail() const { return what(); }
    [[nodiscard]] const std::string& fix() const noexcept { return fix_; }
    [[nodiscard]] const std::vector<std::string>& causes() const noexcept { return causes_; }
    /// 0 when no system call was involved.
    [[nodiscard]] int errno_value() const noexcept { return errno_; }

  private:
    Code code_;
    int errno_ = 0;
    std::string fix_;
    std::vector<std::string> causes_;
};

}  // namespace covey
