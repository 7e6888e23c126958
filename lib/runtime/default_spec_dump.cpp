#include "base/json.hpp"
#include "runtime/default_spec.hpp"
#include "runtime/state_codec.hpp"

#include <cstdint>

#include <unistd.h>

namespace covey::runtime {
namespace {

using Json = nlohmann::ordered_json;

Json process() {
    const Json capabilities{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    return {
        {"terminal", true},
        {"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"sh"}},
        {"env",
         {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
        {"cwd", "/"},
        {"capabilities",
         {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
        {"rlimits", Json::array({{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}})},
        {"noNewPrivileges", true},
    };
}

Json mount(const char* destination, const char* type, const char* source, const Json& options) {
    Json json{{"destination", destination}, {"type", type}, {"source", source}};
    if (!options.empty()) json["options"] = options;
    return json;
}

Json mounts(bool rootless) {
    Json pts{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (!rootless) pts.push_back("gid=5");  // the tty group, which one mapped id does not reach
    const Json sys =
        rootless ? mount("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"})
                 : mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"});
    return {
        mount("/proc", "proc", "proc", Json::array()),
        mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
        mount("/dev/pts", "devpts", "devpts", pts),
        mount("/dev/shm", "tmpfs", "shm",
              {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
        mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
        sys,
        mount("/sys/fs/cgroup", "cgroup", "cgroup",
              {"nosuid", "noexec", "nodev", "relatime", "ro"}),
    };
}

Json one_id(std::uint32_t host) {
    return Json::array({{{"containerID", 0}, {"hostID", host}, {"size", 1}}});
}

Json linux_part(bool rootless) {
    Json json;
    if (rootless) {
        json["uidMappings"] = one_id(::geteuid());
        json["gidMappings"] = one_id(::getegid());
    } else {
        json["resources"]["devices"] = Json::array({{{"allow", false}, {"access", "rwm"}}});
    }
    auto namespaces = Json::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"})
        if (std::string_view{type} == "network" ? !rootless
                                                : std::string_view{type} != "user" || rootless)
            namespaces.push_back({{"type", type}});
    json["namespaces"] = namespaces;
    json["maskedPaths"] = {"/proc/acpi",        "/proc/asound",        "/proc/kcore",
                           "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
                           "/proc/timer_stats", "/proc/sched_debug",   "/sys/firmware",
                           "/proc/scsi"};
    json["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                             "/proc/sysrq-trigger"};
    return json;
}

}  // namespace

std::string default_spec(bool rootless) {
    const Json json{
        {"ociVersion", kOciVersion},
        {"process", process()},
        {"root", {{"path", "rootfs"}, {"readonly", true}}},
        {"hostname", "covey"},
        {"mounts", mounts(rootless)},
        {"linux", linux_part(rootless)},
    };
    return json.dump(1, '\t') + "\n";
}

}  // namespace covey::runtime
