#include "base/json.hpp"
#include "bundle/default_spec.hpp"
#include "covey/error.hpp"

namespace covey::bundle {
namespace {

using Json = nlohmann::ordered_json;

Json mount(std::string_view destination, std::string_view type, std::string_view source,
           const std::vector<std::string>& options) {
    return {{"destination", std::string{destination}},
            {"type", std::string{type}},
            {"source", std::string{source}},
            {"options", options}};
}

Json standard_mounts() {
    // gid 5 is "tty" in every distribution's base group file.
    return Json::array(
        {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
         mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
         mount("/dev/pts", "devpts", "devpts",
               {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
         mount("/dev/shm", "tmpfs", "shm",
               {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
         mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
         mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
         mount("/sys/fs/cgroup", "cgroup", "cgroup",
               {"nosuid", "noexec", "nodev", "relatime", "ro"})});
}

Json process_part(const SpecWish& wish) {
    const auto& capabilities = wish.capabilities;
    std::vector<std::string> env{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    if (wish.terminal) env.emplace_back("TERM=xterm");
    env.insert(env.end(), wish.env.begin(), wish.env.end());
    return {
        {"terminal", wish.terminal},
        {"user", {{"uid", wish.uid}, {"gid", wish.gid}}},
        {"args", wish.args},
        {"env", env},
        {"cwd", wish.cwd},
        {"capabilities",
         {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
        {"noNewPrivileges", wish.no_new_privileges}};
}

Json linux_part(const SpecWish& wish) {
    Json namespaces = Json::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
        namespaces.push_back({{"type", type}});
    Json part{{"namespaces", namespaces},
              {"maskedPaths",
               {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                "/proc/scsi"}},
              {"readonlyPaths",
               {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
    if (!wish.seccomp.empty()) part["seccomp"] = Json::parse(wish.seccomp);
    return part;
}

}  // namespace

std::string default_spec(const SpecWish& wish) {
    Json mounts = standard_mounts();
    for (const auto& extra : wish.mounts)
        mounts.push_back(mount(extra.destination, extra.type, extra.source, extra.options));
    const Json document{{"ociVersion", "1.2.0"},
                        {"process", process_part(wish)},
                        {"root", {{"path", wish.rootfs}, {"readonly", wish.read_only}}},
                        {"mounts", mounts},
                        {"linux", linux_part(wish)}};
    // A command line may hold any bytes; JSON may not.
    try {
        return document.dump(2) + "\n";
    } catch (const Json::type_error&) {
        throw Error(Code::invalid_argument, "the command, its environment or a path is not UTF-8")
            .with_fix("write a bundle of your own and use --bundle");
    }
}

}  // namespace covey::bundle
