#include "core/process_reader.hpp"

#include "base/text.hpp"
#include "sys/file.hpp"
#include "sys/namespaces.hpp"
#include "sys/proc.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::core {
namespace {

constexpr std::size_t kBuffer = 64U << 10U;  // stat and status are far below, cmdline is cut here
constexpr std::size_t kDeepestNesting = 32;  // MAX_PID_NS_LEVEL, pid_namespaces(7)

/// The inode in "pid:[4026531836]".
std::optional<std::uint64_t> inode_of_link(std::string_view link) {
    const auto open = link.find('[');
    if (open == std::string_view::npos || link.back() != ']') return {};
    return parse_u64(link.substr(open + 1, link.size() - open - 2));
}

std::vector<std::string> split_arguments(std::string_view text) {
    std::vector<std::string> args;
    // A process that rewrote its title may leave a run of NULs behind it.
    while (!text.empty() && text.back() == '\0')
        text.remove_suffix(1);
    if (text.empty()) return args;
    for (const auto part : split(text, '\0'))
        args.emplace_back(part);
    return args;
}

}  // namespace

ProcessReader::ProcessReader(FdRef proc, std::uint64_t pod_namespace_inode)
    : proc_(proc),
      pod_inode_(pod_namespace_inode),
      page_size_(static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))),
      ticks_per_second_(static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))),
      buffer_(kBuffer, '\0') {
}

std::optional<std::string_view> ProcessReader::text_of(FdRef process, const char* file) {
    const auto opened = sys::open_at(process, file, O_RDONLY);
    if (!opened) return {};
    // One read is the whole text: procfs gives as much as there is and fits.
    const auto got = ::read(opened.value().get(), buffer_.data(), buffer_.size());
    if (got < 0) return {};
    return std::string_view{buffer_}.substr(0, static_cast<std::size_t>(got));
}

std::optional<PodProcess> ProcessReader::read(pid_t pid, Command command) {
    // Every file below is of this very process, even if its number is given anew meanwhile.
    const auto folder = sys::open_dir_at(proc_, std::to_string(pid));
    if (!folder) return {};
    const FdRef process = folder.value();
    const auto stat_text = text_of(process, "stat");
    const auto stat =
        stat_text ? sys::parse_stat(*stat_text) : Result<sys::ProcessStat>{Errno{ESRCH}};
    if (!stat) return {};
    const auto status_text = text_of(process, "status");
    const auto status =
        status_text ? sys::parse_status(*status_text) : Result<sys::ProcessStatus>{Errno{ESRCH}};
    if (!status) return {};
    PodProcess result;
    result.pid = pid;
    result.pod_pid = pod_number(process, pid, status.value().ns_pids);
    result.container_pid = status.value().ns_pids.back();
    result.ppid = stat.value().ppid;
    result.uid = status.value().uid;
    result.gid = status.value().gid;
    result.state = stat.value().state;
    result.rss_bytes = stat.value().rss_pages * page_size_;
    result.name = stat.value().comm;
    result.cpu_milliseconds = stat.value().cpu_ticks * 1000 / ticks_per_second_;
    result.start_time = stat.value().start_time;
    result.capabilities = status.value().cap_effective;
    result.no_new_privileges = status.value().no_new_privs;
    if (command == Command::read)
        if (const auto text = text_of(process, "cmdline")) result.command = split_arguments(*text);
    threads_.emplace_back(pid, stat.value().threads);
    return result;
}

std::vector<pid_t> ProcessReader::children() {
    std::vector<pid_t> found;
    for (const auto& [pid, threads] : threads_)
        add_children(pid, threads, found);
    return found;
}

/// Each thread has the list of the children that it has forked (CONFIG_PROC_CHILDREN).
void ProcessReader::add_children(pid_t pid, unsigned threads, std::vector<pid_t>& found) {
    const auto own = std::to_string(pid);
    std::vector<std::string> names{own};
    if (threads > 1) {
        const auto folder = sys::open_at(proc_, own + "/task", O_RDONLY | O_DIRECTORY);
        auto all =
            folder ? sys::list_dir(folder.value()) : Result<std::vector<std::string>>{Errno{ESRCH}};
        if (all) names = std::move(all).value();
    }
    for (const auto& name : names) {
        const auto text = text_of(proc_, (own + "/task/" + name + "/children").c_str());
        if (!text) continue;
        for (const auto number : split(*text, ' '))
            if (const auto child = parse_u32(number)) found.push_back(static_cast<pid_t>(*child));
    }
}

pid_t ProcessReader::pod_number(FdRef process, pid_t pid, const std::vector<pid_t>& numbers) {
    // One call where the kernel can tell (6.11) instead of a walk through the process's files.
    if (pod_namespace_) {
        const auto number = sys::number_in(pod_namespace_, pid);
        if (number) return number.value();
        if (number.error() == ESRCH) return 0;
        pod_namespace_.reset();
    }
    // NSpid has one number for each level, the process's own namespace last. So a process of the
    // pod's namespace has its pod number last, one in a namespace nested in it one before, and so
    // on; the count of levels alone would take a private namespace beside the pod's for a nested
    // one.
    const auto link = sys::readlink_at(process, "ns/pid");
    const auto inode = link ? inode_of_link(link.value()) : std::nullopt;
    if (!inode) return 0;
    if (*inode == pod_inode_) {
        if (auto opened = sys::open_at(process, "ns/pid", O_RDONLY))
            pod_namespace_ = std::move(opened).value();
        return numbers.back();
    }
    auto known = levels_.find(*inode);
    if (known == levels_.end()) known = levels_.emplace(*inode, levels_below_pod(process)).first;
    if (!known->second || *known->second >= numbers.size()) return 0;
    return numbers[numbers.size() - 1 - *known->second];
}

std::optional<std::size_t> ProcessReader::levels_below_pod(FdRef process) {
    auto opened = sys::open_at(process, "ns/pid", O_RDONLY);
    if (!opened) return {};
    UniqueFd current = std::move(opened).value();
    for (std::size_t level = 0; level <= kDeepestNesting; ++level) {
        const auto status = sys::stat_fd(current);
        if (!status) return {};
        if (status.value().st_ino == pod_inode_) return level;
        // EPERM: the parent is not below our own namespace, so we are past the pod's.
        auto parent = sys::parent_namespace(current);
        if (!parent) return {};
        current = std::move(parent).value();
    }
    return {};
}

}  // namespace covey::core
