#include "engine/records.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "core/protocol.hpp"
#include "store/record.hpp"
#include "sys/file.hpp"
#include "sys/own_file.hpp"

#include <array>

namespace covey::daemon {
namespace {

using Json = nlohmann::json;

constexpr const char* kRecordName = "record.json";
constexpr std::size_t kLargestFacts = 4U << 20U;

constexpr std::array<std::string_view, 3> kPhaseNames{"creating", "created", "deleting"};
constexpr std::array<std::string_view, 3> kWishNames{"create", "host", "path"};

template <typename Enum, std::size_t N>
std::string name_in(const std::array<std::string_view, N>& names, Enum value) {
    return std::string(names.at(static_cast<std::size_t>(value)));
}
template <typename Enum, std::size_t N>
Enum value_in(const std::array<std::string_view, N>& names, const std::string& name) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == name) return static_cast<Enum>(i);
    throw Error(Code::internal, "record has the unknown word '" + name + "'");
}

spec::PidMode pid_mode_of(const Json& json) {
    const auto mode = spec::pid_mode(json.get<std::string>());
    if (!mode) throw Error(Code::internal, "record has an unknown pid mode");
    return *mode;
}

spec::Access access_of(const Json& json) {
    const auto access = spec::access_of_words(json.get<std::map<std::string, std::string>>());
    if (!access) throw Error(Code::internal, "record has an unknown access");
    return *access;
}

spec::Pid1Signals pid1_signals_of(const Json& json) {
    const auto choice = spec::pid1_signals(json.get<std::string>());
    if (!choice) throw Error(Code::internal, "record has unknown pid1Signals");
    return *choice;
}

Json encode(const std::vector<spec::IdMapping>& maps) {
    Json list = Json::array();
    for (const auto& map : maps)
        list.push_back({map.container_id, map.host_id, map.size});
    return list;
}

std::vector<spec::IdMapping> decode_id_mappings(const Json& list) {
    std::vector<spec::IdMapping> maps;
    for (const auto& entry : list)
        maps.push_back({entry.at(0), entry.at(1), entry.at(2)});
    return maps;
}

Json encode(const core::NamespaceWish& wish) {
    Json json{{"kind", name_in(kWishNames, wish.kind)}, {"path", wish.path}};
    if (!wish.uid_mappings.empty()) json["uidMappings"] = encode(wish.uid_mappings);
    if (!wish.gid_mappings.empty()) json["gidMappings"] = encode(wish.gid_mappings);
    return json;
}

core::NamespaceWish decode_wish(const Json& json) {
    core::NamespaceWish wish{value_in<core::NamespaceWish::Kind>(kWishNames, json.at("kind")),
                             json.at("path")};
    if (json.contains("uidMappings"))
        wish.uid_mappings = decode_id_mappings(json.at("uidMappings"));
    if (json.contains("gidMappings"))
        wish.gid_mappings = decode_id_mappings(json.at("gidMappings"));
    return wish;
}

Json encode(const CreateSandboxAction& request) {
    Json wishes = Json::object();
    for (const auto& [type, wish] : request.namespaces)
        wishes[type] = encode(wish);
    return {{"id", request.id},
            {"hostname", request.hostname},
            {"pidMode", spec::pid_mode_name(request.pid_mode)},
            {"access", spec::access_words(request.access)},
            {"pid1Signals", spec::pid1_signals_name(request.pid1_signals)},
            {"namespaces", std::move(wishes)},
            {"sysctls", request.sysctls},
            {"cgroupParent", request.cgroup_parent},
            {"labels", request.labels},
            {"annotations", request.annotations}};
}

CreateSandboxAction decode_sandbox_request(const Json& json) {
    CreateSandboxAction request;
    request.id = json.at("id");
    request.hostname = json.at("hostname");
    request.pid_mode = pid_mode_of(json.at("pidMode"));
    if (json.contains("access")) request.access = access_of(json.at("access"));
    if (json.contains("pid1Signals"))
        request.pid1_signals = pid1_signals_of(json.at("pid1Signals"));
    for (const auto& [type, wish] : json.at("namespaces").items())
        request.namespaces[type] = decode_wish(wish);
    request.sysctls = json.at("sysctls").get<StringMap>();
    request.cgroup_parent = json.at("cgroupParent");
    request.labels = json.at("labels").get<StringMap>();
    request.annotations = json.at("annotations").get<StringMap>();
    return request;
}

Json encode(const DebugTerms& terms) {
    return {{"profile", name_in(kDebugProfiles, terms.profile)},
            {"target", terms.target},
            {"tools", terms.tools},
            {"remove", terms.remove},
            {"holds", terms.holds},
            {"expiresAt", terms.expires_at}};
}

DebugTerms decode_debug_terms(const Json& json) {
    return {value_in<DebugProfile>(kDebugProfiles, json.at("profile")),
            json.at("target"),
            json.at("tools"),
            json.at("remove"),
            json.at("holds"),
            json.at("expiresAt")};
}

Json encode(const CreateContainerAction& request) {
    Json json{{"id", request.id},
              {"sandbox", request.sandbox},
              {"bundle", request.bundle},
              {"addCapabilities", request.add_capabilities},
              {"dropCapabilities", request.drop_capabilities},
              {"stdio",
               {{"in", request.stdio.in}, {"out", request.stdio.out}, {"err", request.stdio.err}}},
              {"labels", request.labels}};
    if (request.access) json["access"] = spec::access_words(*request.access);
    if (request.pid1_signals) json["pid1Signals"] = spec::pid1_signals_name(*request.pid1_signals);
    if (request.debug) json["debug"] = encode(*request.debug);
    if (!request.target.empty()) json["target"] = request.target;
    if (!request.seccomp.empty()) json["seccomp"] = request.seccomp;
    if (request.pid_mode) json["pidMode"] = spec::pid_mode_name(*request.pid_mode);
    return json;
}

