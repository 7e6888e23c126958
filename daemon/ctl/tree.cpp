#include "ctl/tree.hpp"

#include "base/text.hpp"
#include "bundle/default_spec.hpp"
#include "ctl/text_safety.hpp"
#include "ctl/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace covey::ctl {
namespace {

constexpr std::string_view kNothing = "–";

std::string number_or_nothing(std::int64_t number) {
    return number > 0 ? fmt::to_string(number) : std::string{kNothing};
}

struct Group {
    std::string name;
    const ContainerAnswer* container = nullptr;  // none: deleted while we were asking
    std::vector<const ProcessAnswer*> processes;
};

/// Containers in the sandbox's order, then whatever else has processes.
std::vector<Group> group_by_container(const TreeFacts& facts) {
    std::vector<Group> groups;
    const auto group = [&](const std::string& name) -> Group& {
        const auto found = std::find_if(groups.begin(), groups.end(),
                                        [&](const Group& g) { return g.name == name; });
        return found != groups.end() ? *found : groups.emplace_back(Group{name, nullptr, {}});
    };
    for (const auto& id : facts.sandbox.containers)
        group(id);
    for (const auto& container : facts.containers)
        group(container.id).container = &container;
    for (const auto& process : facts.processes)
        if (!process.container.empty()) group(process.container).processes.push_back(&process);
    for (auto& one : groups)
        std::sort(one.processes.begin(), one.processes.end(), [](const auto* a, const auto* b) {
            return std::pair{a->start_time, a->pid} < std::pair{b->start_time, b->pid};
        });
    return groups;
}

class Drawing {
  public:
    explicit Drawing(const TreeFacts& facts) : facts_(facts) {}

    std::string draw(const TableStyle& style) {
        const auto groups = group_by_container(facts_);
        std::size_t widest = 0;
        for (const auto& group : groups)
            widest = std::max(widest, display_width(group.name));

        for (const auto& process : facts_.processes)
            if (process.container.empty())
                add(groups.empty() ? "└─ (pause)" : "├─ (pause)", process, "");
        for (std::size_t i = 0; i < groups.size(); ++i)
            draw_group(groups[i], i + 1 == groups.size(), widest);
        return cut_to(title(), style.width) + "\n" + table_.render(style);
    }

  private:
    [[nodiscard]] std::string title() const {
        const auto& sandbox = facts_.sandbox;
        const auto pid = sandbox.namespaces.find("pid");
        std::string text = fmt::format("{}  {} {}", sandbox.id, sandbox.state,
                                       age_of(sandbox.created_at, facts_.now_microseconds));
        if (pid != sandbox.namespaces.end()) text += fmt::format("  pidns {}", pid->second.inode);
        return printable(text + "  shared " + shared_text(sandbox));
    }

    void draw_group(const Group& group, bool last, std::size_t widest) {
        std::string label = fmt::format("{} {}", last ? "└─" : "├─", group.name);
        if (group.container != nullptr)
            label += std::string(widest - display_width(group.name) + 2, ' ') +
                     container_note(*group.container);
        if (group.processes.empty()) {
            const std::string nothing{kNothing};
            table_.add(
                {label, nothing, nothing, nothing, nothing, nothing, nothing,
                 group.container != nullptr ? command_text(group.container->command) : nothing});
            return;
        }
        label_ = std::move(label);
        further_label_ = last ? " " : "│";
        std::set<std::int64_t> pids;
        for (const auto* process : group.processes)
            pids.insert(process->pid);
        for (const auto* process : group.processes)
            if (!pids.contains(process->ppid)) draw_branch(group, *process, "", "");
        // Numbers may have been used again while they were read: no process is left out for that.
        for (const auto* process : group.processes)
            draw_branch(group, *process, "", "");
    }

    /// `indent` stands before the children of the process, `mark` before the process itself.
    void draw_branch(const Group& group, const ProcessAnswer& process, const std::string& indent,
                     const std::string& mark) {
        if (!drawn_.insert(&process).second) return;
        add(label_, process, mark);
        label_ = further_label_;
        std::vector<const ProcessAnswer*> children;
        for (const auto* other : group.processes)
            if (other->ppid == process.pid) children.push_back(other);
        for (std::size_t i = 0; i < children.size(); ++i) {
            const bool last = i + 1 == children.size();
            draw_branch(group, *children[i], indent + (last ? "  " : "│ "),
                        indent + (last ? "└ " : "├ "));
        }
    }

