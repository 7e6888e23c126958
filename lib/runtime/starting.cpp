#include "runtime/starting.hpp"

#include "core/container_look.hpp"
#include "covey/error.hpp"
#include "launch/message.hpp"
#include "runtime/late_hooks.hpp"
#include "runtime/pod_lock.hpp"
#include "runtime/status.hpp"
#include "store/start_gate.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

using Clock = std::chrono::steady_clock;
/// For an init that has been stopped, by whomever; and for one that just does not come to it.
constexpr std::chrono::seconds kStillLimit{10}, kStartLimit{30};

Error is_gone(const std::string& id) {
    return Error(Code::failed_precondition, "cannot start a container that has stopped: " + id)
        .with_fix("delete it and create it anew");
}

/// What init says of its execution, until every writer of the report is gone: nothing when it
/// executed its program. A neighbour with SYS_PTRACE may have taken init's descriptors: he can keep
/// the report open, write to it and swallow the byte at the gate. So the kernel is asked too, and
/// has the last word.
class Report {
  public:
    Report(FdRef fifo, const ContainerFolder& folder, const core::ContainerRecord& record)
        : fifo_(fifo), folder_(folder), record_(record) {}

    /// `nudge` is called from time to time while init has not executed its program. Throws timeout
    /// when it stands still for too long.
    std::string await(const std::function<void()>& nudge) {
        constexpr int kFirst = 100, kSlowest = 2000;  // milliseconds
        const auto began = Clock::now();
        auto moved = began;
        for (int wait = kFirst; !take(wait); wait = std::min(wait * 2, kSlowest)) {
            const auto stat = init();
            if (!stat || stat->is_exiting || stat->has_executed) {
                (void)take(0);  // what it said at last, since the last look
                break;
            }
            const auto still = stands_still(*stat);
            if (still.empty()) moved = Clock::now();
            if (Clock::now() - moved >= kStillLimit) throw_stands_still(still);
            // Its own hooks may take their time.
            if (Clock::now() - began >= kStartLimit && read_hooks(folder_).start_container.empty())
                throw_stands_still(fmt::format("it is in state {}", stat->state));
            nudge();
        }
        const auto stat = text_.empty() ? std::nullopt : init();
        return stat && stat->has_executed ? std::string{} : text_;
    }

  private:
    /// Everything that comes within `wait` milliseconds; true at its end.
    bool take(int wait) {
        constexpr std::size_t kMost = PIPE_BUF;
        std::array<char, PIPE_BUF> chunk{};
        pollfd entry{fifo_.get(), POLLIN, 0};
        const int ready = ::poll(&entry, 1, wait);
        if (ready < 0 && errno != EINTR) throw Error::from_errno(errno, "wait for", "start report");
        if (ready <= 0) return false;
        const auto got = ::read(fifo_.get(), chunk.data(), chunk.size());
        if (got == 0) return true;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            throw Error::from_errno(errno, "read", "start report");
        if (got > 0 && text_.size() < kMost)
            text_.append(chunk.data(), static_cast<std::size_t>(got));
        return false;
    }

    /// Why, in words; empty when it does not.
    [[nodiscard]] std::string stands_still(const sys::ProcessStat& stat) const {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        const auto status = sys::read_status(proc, record_.pid);
        if (stat.state == 't' && status && status.value().tracer != 0)
            return fmt::format("process {} traces it and has stopped it", status.value().tracer);
        if (stat.state == 't' || stat.state == 'T') return "it has been stopped by a signal";
        const auto host = cgroup::detect();
        const auto group = core::find_group(host, record_);
        return group && group->is_frozen() ? "its cgroup is frozen" : std::string{};
    }

    [[noreturn]] void throw_stands_still(const std::string& why) const {
        throw Error(Code::timeout,
                    fmt::format("start {}: init (process {}) has not run the program: {}",
                                record_.id, record_.pid, why))
            .with_fix("kill whoever holds it, then start again, or delete the container");
    }

    [[nodiscard]] std::optional<sys::ProcessStat> init() const {
        const auto proc = sys::open_proc().or_throw("open", "/proc");
        auto stat = sys::read_stat(proc, record_.pid);
        if (!stat || stat.value().start_time != record_.start_time) return std::nullopt;
        return std::move(stat).value();
    }

    FdRef fifo_;
    const ContainerFolder& folder_;
    const core::ContainerRecord& record_;
    std::string text_;
};

}  // namespace

void start_container(const ContainerFolder& folder, const core::ContainerRecord& record) {
    const auto report = store::open_start_report(folder.fd());
    const auto gate = store::open_start_gate(folder.fd());
    if (!gate) throw is_gone(record.id);
    {
        // It runs from now on, and a standstill that comes later sees it.
        const auto pod = PodLock::shared(record);
        store::ring(gate.value());
    }
    const auto problem = Report{report, folder, record}.await([&] { store::ring(gate.value()); });
    store::remove_start_gate(folder.fd());
    if (!problem.empty()) throw launch::decode_failure(problem);
}

void run_due_poststart_hooks(const ContainerFolder& folder, const core::ContainerRecord& record) {
    if (record.has_poststart) run_poststart_hooks(read_hooks(folder), record);
}

}  // namespace covey::runtime