CreateContainerAction decode_container_request(const Json& json) {
    CreateContainerAction request;
    request.id = json.at("id");
    request.sandbox = json.at("sandbox");
    request.bundle = json.at("bundle");
    if (json.contains("pidMode")) request.pid_mode = pid_mode_of(json.at("pidMode"));
    if (json.contains("access")) request.access = access_of(json.at("access"));
    // Of a daemon that knew only this: the same request again must find it equal.
    request.pid1_signals = json.contains("pid1Signals") ? pid1_signals_of(json.at("pid1Signals"))
                                                        : spec::Pid1Signals::ignore;
    request.target = json.value("target", std::string{});
    if (json.contains("debug")) request.debug = decode_debug_terms(json.at("debug"));
    request.add_capabilities = json.at("addCapabilities");
    request.drop_capabilities = json.at("dropCapabilities");
    const auto& stdio = json.at("stdio");
    request.stdio = {stdio.at("in"), stdio.at("out"), stdio.at("err")};
    if (json.contains("seccomp")) request.seccomp = json.at("seccomp");
    request.labels = json.at("labels").get<StringMap>();
    return request;
}

SandboxRecord decode_sandbox_record(const Json& json) {
    SandboxRecord record;
    record.phase = value_in<Phase>(kPhaseNames, json.at("phase"));
    record.request = decode_sandbox_request(json.at("request"));
    record.shim_pid = json.at("shimPid");
    record.shim_start_time = json.at("shimStartTime");
    if (json.contains("lastFacts"))
        record.last_facts = core::decode_sandbox_facts(json.at("lastFacts").dump());
    return record;
}

ContainerRecord decode_container_record(const Json& json) {
    ContainerRecord record;
    record.phase = value_in<Phase>(kPhaseNames, json.at("phase"));
    record.request = decode_container_request(json.at("request"));
    if (json.contains("lastFacts"))
        record.last_facts = core::decode_container_facts(json.at("lastFacts").dump());
    return record;
}

template <typename Record, typename Decode>
ReadRecord<Record> read(FdRef folder, const std::string& boot_id, Decode decode) {
    auto found = store::read_record(folder, kRecordName, boot_id);
    using store::RecordState;
    if (found.state == RecordState::absent) return {{}, Unread::absent, std::move(found.problem)};
    if (found.state == RecordState::foreign_boot)
        return {{}, Unread::foreign_boot, std::move(found.problem)};
    if (found.state != RecordState::valid) return {{}, Unread::unusable, std::move(found.problem)};
    try {
        return {decode(Json::parse(found.body)), Unread::absent, {}};
    } catch (const std::exception& error) {
        return {{}, Unread::unusable, error.what()};
    }
}

template <typename Decode>
auto read_facts(FdRef folder, const char* name, Decode decode)
    -> std::optional<decltype(decode(std::string_view{}))> {
    const auto text = sys::read_own_file_at(folder, name, kLargestFacts);
    if (!text) return {};
    try {
        return decode(text.value());
    } catch (const Error& error) {
        log::warning("unreadable file of a shim", {{"file", name}, {"problem", error.detail()}});
        return {};
    }
}

}  // namespace

void write_sandbox_record(FdRef folder, const SandboxRecord& record, const std::string& boot_id) {
    Json json{{"phase", name_in(kPhaseNames, record.phase)},
              {"request", encode(record.request)},
              {"shimPid", record.shim_pid},
              {"shimStartTime", record.shim_start_time}};
    if (record.last_facts) json["lastFacts"] = Json::parse(core::encode_facts(*record.last_facts));
    store::write_record(folder, kRecordName, json.dump(), boot_id);
}

void write_container_record(FdRef folder, const ContainerRecord& record,
                            const std::string& boot_id) {
    Json json{{"phase", name_in(kPhaseNames, record.phase)}, {"request", encode(record.request)}};
    if (record.last_facts) json["lastFacts"] = Json::parse(core::encode_facts(*record.last_facts));
    store::write_record(folder, kRecordName, json.dump(), boot_id);
}

ReadRecord<SandboxRecord> read_sandbox_record(FdRef folder, const std::string& boot_id) {
    return read<SandboxRecord>(folder, boot_id, decode_sandbox_record);
}

ReadRecord<ContainerRecord> read_container_record(FdRef folder, const std::string& boot_id) {
    return read<ContainerRecord>(folder, boot_id, decode_container_record);
}

void remove_half_written(FdRef folder) {
    const auto names = sys::list_dir(folder);
    if (!names) return;
    for (const auto& name : names.value())  // as sys::replace_file_at names them
        if (name.starts_with("record.json.tmp") || name.starts_with("events.ndjson.tmp"))
            (void)sys::unlink_at(folder, name);
}

std::optional<core::SandboxFacts> read_sandbox_facts(FdRef folder) {
    return read_facts(folder, "sandbox.json",
                      [](std::string_view text) { return core::decode_sandbox_facts(text); });
}

std::optional<core::ContainerFacts> read_container_facts(FdRef folder) {
    return read_facts(folder, "container.json",
                      [](std::string_view text) { return core::decode_container_facts(text); });
}

}  // namespace covey::daemon
