#include "sys/proc.hpp"

#include "base/text.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include <linux/magic.h>

namespace covey::sys {
namespace {

constexpr std::size_t kLargestFile = 64U << 10U;

std::string path_of(pid_t pid, std::string_view file) {
    return std::to_string(pid).append("/").append(file);
}

std::uint64_t hex(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> result;
    std::size_t at = 0;
    while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
        const auto end = std::min(text.find_first_of(" \t\n", at), text.size());
        result.push_back(text.substr(at, end - at));
        at = end;
    }
    return result;
}

constexpr std::array<std::string_view, 10> kStatusKeys{
    "Tgid",   "TracerPid", "Uid",        "Gid",     "CapEff",
    "CapPrm", "CapBnd",    "NoNewPrivs", "Seccomp", "NSpid"};

template <typename Id>
void take_ids(std::array<Id, 4>& ids, const std::vector<std::string_view>& values) {
    for (std::size_t i = 0; i < ids.size() && i < values.size(); ++i)
        ids.at(i) = parse_u32(values[i]).value_or(0);
}

void take_status_line(ProcessStatus& status, std::string_view key,
                      const std::vector<std::string_view>& values) {
    if (key == "Tgid") status.tgid = static_cast<pid_t>(parse_u32(values[0]).value_or(0));
    if (key == "TracerPid") status.tracer = static_cast<pid_t>(parse_u32(values[0]).value_or(0));
    if (key == "Uid") take_ids(status.uids, values);
    if (key == "Gid") take_ids(status.gids, values);
    status.uid = status.uids[1];
    status.gid = status.gids[1];
    if (key == "CapEff") status.cap_effective = hex(values[0]);
    if (key == "CapPrm") status.cap_permitted = hex(values[0]);
    if (key == "CapBnd") status.cap_bounding = hex(values[0]);
    if (key == "NoNewPrivs") status.no_new_privs = values[0] == "1";
    if (key == "Seccomp") status.seccomp = static_cast<int>(parse_u32(values[0]).value_or(0));
    if (key == "NSpid")
        for (const auto value : values)
            status.ns_pids.push_back(static_cast<pid_t>(parse_u32(value).value_or(0)));
}

}  // namespace

Result<UniqueFd> open_proc() {
    auto proc = open_dir("/proc");
    if (!proc) return proc;
    const auto magic = filesystem_magic(proc.value());
    if (!magic) return Errno{magic.error()};
    if (magic.value() != PROC_SUPER_MAGIC) return Errno{ENODEV};
    return proc;
}

Result<ProcessStat> parse_stat(std::string_view text) {
    // comm may hold spaces and parentheses: it ends at the last ')'.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
        return Errno{EBADMSG};
    const auto fields = words(text.substr(close + 1));
    constexpr std::size_t kState = 0, kPpid = 1, kFlags = 6, kUtime = 11, kStime = 12,
                          kThreads = 17, kStart = 19, kRss = 21, kExitCode = 49;
    if (fields.size() <= kRss) return Errno{EBADMSG};
    ProcessStat stat;
    stat.comm = std::string{text.substr(open + 1, close - open - 1)};
    stat.state = fields[kState].front();
    stat.ppid = static_cast<pid_t>(parse_u32(fields[kPpid]).value_or(0));
    constexpr std::uint64_t kExiting = 4, kForkNoExec = 0x40;  // PF_EXITING, PF_FORKNOEXEC
    const auto flags = parse_u64(fields[kFlags]).value_or(0);
    stat.is_exiting = (flags & kExiting) != 0;
    stat.has_executed = (flags & kForkNoExec) == 0;
    stat.cpu_ticks = parse_u64(fields[kUtime]).value_or(0) + parse_u64(fields[kStime]).value_or(0);
    stat.threads = parse_u32(fields[kThreads]).value_or(1);
    stat.start_time = parse_u64(fields[kStart]).value_or(0);
    stat.rss_pages = parse_u64(fields[kRss]).value_or(0);
    if (fields.size() > kExitCode)
        stat.exit_code = static_cast<int>(parse_u32(fields[kExitCode]).value_or(0));
    return stat;
}

Result<ProcessStat> read_stat(FdRef proc, pid_t pid) {
    const auto text = read_file_at(proc, path_of(pid, "stat"), kLargestFile);
    if (!text) return Errno{text.error()};
    return parse_stat(text.value());
}

bool is_ending(FdRef proc, pid_t pid) {
    const auto first = read_stat(proc, pid);
    if (!first) return first.error() == ENOENT || first.error() == ESRCH;
    if (!first.value().is_exiting) return false;
    const auto threads = open_dir_at(proc, path_of(pid, "task"));
    if (!threads) return threads.error() == ENOENT;
    const auto numbers = list_processes(threads.value());
    return numbers &&
           std::all_of(numbers.value().begin(), numbers.value().end(), [&](pid_t thread) {
               const auto stat = read_stat(threads.value(), thread);
               return !stat || stat.value().is_exiting;
           });
}

Result<ProcessStatus> parse_status(std::string_view text) {
    ProcessStatus status;
    for (const auto line : split(text, '\n')) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const auto key = line.substr(0, colon);
        // Most of the sixty lines are of no interest: they are not taken apart.
        if (std::find(kStatusKeys.begin(), kStatusKeys.end(), key) == kStatusKeys.end()) continue;
        const auto values = words(line.substr(colon + 1));
        if (!values.empty()) take_status_line(status, key, values);
    }
    if (status.ns_pids.empty()) return Errno{EBADMSG};
    return status;
}

Result<ProcessStatus> read_status(FdRef proc, pid_t pid) {
    const auto text = read_file_at(proc, path_of(pid, "status"), kLargestFile);
    if (!text) return Errno{text.error()};
    return parse_status(text.value());
}

Result<std::vector<std::string>> read_cmdline(FdRef proc, pid_t pid) {
    const auto text = read_file_at(proc, path_of(pid, "cmdline"), kLargestFile);
    if (!text) return Errno{text.error()};
    std::vector<std::string> args;
    std::string_view rest = text.value();
    // A process that rewrote its title may leave a run of NULs behind it.
    while (!rest.empty() && rest.back() == '\0')
        rest.remove_suffix(1);
    if (rest.empty()) return args;
    for (const auto part : split(rest, '\0'))
        args.emplace_back(part);
    return args;
}

Result<std::vector<pid_t>> list_processes(FdRef proc) {
    const auto names = list_dir(proc);
    if (!names) return Errno{names.error()};
    std::vector<pid_t> pids;
    for (const auto& name : names.value())
        if (const auto pid = parse_u32(name)) pids.push_back(static_cast<pid_t>(*pid));
    std::sort(pids.begin(), pids.end());
    return pids;
}

Result<std::string> boot_id() {
    const auto text = read_file("/proc/sys/kernel/random/boot_id");
    if (!text) return Errno{text.error()};
    return std::string{trim(text.value())};
}

}  // namespace covey::sys
