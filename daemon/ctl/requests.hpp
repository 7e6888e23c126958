// What the command asks of coveyd, as values; requests_codec.cpp makes calls from them.
// Thread rule: values and pure functions. Do not block.
#pragma once

#include "ctl/client.hpp"
#include "spec/id_mappings.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::ctl {

struct CreateSandboxRequest {
    std::string id, hostname, pid_mode, access, pid1_signals, cgroup_parent;  // empty: not said
    /// net, ipc, uts, user, time → "new", "host" or an absolute path.
    std::map<std::string, std::string> namespaces;
    /// Of a new user namespace; empty: not said.
    std::vector<spec::IdMapping> uid_mappings, gid_mappings;
    std::map<std::string, std::string> sysctls, labels;
};
[[nodiscard]] Request create_sandbox(const CreateSandboxRequest& wish);

struct CreateContainerRequest {
    std::string id, sandbox, bundle, pid_mode;  // pid_mode empty: the sandbox's
    std::string target;                         // in mode target; empty: not said
    std::string access;                         // a preset; empty: the sandbox's
    std::string pid1_signals;                   // empty: the sandbox's
    std::vector<std::string> add_capabilities, drop_capabilities;
    std::string in, out, err;  // empty: not said
    std::map<std::string, std::string> labels;
    std::string seccomp;  // empty: not said
};
[[nodiscard]] Request create_container(const CreateContainerRequest& wish);

struct DebugRequest {
    std::string sandbox, id, target, pid_mode, tools, profile, access, user;  // empty: not said
    std::optional<std::uint64_t> ttl;                                         // seconds
    std::vector<std::string> env, add_capabilities;
    bool remove = true;
};
/// A debugger that holds, for execs.
[[nodiscard]] Request debug(const DebugRequest& wish);

struct ExecRequest {
    std::string container, user, cwd;  // empty: the container's
    std::vector<std::string> command, env, capabilities;
    bool terminal = false, streams_input = false;
    std::uint16_t rows = 0, columns = 0;  // 0: not said
};
[[nodiscard]] Request exec(const ExecRequest& wish);

[[nodiscard]] Request kill(std::string_view container, std::string_view signal, bool all,
                           std::optional<std::uint32_t> pid = {});
[[nodiscard]] Request stop_container(std::string_view container, std::optional<double> seconds);

/// New limits; what is absent stays as it is. Bytes, microseconds, counts; -1: no limit.
struct UpdateRequest {
    std::string container;
    std::string resources;  // OCI's linux.resources as JSON: then the others do not count
    std::optional<std::int64_t> memory, memory_swap, memory_reservation, cpu_quota, pids;
    std::optional<std::uint64_t> cpu_period, cpu_shares, block_io_weight;
    std::string cpus, mems;  // "0-3,7"; empty: absent
};
/// Throws invalid_argument when `resources` is no JSON.
[[nodiscard]] Request update(const UpdateRequest& wish);

/// `exec`: whose terminal it is; empty: the container's.
[[nodiscard]] Request resize(std::string_view container, std::uint16_t rows, std::uint16_t columns,
                             std::string_view exec = {});

enum class Force { no, yes };
/// `collection` is "sandboxes" or "containers"; `action` comes below the id, empty: the thing
/// itself.
[[nodiscard]] Request get(std::string_view collection, std::string_view id = {},
                          std::string_view action = {});
[[nodiscard]] Request post(std::string_view collection, std::string_view id,
                           std::string_view action);
[[nodiscard]] Request remove(std::string_view collection, std::string_view id, Force force);

}  // namespace covey::ctl
