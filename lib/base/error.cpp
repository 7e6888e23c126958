#include "covey/error.hpp"

#include "base/accounts.hpp"
#include "base/text.hpp"

#include <array>
#include <cerrno>
#include <utility>

namespace covey {
namespace {

constexpr std::array kCodeNames{
    std::pair{Code::invalid_argument, std::string_view{"invalid_argument"}},
    std::pair{Code::unknown_field, std::string_view{"unknown_field"}},
    std::pair{Code::invalid_spec, std::string_view{"invalid_spec"}},
    std::pair{Code::permission_denied, std::string_view{"permission_denied"}},
    std::pair{Code::not_found, std::string_view{"not_found"}},
    std::pair{Code::timeout, std::string_view{"timeout"}},
    std::pair{Code::already_exists, std::string_view{"already_exists"}},
    std::pair{Code::failed_precondition, std::string_view{"failed_precondition"}},
    std::pair{Code::sandbox_gone, std::string_view{"sandbox_gone"}},
    std::pair{Code::compacted, std::string_view{"compacted"}},
    std::pair{Code::too_large, std::string_view{"too_large"}},
    std::pair{Code::too_many, std::string_view{"too_many"}},
    std::pair{Code::internal, std::string_view{"internal"}},
    std::pair{Code::unsupported_by_host, std::string_view{"unsupported_by_host"}},
    std::pair{Code::unavailable, std::string_view{"unavailable"}},
    std::pair{Code::resource_exhausted, std::string_view{"resource_exhausted"}},
};

}  // namespace

std::string_view code_name(Code code) noexcept {
    for (const auto& [value, name] : kCodeNames)
        if (value == code) return name;
    return "internal";
}

Code code_from_name(std::string_view name) noexcept {
    for (const auto& [value, text] : kCodeNames)
        if (text == name) return value;
    return Code::internal;
}

Code code_from_errno(int error) noexcept {
    switch (error) {
        case EPERM:
        case EACCES:
            return Code::permission_denied;
        case ENOENT:
            return Code::not_found;
        case EEXIST:
            return Code::already_exists;
        case EINVAL:
        case ENOTDIR:
        case EISDIR:
        case ENOEXEC:
        case ELOOP:
        case ENAMETOOLONG:
            return Code::invalid_argument;
        case ETIMEDOUT:
            return Code::timeout;
        case ENOMEM:
        case ENOSPC:
        case EMFILE:
        case ENFILE:
        case EAGAIN:
        case EDQUOT:
        case ETOOMANYREFS:
        case EUSERS:
        case ENOBUFS:
            return Code::resource_exhausted;
        case ENOSYS:
        case EOPNOTSUPP:
            return Code::unsupported_by_host;
        default:
            return Code::internal;
    }
}

Error::Error(Code code, std::string detail) : std::runtime_error(std::move(detail)), code_(code) {
}

Error Error::from_errno(int error, std::string_view operation, std::string_view object) {
    std::string text{operation};
    if (!object.empty()) text.append(" ").append(object);
    text.append(": ").append(errno_text(error));
    const auto* account = full_account(error, operation);
    if (account != nullptr) text.append("; full: ").append(account->name);
    Error result{account != nullptr ? Code::resource_exhausted : code_from_errno(error),
                 std::move(text)};
    result.errno_ = error;
    if (account != nullptr) result.fix_ = account->fix;
    return result;
}

Error Error::restored(Code code, std::string detail, std::string fix,
                      std::vector<std::string> causes, int error) {
    Error result{code, std::move(detail)};
    result.errno_ = error;
    result.fix_ = std::move(fix);
    result.causes_ = std::move(causes);
    return result;
}

Error&& Error::with_fix(std::string fix) && {
    fix_ = std::move(fix);
    return std::move(*this);
}

Error&& Error::with_code(Code code) && {
    code_ = code;
    return std::move(*this);
}

Error&& Error::with_cause(std::string cause) && {
    causes_.push_back(std::move(cause));
    return std::move(*this);
}

void Error::add_cause(std::string cause) {
    causes_.push_back(std::move(cause));
}

void Error::set_fix(std::string fix) {
    fix_ = std::move(fix);
}

}  // namespace covey
