// The systemd cgroup driver's half in covey-runtime: it executes covey-systemd, the only program
// that talks to systemd (lib/systemd/request.hpp has the arguments and the answer). Called by
// create, run, update and delete, and only for containers of --systemd-cgroup.
// Thread rule: single-threaded. Blocks until systemd has done what it was asked for (30 s at most).
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/systemd.hpp"
#include "core/container_record.hpp"
#include "spec/types.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace covey::runtime {

/// A scope that is about to be: everything that can be wrong about it is found before anything is
/// made.
class ScopeRequest {
  public:
    /// Throws invalid_argument for a cgroupsPath, limit or annotation that cannot be;
    /// unsupported_by_host where systemd is not init, on v1 for device rules that systemd cannot
    /// keep, and without root where cgroups are not v2 alone; unavailable when covey-systemd is not
    /// installed.
    ScopeRequest(const spec::Spec& spec, const std::string& id, const cgroup::Host& host);
    /// The scope, with that process in it. Writes unit and group into the record. Throws when
    /// systemd refuses; then nothing is left.
    void start(pid_t process, core::ContainerRecord& record) const;

  private:
    cgroup::Scope scope_;
    std::vector<cgroup::UnitProperty> properties_;
    UniqueFd program_;
};

/// Nothing when the container has no scope. Where there is no v2 tree the container stands still
/// meanwhile (timeout when it does not).
void set_scope_properties(const core::ContainerRecord& record, const cgroup::Host& host,
                          const cgroup::Group& group, const cgroup::Limits& limits);
/// The group is empty or gone. What fails is a warning: systemd forgets an empty scope by itself.
void stop_scope(const core::ContainerRecord& record) noexcept;

/// covey-systemd is installed.
[[nodiscard]] bool has_systemd_driver();

}  // namespace covey::runtime
