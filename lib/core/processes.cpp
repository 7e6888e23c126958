#include "core/processes.hpp"

#include "base/text.hpp"
#include "cgroup/walk.hpp"
#include "core/patient_reading.hpp"
#include "core/process_reader.hpp"
#include "sys/file.hpp"
#include "sys/known_file.hpp"
#include "sys/proc.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace covey::core {
namespace {

constexpr std::size_t kWorthAThread = 128;  // processes: 3 ms of work, a thread costs 50 µs
constexpr unsigned kMostThreads = 8;        // more would only wait for the kernel's locks

/// `<id>.ctr` directly below the pod and `<id>.exec` directly below a container name their owner;
/// what a container makes, in `main` or below, is its own, whatever it is called.
ProcessOwner owner_below(const ProcessOwner& above, std::string_view name, std::size_t depth) {
    constexpr std::string_view kContainer = ".ctr", kExec = ".exec";
    if (depth == 1 && name.ends_with(kContainer))
        return {std::string{name.substr(0, name.size() - kContainer.size())}, ""};
    if (depth == 2 && !above.container.empty() && name.ends_with(kExec))
        return {above.container, std::string{name.substr(0, name.size() - kExec.size())}};
    return above;
}

struct Member {
    pid_t pid = 0;
    ProcessOwner owner;
};

/// Sorted by number.
std::vector<Member> members_of(FdRef pod) {
    std::vector<Member> members;
    std::vector<ProcessOwner> owners;  // of the groups on the way to where the walk is
    // More groups than a walk visits (v1): those that were seen.
    (void)cgroup::walk_groups(pod, [&](const cgroup::Visit& visit) {
        owners.resize(visit.depth);
        owners.push_back(visit.depth == 0 ? ProcessOwner{}
                                          : owner_below(owners.back(), visit.name, visit.depth));
        for (const pid_t pid : cgroup::listed_processes(visit.group))
            members.push_back({pid, owners.back()});
        return cgroup::Onward::yes;
    });
    std::sort(members.begin(), members.end(),
              [](const auto& left, const auto& right) { return left.pid < right.pid; });
    return members;
}

std::vector<Member>::const_iterator find_member(const std::vector<Member>& members, pid_t pid) {
    return std::lower_bound(members.begin(), members.end(), pid,
                            [](const Member& member, pid_t number) { return member.pid < number; });
}

std::size_t most_threads() {
    return std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
}

/// The kernel needs some 20 µs for each process: a big pod is read by as many threads as there are
/// processors.
std::vector<PatientReading> begin_reading(const std::vector<Member>& members, FdRef proc,
                                          std::uint64_t pod_inode) {
    const auto useful = members.size() / kWorthAThread;
    const auto count = std::clamp<std::size_t>(useful, 1, most_threads());
    std::vector<PatientReading> readings;
    for (std::size_t number = 0; number < count; ++number) {
        std::vector<pid_t> pids;
        const auto end = members.size() * (number + 1) / count;
        for (auto at = members.size() * number / count; at < end; ++at)
            pids.push_back(members[at].pid);
        readings.emplace_back(proc, pod_inode, std::move(pids));
    }
    return readings;
}

std::vector<PodProcess> finish_reading(std::vector<PatientReading>& readings,
                                       const std::vector<Member>& members) {
    std::vector<PodProcess> result;
    for (auto& reading : readings) {
        auto some = reading.finish();
        std::move(some.begin(), some.end(), std::back_inserter(result));
    }
    for (auto& process : result) {
        const auto at = find_member(members, process.pid);
        process.container = at->owner.container;
        process.exec = at->owner.exec;
    }
    return result;
}

/// A number may have been given to a stranger between the list and /proc: whoever is not in the
/// same group now is not shown.
void drop_gone(const std::vector<Member>& now, std::vector<PodProcess>& processes) {
    std::erase_if(processes, [&](const PodProcess& process) {
        const auto at = find_member(now, process.pid);
        return at == now.end() || at->pid != process.pid ||
               at->owner.container != process.container || at->owner.exec != process.exec;
    });
}

/// Who may be a zombie of the pod's. In a big pod the fewer reads are those of all others on the
/// host, in a small one those of the pod's own processes' children.
std::vector<pid_t> zombie_candidates(FdRef proc, std::vector<PatientReading>& readings,
                                     const std::vector<pid_t>& listed) {
    auto everyone = sys::list_processes(proc);
    if (everyone && everyone.value().size() <= 2 * listed.size())
        return std::move(everyone).value();
    std::vector<pid_t> children;
    for (auto& reading : readings)
        for (const auto pid : reading.children())
            children.push_back(pid);
    return children;
}

/// No group lists a zombie (v2), but its parent does, and it still says which group it was in.
void add_zombies(const cgroup::Host& host, const std::string& pod, FdRef proc,
                 std::vector<PatientReading>& readings, ProcessReader& reader,
                 std::vector<PodProcess>& result) {
    std::vector<pid_t> listed;
    for (const auto& process : result)
        listed.push_back(process.pid);
    std::sort(listed.begin(), listed.end());
    const auto is_listed = [&](pid_t pid) {
        return std::binary_search(listed.begin(), listed.end(), pid);
    };
    for (const auto pid : zombie_candidates(proc, readings, listed)) {
        if (is_listed(pid)) continue;
        const auto stat = sys::read_stat(proc, pid);
        if (!stat || stat.value().state != 'Z' || !is_listed(stat.value().ppid)) continue;
        const auto group = cgroup::identity_of(host, proc, pid);
        if (!group.starts_with(pod + "/")) continue;
        auto process = reader.read(pid, ProcessReader::Command::left_out);  // it has none
        if (!process) continue;
        auto owner = owner_of_group(std::string_view{group}.substr(pod.size()));
        process->container = std::move(owner.container);
        process->exec = std::move(owner.exec);
        result.push_back(*std::move(process));
    }
}

bool have_same_program(FdRef proc, pid_t one, pid_t other) {
    const auto program = [&](pid_t pid) {
        const auto file = sys::open_at(proc, std::to_string(pid) + "/exe", O_PATH);
        return file ? sys::known_file(file.value()) : Result<sys::FileId>{Errno{file.error()}};
    };
    const auto first = program(one), second = program(other);
    return first && second && first.value() == second.value();
}

/// For the time of a launch the shim's own processes are in the group of what they launch. Nothing
/// of the container's can pass for one: it is a child of the shim's and runs the shim's program.
/// init does so too until it is started, and is the container's.
void drop_launchers(FdRef proc, std::vector<PodProcess>& processes) {
    const auto pause = std::find_if(processes.begin(), processes.end(),
                                    [](const auto& one) { return one.container.empty(); });
    if (pause == processes.end()) return;
    const pid_t shim = pause->ppid;
    std::erase_if(processes, [&](const PodProcess& process) {
        return process.ppid == shim && !process.container.empty() &&
               process.name.starts_with("covey") && process.name != "covey:init" &&
               have_same_program(proc, process.pid, shim);
    });
}

/// Whoever lost its parent in the pod's namespace is pause's; in the host's it is the host's.
void mark_orphans(std::vector<PodProcess>& processes) {
    pid_t pause = 0;
    for (const auto& process : processes)
        if (process.container.empty()) pause = process.pid;
    for (auto& process : processes)
        process.orphan = !process.container.empty() && (process.ppid == 1 || process.ppid == pause);
}

}  // namespace

