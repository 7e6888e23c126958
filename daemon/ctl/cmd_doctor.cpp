// covey doctor: can this host run pods, and what to do if not. coveyd checks the host (GET
// /v1/info); without it the command says what it sees itself, and what it cannot know.
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/report.hpp"
#include "ctl/terminal.hpp"
#include "ctl/text_safety.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace covey::ctl {
namespace {

constexpr std::uint64_t kCgroup2Magic = 0x63677270;  // CGROUP2_SUPER_MAGIC of linux/magic.h
constexpr int kFloorMajor = 5, kFloorMinor = 14;     // cgroup.kill

CheckAnswer kernel_check() {
    utsname names{};
    ::uname(&names);
    int major = 0, minor = 0;
    const bool known = std::sscanf(names.release, "%d.%d", &major, &minor) == 2;
    const bool enough =
        known && (major > kFloorMajor || (major == kFloorMajor && minor >= kFloorMinor));
    return {"kernel", enough ? "ok" : "failure",
            fmt::format("Linux {}, needed is {}.{}", names.release, kFloorMajor, kFloorMinor),
            enough ? "" : "boot a newer kernel: cgroup.kill came with 5.14"};
}

CheckAnswer cgroup_check() {
    for (const std::string path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        const auto folder = sys::open_dir(path);
        if (!folder) continue;
        const auto magic = sys::filesystem_magic(folder.value());
        if (magic && magic.value() == kCgroup2Magic)
            return {"cgroup.v2", "ok", "mounted at " + path, ""};
    }
    return {"cgroup.v2", "warning", "no cgroup v2 tree below /sys/fs/cgroup",
            "mount one: mount -t cgroup2 none /sys/fs/cgroup/unified"};
}

CheckAnswer rights_check() {
    const bool root = ::geteuid() == 0;
    return {"rights", root ? "ok" : "warning", root ? "you are root" : "you are not root",
            root ? "" : "coveyd needs root; the covey command the right to open its socket"};
}

/// What can be seen from here, and that this is not all.
InfoAnswer look_around(const Error& why) {
    InfoAnswer info;
    info.checks = {
        {"coveyd", "failure", why.detail(), why.fix()},
        kernel_check(),
        cgroup_check(),
        rights_check(),
        {"the rest", "warning",
         "namespaces, cgroup controllers, limits, seccomp and capabilities are coveyd's to try",
         "start coveyd and run covey doctor again"}};
    return info;
}

std::string status_word(const std::string& status, bool color) {
    struct Look {
        const char *status, *word, *code;
    };
    static constexpr std::array<Look, 3> kLooks{
        {{"ok", "ok  ", "32"}, {"warning", "warn", "33"}, {"failure", "fail", "31"}}};
    for (const Look& look : kLooks)
        if (status == look.status)
            return color ? fmt::format("\033[{}m{}\033[0m", look.code, look.word) : look.word;
    return printable(status);
}

void print_checks(const InfoAnswer& info) {
    const bool color = wants_color(FdRef{STDOUT_FILENO});
    std::size_t widest = 0;
    for (const auto& check : info.checks)
        widest = std::max(widest, display_width(check.name));
    for (const auto& check : info.checks) {
        const std::string padding(widest - display_width(check.name), ' ');
        print(fmt::format("{}  {}{}  {}\n", status_word(check.status, color), printable(check.name),
                          padding, printable(check.detail)));
        if (!check.fix.empty()) print(fmt::format("{:6}fix: {}\n", "", printable(check.fix)));
    }
}

bool has_failure(const InfoAnswer& info) {
    return std::any_of(info.checks.begin(), info.checks.end(),
                       [](const CheckAnswer& check) { return check.status == "failure"; });
}

int doctor(const Session& session) {
    std::optional<std::string> answer;
    try {
        answer = session.ask({"GET", "/v1/info", "", "", false});
        if (!answer) return 0;
    } catch (const Error& error) {
        // As JSON there is only what coveyd says.
        if (error.code() != Code::unavailable || session.settings.format == Format::json) throw;
        print_checks(look_around(error));
        return kExitError;
    }
    InfoAnswer info = decode_info(*answer);
    if (session.settings.format == Format::json) {
        print(pretty_json(*answer) + "\n");
    } else {
        info.checks.insert(info.checks.begin(),
                           {"coveyd", "ok", "answers at " + session.settings.socket, ""});
        print_checks(info);
    }
    return has_failure(info) ? kExitError : 0;
}

}  // namespace

void add_doctor(const Options& app, Session& session) {
    app.command("doctor", "Check whether this host can run pods, and say what to fix")
        .chosen([&session] { session.chosen = [&session] { return doctor(session); }; });
}

}  // namespace covey::ctl
