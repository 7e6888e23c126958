// Reading the processes of tenants without being kept by one of them. For a command line the kernel
// takes the lock of the process's address space, and a process may see to it that this lock is
// never free: by a page of a file system that it serves itself and leaves without an answer. So
// threads read. One that makes no progress for 0.3 seconds is left behind with the process
// that keeps it, which is then shown without its command; while several are left behind, everybody
// is. Thread rule: one thread; it waits, as long as there is progress.
#pragma once

#include "base/unique_fd.hpp"
#include "core/process_reader.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <sys/types.h>

namespace covey::core {

/// A thread's part of a list.
class PatientReading {
  public:
    /// Begins at once. `proc` is duplicated.
    PatientReading(FdRef proc, std::uint64_t pod_namespace_inode, std::vector<pid_t> pids);

    /// Who was read; processes that are gone are left out. Waits as said above.
    [[nodiscard]] std::vector<PodProcess> finish();
    /// After that: their children, zombies among them (ProcessReader::children).
    [[nodiscard]] std::vector<pid_t> children();

  private:
    struct Part;
    void begin(std::vector<pid_t> pids);
    void read_here(std::span<const pid_t> pids, std::vector<PodProcess>& all);

    UniqueFd proc_;
    std::uint64_t pod_inode_;
    ProcessReader here_;  // without commands, on the caller's thread
    std::vector<std::shared_ptr<Part>> parts_;
};

/// One process, with the same patience.
[[nodiscard]] std::optional<PodProcess> read_patiently(FdRef proc, pid_t pid,
                                                       std::uint64_t pod_namespace_inode);

}  // namespace covey::core