ProcessOwner owner_of_group(std::string_view below) {
    ProcessOwner owner;
    std::size_t depth = 0;
    for (const auto name : split(below, '/'))
        if (!name.empty()) owner = owner_below(owner, name, ++depth);
    return owner;
}

std::optional<PodProcess> read_process(FdRef proc, pid_t pid, std::uint64_t pod_namespace_inode) {
    return read_patiently(proc, pid, pod_namespace_inode);
}

std::vector<pid_t> processes_below(const cgroup::Host& host, const std::string& group) {
    std::vector<pid_t> pids;
    if (const auto folder = sys::open_dir(host.identity_mount() + group))
        (void)cgroup::walk_groups(folder.value(), [&](const cgroup::Visit& visit) {
            for (const pid_t pid : cgroup::listed_processes(visit.group))
                pids.push_back(pid);
            return cgroup::Onward::yes;
        });
    return pids;
}

std::vector<PodProcess> list_pod_processes(const cgroup::Host& host,
                                           const std::string& sandbox_cgroup,
                                           std::uint64_t pod_namespace_inode, FdRef proc) {
    std::vector<PodProcess> result;
    const auto path = host.identity_mount() + sandbox_cgroup;
    const auto pod = sys::open_dir(path);
    if (!pod && pod.error() == ENOENT) return result;
    if (!pod) throw Error::from_errno(pod.error(), "open cgroup", path);
    const auto members = members_of(pod.value());
    auto readings = begin_reading(members, proc, pod_namespace_inode);
    result = finish_reading(readings, members);
    drop_gone(members_of(pod.value()), result);
    ProcessReader reader{proc, pod_namespace_inode};
    add_zombies(host, sandbox_cgroup, proc, readings, reader, result);
    drop_launchers(proc, result);
    mark_orphans(result);
    std::sort(result.begin(), result.end(),
              [](const auto& left, const auto& right) { return left.pid < right.pid; });
    return result;
}

std::vector<PodProcess> list_pod_processes(const cgroup::Host& host,
                                           const std::string& sandbox_cgroup,
                                           std::uint64_t pod_namespace_inode) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    return list_pod_processes(host, sandbox_cgroup, pod_namespace_inode, proc);
}

}  // namespace covey::core