    void add(const std::string& label, const ProcessAnswer& process, const std::string& mark) {
        std::string command = program_text(process);
        if (!process.exec.empty() && mark.empty()) command += "  (exec)";
        table_.add({label, number_or_nothing(process.pod_pid), fmt::to_string(process.pid),
                    user_text(process.uid), process.state, size_text(process.rss_bytes),
                    capability_text(process.capabilities), mark + command});
    }

    [[nodiscard]] std::string container_note(const ContainerAnswer& container) const {
        std::string text = state_text(container);
        if (container.state == "running")
            text += " " + age_of(container.started_at, facts_.now_microseconds);
        if (!container.paused_at.empty())
            text += " " + age_of(container.paused_at, facts_.now_microseconds);
        if (container.debug) {
            text += ", " + debugger_text(*container.debug);
            if (container.state == "running")
                text += fmt::format(
                    ", {} left", time_until(container.debug->expires_at, facts_.now_microseconds));
        }
        // What is not Kubernetes' sharing is said.
        if (container.pid_mode != "pod") text += ", pid " + container.pid_mode;
        if (!container.access.empty() && container.access != "open")
            text += ", " + container.access;
        return text;
    }

    const TreeFacts& facts_;
    std::string label_, further_label_;
    std::set<const ProcessAnswer*> drawn_;
    Table table_{{{" ", Align::left},
                  {"PID", Align::right},
                  {"HOSTPID", Align::right},
                  {"USER", Align::left},
                  {"S", Align::left},
                  {"RSS", Align::right},
                  {"CAPS", Align::left},
                  {"COMMAND", Align::left}}};
};

std::string without_prefix(const std::string& capability) {
    return capability.starts_with("CAP_") ? capability.substr(4) : capability;
}

}  // namespace

std::string draw_tree(const TreeFacts& facts, const TableStyle& style) {
    return Drawing(facts).draw(style);
}

std::string capability_text(const std::vector<std::string>& capabilities) {
    constexpr std::size_t kAll = 38;  // Linux 5.0 had 38; later ones have more
    constexpr std::size_t kMostNamed = 3;
    if (capabilities.empty()) return std::string{kNothing};
    if (capabilities.size() >= kAll) return "all";

    const std::set<std::string> has(capabilities.begin(), capabilities.end());
    std::vector<std::string> differences;
    for (const auto& capability : capabilities)
        if (std::find(bundle::kDefaultCapabilities.begin(), bundle::kDefaultCapabilities.end(),
                      capability) == bundle::kDefaultCapabilities.end())
            differences.push_back("+" + without_prefix(capability));
    for (const auto capability : bundle::kDefaultCapabilities)
        if (!has.contains(std::string{capability}))
            differences.push_back("-" + without_prefix(std::string{capability}));
    if (differences.empty()) return "default";
    if (differences.size() > kMostNamed) return fmt::format("{} caps", capabilities.size());
    return join(differences, ",");
}

std::string user_text(std::uint32_t uid) {
    return uid == 0 ? "root" : fmt::to_string(uid);
}

std::string command_text(const std::vector<std::string>& command) {
    return join(command, " ");
}

std::string program_text(const ProcessAnswer& process) {
    std::string text = command_text(process.command);
    if (process.state == "Z")
        text = fmt::format("[{}] zombie", process.name);
    else if (text.empty())
        text = fmt::format("[{}]", process.name);
    if (process.orphan) text += "  (orphan)";
    return text;
}

std::string shared_text(const SandboxAnswer& sandbox) {
    static constexpr std::array<std::string_view, 6> kOrder{"pid", "ipc",  "uts",
                                                            "net", "user", "time"};
    std::vector<std::string> types;
    for (const auto type : kOrder)
        if (sandbox.namespaces.contains(std::string{type})) types.emplace_back(type);
    return types.empty() ? std::string{kNothing} : join(types, ",");
}

std::string debugger_text(const DebugAnswer& debug) {
    return debug.target.empty() ? "debugger" : "debugger of " + debug.target;
}

std::string state_text(const ContainerAnswer& container) {
    if (!container.exit) return container.state;
    const auto& exit = *container.exit;
    std::string text = fmt::format("{} ({}", container.state, exit.exit_code);
    if (!exit.signal.empty()) text += ", " + exit.signal;
    if (!exit.sent_by.empty()) text += " by " + exit.sent_by;
    if (exit.oom_killed) text += ", out of memory";
    return text + ")";
}

}  // namespace covey::ctl
