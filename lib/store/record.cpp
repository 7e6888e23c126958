#include "store/record.hpp"

#include "base/json.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/own_file.hpp"

#include <cerrno>

namespace covey::store {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargestRecord = 4U << 20U;

Json parse(std::string_view text) {
    return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

bool is_full(int error) noexcept {
    return error == ENOSPC || error == EDQUOT;
}

RecordResult damaged(const std::string& name, const std::string& what) {
    return {RecordState::damaged, "", "record " + name + " " + what};
}

RecordResult judge(const Json& record, const std::string& name, std::string_view boot_id) {
    if (record.is_discarded() || !record.is_object())
        return damaged(name, "is not a JSON object (half-written, or not Covey's)");
    const auto schema = record.find("schema");
    if (schema == record.end() || !schema->is_number_integer())
        return damaged(name, "has no schema number");
    if (const auto number = schema->get<std::int64_t>(); number > kRecordSchema)
        return {RecordState::newer_schema, "",
                "record " + name + " has schema " + std::to_string(number) +
                    ", this Covey reads up to " + std::to_string(kRecordSchema)};
    const auto boot = record.find("bootId");
    const auto body = record.find("body");
    if (boot == record.end() || !boot->is_string()) return damaged(name, "has no boot id");
    if (body == record.end() || !body->is_object()) return damaged(name, "has no body");
    std::string text = body->dump(-1, ' ', false, Json::error_handler_t::replace);
    if (boot->get_ref<const std::string&>() != boot_id)
        return {RecordState::foreign_boot, std::move(text),
                "record " + name + " is of an earlier boot"};
    return {RecordState::valid, std::move(text), ""};
}

}  // namespace

void write_record(FdRef folder, const std::string& name, std::string_view body,
                  std::string_view boot_id) {
    Json parsed = parse(body);
    if (parsed.is_discarded() || !parsed.is_object())
        throw Error(Code::invalid_argument, "body of record " + name + " is not a JSON object");
    const Json record{{"schema", kRecordSchema}, {"bootId", boot_id}, {"body", std::move(parsed)}};
    const auto text = record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    const auto written = sys::replace_file_at(folder, name, text, 0600);
    if (written) return;
    const auto path = sys::readlink_at(sys::kCwd, sys::fd_path(folder));
    auto error =
        Error::from_errno(written.error(), "write record", path ? path.value() + "/" + name : name);
    if (is_full(written.error()))
        error.set_fix("make room on the filesystem of the state folder: df -h " +
                      (path ? path.value() : std::string{}));
    throw Error(error);
}

RecordResult read_record(FdRef folder, const std::string& name, std::string_view boot_id) {
    const auto text = sys::read_own_file_at(folder, name, kLargestRecord);
    if (text) return judge(parse(text.value()), name, boot_id);
    switch (text.error()) {
        case ENOENT:
            return {RecordState::absent, "", "there is no record " + name};
        case EFBIG:
            return damaged(name, "is larger than any of ours");
        case EISDIR:
        case EINVAL:
        case ELOOP:
            return damaged(name, "is " + std::string{sys::kind_of_file(folder, name)} +
                                     ", not a regular file");
        default:
            throw Error::from_errno(text.error(), "read record", name);
    }
}

}  // namespace covey::store
