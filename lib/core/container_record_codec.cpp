#include "base/json.hpp"
#include "core/container_record.hpp"
#include "covey/error.hpp"

namespace covey::core {
namespace {

using RecordJson = nlohmann::json;

template <typename T>
void read(const RecordJson& json, const char* key, T& out) {
    const auto found = json.find(key);
    try {
        if (found != json.end()) return found->get_to(out), void();
    } catch (const RecordJson::exception&) {
        // Said below, with the field's name.
    }
    throw Error(Code::internal,
                std::string{"the container's record has no good field '"} + key + "'")
        .with_fix("delete --force the container");
}

}  // namespace

std::string encode_record(const ContainerRecord& record) {
    const RecordJson json{
        {"id", record.id},
        {"bundle", record.bundle},
        {"rootfs", record.rootfs},
        {"cgroup", record.cgroup.path},
        {"cgroupV1Paths", record.cgroup.v1_paths},
        {"madeParents", record.made_parents},
        {"created", record.created},
        {"owner", record.owner},
        {"annotations", record.annotations},
        {"systemdCgroup", record.systemd_cgroup},
        {"systemdUnit", record.systemd_unit},
        {"systemdUser", record.systemd_user},
        {"resctrlGroup", record.resctrl.group},
        {"resctrlMonitor", record.resctrl.monitor},
        {"resctrlMade", record.resctrl.is_made},
        {"noNewKeyring", record.no_new_keyring},
        {"hasPoststart", record.has_poststart},
        {"hasPoststop", record.has_poststop},
        {"spawner", record.spawner},
        {"spawnerStartTime", record.spawner_start_time},
        {"pid", record.pid},
        {"startTime", record.start_time},
    };
    return json.dump(-1, ' ', false, RecordJson::error_handler_t::replace);
}

ContainerRecord decode_record(std::string_view body) {
    const auto json = RecordJson::parse(body, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) throw Error(Code::internal, "the container's record is no JSON object");
    ContainerRecord record;
    read(json, "id", record.id);
    read(json, "bundle", record.bundle);
    read(json, "rootfs", record.rootfs);
    read(json, "cgroup", record.cgroup.path);
    read(json, "cgroupV1Paths", record.cgroup.v1_paths);
    // Not in the records of the first versions.
    if (json.contains("madeParents")) read(json, "madeParents", record.made_parents);
    read(json, "created", record.created);
    read(json, "owner", record.owner);
    read(json, "annotations", record.annotations);
    read(json, "systemdCgroup", record.systemd_cgroup);
    // Younger than the rest: a record without them is of an older version.
    record.systemd_unit = json.value("systemdUnit", "");
    record.systemd_user = json.value("systemdUser", false);
    record.spawner = json.value("spawner", pid_t{0});
    record.spawner_start_time = json.value("spawnerStartTime", std::uint64_t{0});
    record.resctrl.group = json.value("resctrlGroup", "");
    record.resctrl.monitor = json.value("resctrlMonitor", "");
    record.resctrl.is_made = json.value("resctrlMade", false);
    read(json, "noNewKeyring", record.no_new_keyring);
    read(json, "hasPoststart", record.has_poststart);
    read(json, "hasPoststop", record.has_poststop);
    read(json, "pid", record.pid);
    read(json, "startTime", record.start_time);
    return record;
}

}  // namespace covey::core
