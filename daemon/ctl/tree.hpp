// covey tree: the processes of a sandbox, grouped by container, drawn as text.
// Called by cmd_tree.cpp. Thread rule: pure functions. Do not block.
#pragma once

#include "ctl/answers.hpp"
#include "ctl/table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace covey::ctl {

struct TreeFacts {
    SandboxAnswer sandbox;
    std::vector<ContainerAnswer> containers;
    std::vector<ProcessAnswer> processes;
    std::int64_t now_microseconds = 0;
};

/// The sandbox's line, the titles, then a line for each process: pause first, then container by
/// container, children below their parents.
[[nodiscard]] std::string draw_tree(const TreeFacts& facts, const TableStyle& style);

/// What a process may, against what a container gets when nothing is asked for: "–" nothing,
/// "default", "+SYS_PTRACE", "-NET_RAW", "all", or the number when there is more to say.
[[nodiscard]] std::string capability_text(const std::vector<std::string>& capabilities);
/// "root" for 0, else the number: names belong to the container, not to this host.
[[nodiscard]] std::string user_text(std::uint32_t uid);
/// Words of a command line, as one text.
[[nodiscard]] std::string command_text(const std::vector<std::string>& command);
/// Its command line; "[sh] zombie" when it has none any more; marked when it is an orphan.
[[nodiscard]] std::string program_text(const ProcessAnswer& process);
/// "pid,ipc,uts,net": the namespaces that the containers of the sandbox share.
[[nodiscard]] std::string shared_text(const SandboxAnswer& sandbox);
/// "debugger", "debugger of nginx".
[[nodiscard]] std::string debugger_text(const DebugAnswer& debug);
/// "running", "stopped (137, SIGKILL)".
[[nodiscard]] std::string state_text(const ContainerAnswer& container);

}  // namespace covey::ctl
