#include "runtime/state_codec.hpp"

#include "base/json.hpp"

namespace covey::runtime {
namespace {

using Json = nlohmann::ordered_json;
constexpr auto kReplace = Json::error_handler_t::replace;
constexpr int kIndent = 2;

Json state_json(const ShownState& shown) {
    const auto& record = *shown.record;
    Json json{{"ociVersion", kOciVersion}, {"id", record.id},         {"pid", shown.pid},
              {"status", shown.status},    {"bundle", record.bundle}, {"rootfs", record.rootfs},
              {"created", record.created}};
    if (!record.annotations.empty()) json["annotations"] = record.annotations;
    json["owner"] = shown.owner;
    return json;
}

Json short_state(const core::ContainerRecord& record, std::string_view status, pid_t pid) {
    Json json{{"ociVersion", kOciVersion}, {"id", record.id}, {"status", status}};
    if (pid != 0) json["pid"] = pid;
    json["bundle"] = record.bundle;
    if (!record.annotations.empty()) json["annotations"] = record.annotations;
    return json;
}

}  // namespace

std::string encode_hook_state(const core::ContainerRecord& record, std::string_view status,
                              pid_t pid) {
    return short_state(record, status, pid).dump(-1, ' ', false, kReplace);
}

std::string encode_process_state(const core::ContainerRecord& record, std::string_view status,
                                 pid_t main, pid_t pid, std::string_view metadata) {
    Json json{{"ociVersion", kOciVersion}, {"fds", Json::array({"seccompFd"})}, {"pid", pid}};
    if (!metadata.empty()) json["metadata"] = metadata;
    json["state"] = short_state(record, status, main);
    return json.dump(-1, ' ', false, kReplace);
}

std::string encode_state(const ShownState& shown) {
    return state_json(shown).dump(kIndent, ' ', false, kReplace);
}

std::string encode_list(const std::vector<ShownState>& states) {
    auto list = Json::array();
    for (const auto& shown : states)
        list.push_back(state_json(shown));
    return list.dump(-1, ' ', false, kReplace);
}

}  // namespace covey::runtime
