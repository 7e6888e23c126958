// Inside lib/core only: one process of a pod, read from /proc with as few system calls as there can
// be (a thousand processes in 20 ms), and its numbers in the PID namespaces that matter. Thread
// rule: one owner. Reads /proc; does not wait.
#pragma once

#include "base/unique_fd.hpp"
#include "core/processes.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::core {

class ProcessReader {
  public:
    /// `proc` is borrowed for the time of this object.
    ProcessReader(FdRef proc, std::uint64_t pod_namespace_inode);

    /// Everything but container, exec and orphan; nothing if the process ended meanwhile.
    /// The command line may keep its reader for as long as the process likes
    /// (core/patient_reading.hpp).
    enum class Command { read, left_out };
    [[nodiscard]] std::optional<PodProcess> read(pid_t pid, Command command = Command::read);
    /// Children of all that were read so far, zombies among them. A file for each thread of each.
    [[nodiscard]] std::vector<pid_t> children();

  private:
    void add_children(pid_t pid, unsigned threads, std::vector<pid_t>& found);
    /// A view into buffer_ until the next call; nothing if the process is gone.
    [[nodiscard]] std::optional<std::string_view> text_of(FdRef process, const char* file);
    [[nodiscard]] pid_t pod_number(FdRef process, pid_t pid, const std::vector<pid_t>& numbers);
    /// How many levels the namespace lies below the pod's: 0 is the pod's own, nothing is outside.
    [[nodiscard]] std::optional<std::size_t> levels_below_pod(FdRef process);

    FdRef proc_;
    std::uint64_t pod_inode_;
    UniqueFd
        pod_namespace_;  // the first that was seen; invalid: none yet, or the kernel is too old
    std::uint64_t page_size_, ticks_per_second_;
    std::vector<std::pair<pid_t, unsigned>> threads_;  // of each that was read
    std::string buffer_;
    std::map<std::uint64_t, std::optional<std::size_t>> levels_;  // by namespace inode
};

}  // namespace covey::core
