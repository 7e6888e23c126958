#include "core/patient_reading.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace covey::core {
namespace {

constexpr std::chrono::milliseconds kPatience{300};  // a busy machine's thread may be that late
constexpr int kMostLeftBehind = 8;                   // threads; so a list costs 2.4 s at most

/// Of each pod, so that one pod's silent processes take nothing from another's lists. Whom it
/// counts is a pod's namespace, or (0) the one process that was asked for.
class LeftBehind {
  public:
    using Key = std::pair<std::uint64_t, pid_t>;

    [[nodiscard]] bool are_too_many(Key key) {
        const std::lock_guard lock{mutex_};
        const auto found = counts_.find(key);
        return found != counts_.end() && found->second >= kMostLeftBehind;
    }
    void add(Key key) {
        const std::lock_guard lock{mutex_};
        ++counts_[key];
    }
    void remove(Key key) {
        const std::lock_guard lock{mutex_};
        if (--counts_[key] == 0) counts_.erase(key);
    }

  private:
    std::mutex mutex_;
    std::map<Key, int> counts_;
};

/// Never destroyed: a thread that is left behind may outlive main().
LeftBehind& left_behind() {
    static auto* const all = new LeftBehind;
    return *all;
}

LeftBehind::Key key_of(std::uint64_t pod_inode, const std::vector<pid_t>& pids) {
    return {pod_inode, pod_inode == 0 && !pids.empty() ? pids.front() : 0};
}

}  // namespace

/// Shared by a thread and who waits for it; the last of the two lets it go.
struct PatientReading::Part {
    Part(FdRef process_folder, std::uint64_t inode, std::vector<pid_t> all)
        : proc(sys::duplicate(process_folder).or_throw("dup", "/proc")),
          reader(proc, inode),
          key(key_of(inode, all)),
          pids(std::move(all)) {}

    void work() noexcept {
        for (const auto pid : pids) {
            std::optional<PodProcess> process;
            try {
                process = reader.read(pid);
            } catch (const std::exception&) {
                // Out of memory: it is not shown.
            }
            const std::lock_guard lock{mutex};
            if (is_left_behind) {
                left_behind().remove(key);
                return;
            }
            if (process) result.push_back(*std::move(process));
            ++at;
        }
        changed.notify_one();
    }

    /// False: it makes no progress, and is left behind. From then on the thread changes nothing
    /// here.
    bool wait() {
        std::unique_lock lock{mutex};
        for (auto seen = at; at < pids.size(); seen = at) {
            const auto woken = changed.wait_for(lock, kPatience);
            if (woken == std::cv_status::no_timeout || at != seen) continue;
            is_left_behind = true;
            left_behind().add(key);
            return false;
        }
        return true;
    }

    UniqueFd proc;
    ProcessReader reader;
    const LeftBehind::Key key;
    const std::vector<pid_t> pids;
    bool has_thread = false;

    std::mutex mutex;
    std::condition_variable changed;
    std::size_t at = 0;  // who is being read
    std::vector<PodProcess> result;
    bool is_left_behind = false;
};

PatientReading::PatientReading(FdRef proc, std::uint64_t pod_namespace_inode,
                               std::vector<pid_t> pids)
    : proc_(sys::duplicate(proc).or_throw("dup", "/proc")),
      pod_inode_(pod_namespace_inode),
      here_(proc_, pod_namespace_inode) {
    begin(std::move(pids));
}

void PatientReading::begin(std::vector<pid_t> pids) {
    const auto part = std::make_shared<Part>(proc_, pod_inode_, std::move(pids));
    parts_.push_back(part);
    if (left_behind().are_too_many(part->key)) return;
    try {
        std::thread([part] { part->work(); }).detach();
        part->has_thread = true;
    } catch (const std::system_error&) {
        // A limit of processes: finish() reads what can be read without one.
    }
}

void PatientReading::read_here(std::span<const pid_t> pids, std::vector<PodProcess>& all) {
    for (const auto pid : pids)
        if (auto process = here_.read(pid, ProcessReader::Command::left_out))
            all.push_back(*std::move(process));
}

std::vector<PodProcess> PatientReading::finish() {
    std::vector<PodProcess> all;
    // One that was left behind is followed by another one for its rest.
    for (std::size_t number = 0; number < parts_.size(); ++number) {
        const auto part = parts_[number];
        const bool done = part->has_thread && part->wait();
        std::move(part->result.begin(), part->result.end(), std::back_inserter(all));
        if (done) continue;
        auto rest = std::span{part->pids}.subspan(part->at);
        const auto here =
            part->has_thread ? std::size_t{1} : rest.size();  // the one that keeps it, or all
        read_here(rest.first(here), all);
        rest = rest.subspan(here);
        if (!rest.empty()) begin({rest.begin(), rest.end()});
    }
    return all;
}

std::vector<pid_t> PatientReading::children() {
    auto all = here_.children();
    for (const auto& part : parts_) {
        if (!part->has_thread || part->is_left_behind) continue;
        const auto some = part->reader.children();
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

std::optional<PodProcess> read_patiently(FdRef proc, pid_t pid, std::uint64_t pod_namespace_inode) {
    auto found = PatientReading{proc, pod_namespace_inode, {pid}}.finish();
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

}  // namespace covey::core
