#include "api/stream_codec.hpp"

#include "api/container_codec.hpp"
#include "api/error_codec.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kContentTypes{
    std::pair{StreamForm::raw, std::string_view{"application/octet-stream"}},
    std::pair{StreamForm::frames, std::string_view{"application/vnd.docker.multiplexed-stream"}},
    std::pair{StreamForm::lines, std::string_view{"application/x-ndjson"}},
};
constexpr std::uint8_t kProblemFrame = 3;

/// [stream, 0, 0, 0, length big-endian] and the data, as Docker's stdcopy has it.
std::string frame(std::uint8_t stream, std::string_view data) {
    const auto size = static_cast<std::uint32_t>(data.size());
    std::string result{static_cast<char>(stream), 0, 0, 0};
    for (const unsigned shift : {24U, 16U, 8U, 0U})
        result += static_cast<char>((size >> shift) & 0xFFU);
    result += data;
    return result;
}

std::string base64(std::string_view data) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    result.reserve((data.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < data.size(); i += 3) {
        std::uint32_t group = 0;
        const std::size_t count = std::min<std::size_t>(3, data.size() - i);
        for (std::size_t k = 0; k < 3; ++k)
            group = (group << 8U) | (k < count ? static_cast<unsigned char>(data[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            result += k <= count ? kDigits[(group >> (18 - 6 * k)) & 63U] : '=';
    }
    return result;
}

}  // namespace

StreamForm stream_form(std::string_view accept) {
    for (auto part : split(accept, ',')) {
        const auto type = trim(part.substr(0, part.find(';')));
        for (const auto& [form, name] : kContentTypes)
            if (type == name) return form;
    }
    return StreamForm::raw;
}

std::string_view content_type(StreamForm form) noexcept {
    for (const auto& [value, name] : kContentTypes)
        if (value == form) return name;
    return kContentTypes.front().second;
}

std::string encode_output(StreamForm form, OutputStream stream, std::string_view data) {
    switch (form) {
        case StreamForm::raw:
            return std::string{data};
        case StreamForm::frames:
            return frame(static_cast<std::uint8_t>(stream), data);
        case StreamForm::lines:
            return fmt::format("{{\"stream\":\"{}\",\"data\":\"{}\"}}\n",
                               stream == OutputStream::out ? "stdout" : "stderr", base64(data));
    }
    return {};
}

std::string encode_exit(StreamForm form, const core::ExitRecord& exit) {
    if (form != StreamForm::lines) return {};
    return to_text(Json{{"exit", exit_json(exit)}}) + "\n";
}

std::string encode_problem(StreamForm form, const Error& error, std::string_view instance,
                           std::string_view request_id) {
    const Json problem = problem_json(error, instance, request_id);
    switch (form) {
        case StreamForm::raw:
            return {};
        case StreamForm::frames:
            return frame(kProblemFrame, to_text(problem));
        case StreamForm::lines:
            return to_text(Json{{"problem", problem}}) + "\n";
    }
    return {};
}

}  // namespace covey::daemon
