// What covey-runtime keeps of a container: one record in its folder, which coveyd reads too. Facts
// that were decided once; what changes (is it running, paused, gone) is asked of the kernel each
// time (container_look.hpp). Written first as an intent, before anything exists, so that `delete
// --force` finds what a killed `create` left. Thread rule: values. Do not block.
#pragma once

#include "cgroup/placement.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace covey::core {

/// Its group of the resctrl filesystem (resctrl.hpp).
struct ResctrlPlace {
    std::string group;     // absolute; "": none
    std::string monitor;   // the monitoring group in it, absolute; "": none
    bool is_made = false;  // for it alone: it goes with it
};

constexpr const char* kContainerRecordName = "record.json";  // in its folder

struct ContainerRecord {
    std::string id;
    std::string bundle;        // absolute
    std::string rootfs;        // absolute
    cgroup::Placement cgroup;  // an empty path: it has no group of its own
    /// Groups above it that were made for it (group_parents.hpp).
    std::vector<std::string> made_parents;
    std::string created;  // RFC 3339
    uid_t owner = 0;
    std::map<std::string, std::string> annotations;
    bool systemd_cgroup = false;
    /// The scope that systemd made for it, and whose systemd; "": none.
    std::string systemd_unit;
    bool systemd_user = false;
    ResctrlPlace resctrl;
    bool no_new_keyring = false;
    /// The configuration has such hooks: only then is it read again.
    bool has_poststart = false, has_poststop = false;
    /// The process in the container's Landlock domain that starts its execs (spawner.hpp); 0: none.
    pid_t spawner = 0;
    std::uint64_t spawner_start_time = 0;
    /// 0: an intent, nothing was born yet.
    pid_t pid = 0;
    std::uint64_t start_time = 0;  // clock ticks since boot
};

[[nodiscard]] std::string encode_record(const ContainerRecord& record);
/// Throws Code::internal naming the field that is missing or wrong.
[[nodiscard]] ContainerRecord decode_record(std::string_view body);

}  // namespace covey::core
