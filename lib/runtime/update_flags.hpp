// The single-value flags of `update`, as runc has them. Thread rule: values. Do not block.
#pragma once

#include "runtime/options.hpp"
#include "spec/linux_types.hpp"

#include <string>

namespace covey::runtime {

struct UpdateFlags {
    /// A file, or "-" for stdin; "": the flags count.
    std::string resources;

    void add_to(Flags& flags);
    /// Throws invalid_argument naming the flag, unsupported_by_host for the flags of Intel RDT.
    [[nodiscard]] spec::Resources read() const;

  private:
    std::string memory_, reservation_, swap_, kernel_, kernel_tcp_;
    std::string period_, quota_, burst_, shares_, realtime_period_, realtime_runtime_, idle_;
    std::string cpus_, mems_, weight_, pids_, l3_cache_, memory_bandwidth_;
};

/// "512m", "1.5GiB", "1024" or "-1", as runc and Docker read sizes: powers of 1024.
[[nodiscard]] std::int64_t parse_size(std::string_view text, std::string_view flag);

}  // namespace covey::runtime
