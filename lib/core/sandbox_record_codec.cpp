#include "base/json.hpp"
#include "core/json_fields.hpp"
#include "core/sandbox_state.hpp"
#include "store/record.hpp"
#include "sys/proc.hpp"

namespace covey::core {
namespace {

constexpr const char* kFile = "record.json";

}  // namespace

void write_sandbox_record(FdRef folder, const SandboxRecord& record) {
    const Json json{{"cgroup", text_json(record.cgroup)},
                    {"shimPid", record.shim_pid},
                    {"shimStartTime", record.shim_start_time}};
    store::write_record(folder, kFile, dump(json), sys::boot_id().or_throw("read", "boot id"));
}

SandboxRecord read_sandbox_record(FdRef folder) {
    const auto found =
        store::read_record(folder, kFile, sys::boot_id().or_throw("read", "boot id"));
    if (found.state != store::RecordState::valid) return {};
    const Json json = parse_object(found.body, kFile);
    Fields fields{json, ""};
    return {fields.text("cgroup"), fields.number<pid_t>("shimPid"),
            fields.number<std::uint64_t>("shimStartTime")};
}

}  // namespace covey::core
