#include "base/text.hpp"
#include "covey/error.hpp"
#include "ctl/default_spec.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace covey::ctl {
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
    const std::vector<std::string> capabilities(kDefaultCapabilities.begin(),
                                                kDefaultCapabilities.end());
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
        // su and sudo shall work in a container, as they do with every engine's default.
        {"noNewPrivileges", false}};
}

Json linux_part() {
    Json namespaces = Json::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
        namespaces.push_back({{"type", type}});
    return {{"namespaces", namespaces},
            {"maskedPaths",
             {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
              "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
              "/proc/scsi"}},
            {"readonlyPaths",
             {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
}

Error bad_mount(std::string_view text, std::string_view why) {
    return Error(Code::invalid_argument, fmt::format("--mount '{}': {}", text, why))
        .with_fix(
            "--mount type=bind,src=/host/path,dst=/container/path,ro   or type=tmpfs,dst=/path");
}

void check_mount(const ExtraMount& mount, std::string_view text) {
    if (mount.type != "bind" && mount.type != "tmpfs")
        throw bad_mount(text, fmt::format("type '{}' is neither bind nor tmpfs", mount.type));
    if (!mount.destination.starts_with('/')) throw bad_mount(text, "dst= must be an absolute path");
    if (mount.type == "bind" && !mount.source.starts_with('/'))
        throw bad_mount(text, "src= must be an absolute path");
    if (mount.type == "tmpfs" && !mount.source.empty())
        throw bad_mount(text, "a tmpfs has no src=");
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
                        {"linux", linux_part()}};
    // A command line may hold any bytes; JSON may not.
    try {
        return document.dump(2) + "\n";
    } catch (const Json::type_error&) {
        throw Error(Code::invalid_argument, "the command, its environment or a path is not UTF-8")
            .with_fix("write a bundle of your own and use --bundle");
    }
}

ExtraMount parse_mount(std::string_view text) {
    static constexpr std::array<std::string_view, 11> kKeys{
        "type", "src",      "source", "dst",  "destination", "target",
        "ro",   "readonly", "rw",     "size", "mode"};
    ExtraMount mount;
    mount.type = "bind";
    for (const std::string_view part : split(text, ',')) {
        const std::size_t equals = part.find('=');
        const std::string_view key = part.substr(0, equals);
        const std::string value{equals == part.npos ? "" : part.substr(equals + 1)};
        if (key == "type") {
            mount.type = value;
        } else if (key == "src" || key == "source") {
            mount.source = value;
        } else if (key == "dst" || key == "destination" || key == "target") {
            mount.destination = value;
        } else if (equals == part.npos && (key == "ro" || key == "readonly" || key == "rw")) {
            mount.options.emplace_back(key == "rw" ? "rw" : "ro");
        } else if (key == "size" || key == "mode") {
            mount.options.emplace_back(part);
        } else {
            throw bad_mount(text, fmt::format("unknown key '{}'{}", key, did_you_mean(key, kKeys)));
        }
    }
    check_mount(mount, text);
    if (mount.type == "bind") mount.options.insert(mount.options.begin(), "rbind");
    if (mount.type == "tmpfs") mount.source = "tmpfs";
    return mount;
}

UserIds parse_user(std::string_view text) {
    const std::size_t colon = text.find(':');
    const auto uid = parse_u32(text.substr(0, colon));
    const auto gid =
        colon == text.npos ? std::optional<std::uint32_t>{0} : parse_u32(text.substr(colon + 1));
    if (!uid || !gid)
        throw Error(Code::invalid_argument, fmt::format("--user '{}' is not UID or UID:GID", text))
            .with_fix("use the numbers in the container's /etc/passwd, as in --user 101:101");
    return {*uid, *gid};
}

}  // namespace covey::ctl
