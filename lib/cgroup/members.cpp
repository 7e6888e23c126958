#include "cgroup/members.hpp"

#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "cgroup/walk.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include <fcntl.h>

namespace covey::cgroup {
namespace {

constexpr std::size_t kAtOnce = 64;  // pidfds
constexpr std::size_t kThreadsLimit = 64U << 20U;

bool is_exhausted(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/// A threaded group tells its threads only, and a number that is a thread's opens no pidfd.
std::vector<pid_t> processes_of_threads(FdRef group) {
    std::vector<pid_t> pids;
    const auto text = sys::read_file_at(group, "cgroup.threads", kThreadsLimit);
    if (!text) return pids;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto line : split(text.value(), '\n')) {
        const auto thread = parse_u32(line);
        if (!thread || *thread == 0) continue;
        const auto status = sys::read_status(proc, static_cast<pid_t>(*thread));
        if (status) pids.push_back(status.value().tgid);
    }
    return pids;
}

/// Sorted, each once, and only those that can be seen from here.
std::vector<pid_t> members_of(FdRef group) {
    auto pids = listed_processes(group);
    if (pids.empty() && read_control(group, "cgroup.type") == "threaded")
        pids = processes_of_threads(group);
    std::erase(pids, 0);
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
}

using Opened = std::vector<std::pair<pid_t, UniqueFd>>;

/// Of the first `kAtOnce` that are not in `told`, which they come into; who has ended by now is
/// passed over. Adds nobody when there are no descriptors.
Opened open_some(const std::vector<pid_t>& pids, std::set<pid_t>& told, const Spares& spares) {
    Opened opened;
    std::size_t looked_at = 0;
    for (const pid_t pid : pids) {
        if (looked_at == kAtOnce) break;
        if (told.contains(pid) || (spares && spares(pid))) continue;
        auto process = sys::pidfd_open(pid);
        if (!process && is_exhausted(process.error())) {
            if (!opened.empty()) break;  // those first
            throw Error::from_errno(process.error(), "open process", std::to_string(pid));
        }
        ++looked_at;
        told.insert(pid);
        if (process) opened.emplace_back(pid, std::move(process).value());
    }
    return opened;
}

std::string escaped(std::string_view name) {
    std::string text;
    for (const char letter : name) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte < 0x20 || byte >= 0x7f || letter == '\\')
            text += fmt::format("\\x{:02x}", byte);
        else
            text += letter;
    }
    return text;
}

/// The first thread that has not ended: it is what keeps the process.
pid_t living_thread(FdRef proc, pid_t pid) {
    constexpr std::size_t kMostLooks = 64;
    const auto folder = sys::open_at(proc, fmt::format("{}/task", pid), O_RDONLY | O_DIRECTORY);
    if (!folder) return pid;
    std::size_t looks = 0;
    for (const auto& name : sys::list_dir(folder.value()).value_or({})) {
        const auto thread = static_cast<pid_t>(parse_u32(name).value_or(0));
        const auto stat = sys::read_stat(folder.value(), thread);
        if (stat && stat.value().state != 'Z' && stat.value().state != 'X') return thread;
        if (++looks == kMostLooks) break;
    }
    return pid;
}

}  // namespace

bool signal_some(FdRef group, int signal, std::set<pid_t>& told, const Spares& spares) {
    const auto pids = members_of(group);
    const auto before = told.size();
    const auto opened = open_some(pids, told, spares);
    if (told.size() == before) return false;
    const auto now = members_of(group);
    for (const auto& [pid, process] : opened) {
        if (!std::binary_search(now.begin(), now.end(), pid)) continue;
        const auto sent = sys::pidfd_send_signal(process, signal);
        if (!sent && sent.error() != ESRCH) sent.or_throw("signal process", std::to_string(pid));
    }
    return true;
}

std::string describe_process(pid_t pid) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto leader = sys::read_stat(proc, pid);
    if (!leader) return {};
    const auto thread = living_thread(proc, pid);
    const auto folder = fmt::format("{}/task/{}", pid, thread);
    const auto task = sys::open_dir_at(proc, fmt::format("{}/task", pid));
    const auto stat = task ? sys::read_stat(task.value(), thread) : leader;
    auto text = fmt::format("process {} ({}), state {}", pid, escaped(leader.value().comm),
                            stat ? stat.value().state : leader.value().state);
    const auto where = sys::read_file_at(proc, folder + "/wchan", 256).value_or({});
    if (!where.empty() && where != "0") text += fmt::format(", waits in {}", escaped(where));
    return text;
}

}  // namespace covey::cgroup
