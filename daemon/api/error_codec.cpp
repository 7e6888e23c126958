#include "api/error_codec.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <new>
#include <vector>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

Json page(const ErrorInfo& info) {
    return {{"code", code_name(info.code)}, {"status", info.status},   {"exit", info.exit},
            {"title", info.title},          {"meaning", info.meaning}, {"fix", info.fix}};
}

}  // namespace

const ErrorInfo& error_info(Code code) noexcept {
    const ErrorInfo* internal = nullptr;
    for (const auto& info : error_table()) {
        if (info.code == code) return info;
        if (info.code == Code::internal) internal = &info;
    }
    return *internal;
}

Json problem_json(const Error& error, std::string_view instance, std::string_view request_id,
                  int status) {
    const ErrorInfo& info = error_info(error.code());
    Json problem{{"type", fmt::format("/v1/errors/{}", code_name(error.code()))},
                 {"title", info.title},
                 {"status", status == 0 ? info.status : status},
                 {"detail", error.detail().empty() ? std::string{info.title} : error.detail()},
                 {"code", code_name(error.code())},
                 {"fix", error.fix().empty() ? std::string{info.fix} : error.fix()},
                 {"causes", error.causes()},
                 {"instance", instance},
                 {"requestId", request_id}};
    if (error.errno_value() != 0) problem["errno"] = errno_name(error.errno_value());
    return problem;
}

Response problem_response(const Error& error, std::string_view instance,
                          std::string_view request_id, int status) {
    const Json problem = problem_json(error, instance, request_id, status);
    return {problem["status"].get<unsigned>(), "application/problem+json", to_text(problem), {}};
}

Error as_error(const std::exception_ptr& caught) {
    try {
        std::rethrow_exception(caught);
    } catch (const Error& error) {
        return error;
    } catch (const std::bad_alloc&) {
        return {Code::resource_exhausted, "coveyd is out of memory"};
    } catch (const std::exception& error) {
        return {Code::internal, fmt::format("unexpected: {}", error.what())};
    } catch (...) {
        return {Code::internal, "unexpected: an unknown exception"};
    }
}

Response error_page(std::string_view code) {
    std::vector<std::string_view> names;
    for (const auto& info : error_table()) {
        if (code_name(info.code) == code) return json_response(page(info));
        names.push_back(code_name(info.code));
    }
    throw Error(Code::not_found,
                fmt::format("no error code '{}'{}", code, did_you_mean(code, names)))
        .with_fix("GET /v1/errors lists every code");
}

Response error_pages() {
    Json items = Json::array();
    for (const auto& info : error_table())
        items.push_back(page(info));
    return json_response({{"items", std::move(items)}});
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Response json_response(const Json& value, unsigned status) {
    // A newline at the end, for people with curl.
    return {status, "application/json", to_text(value) + "\n", {}};
}

}  // namespace covey::daemon
