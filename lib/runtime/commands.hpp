// The commands: one file each (cmd_<name>.cpp), one table (commands.cpp). A command is a function
// of the global flags and its own words; what it throws is printed by `run_program`, once. Thread
// rule: single-threaded. Blocks as the command does.
#pragma once

#include "runtime/options.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace covey::runtime {

/// The flags before the command's name.
struct Globals {
    std::string root;  // state folder; the default is filled in
    std::string log_file, log_format = "text";
    bool debug = false;
    bool systemd_cgroup = false;
    /// `--cgroup-manager disabled`: containers stay in the caller's cgroup.
    bool cgroups_disabled = false;
};

struct Command;

/// One call of a command.
class Invocation {
  public:
    Invocation(const Command& command, const Globals& given, std::vector<std::string> words)
        : globals(given), command_(command), words_(std::move(words)) {}

    /// The words that are no flags, at least `least` and at most `most` of them; nothing when the
    /// help was asked for and printed.
    [[nodiscard]] std::optional<std::vector<std::string>> parse(Flags& flags, std::size_t least,
                                                                std::size_t most);
    const Globals& globals;

  private:
    const Command& command_;
    std::vector<std::string> words_;
};

struct Command {
    std::string_view name;
    std::string_view arguments;  // "ID [SIGNAL]"
    std::string_view summary;
    int (*run)(Invocation& call) = nullptr;
    /// Its processes enter a container's namespaces: it runs from a protected copy of its file.
    bool enters_containers = false;
    /// So many words that are no flags are followed by words that are taken as they are; -1: none.
    int flags_end_after = -1;
    int failure_status = 1;
};

extern const Command kCreate, kStart, kRun, kState, kKill, kDelete, kExec, kList, kSpec, kFeatures,
    kPause, kResume, kUpdate, kEvents, kPs;

[[nodiscard]] std::span<const Command* const> commands() noexcept;
[[nodiscard]] const Command* find_command(std::string_view name) noexcept;

/// The whole program but its protection: returns the exit status.
[[nodiscard]] int run_program(const std::vector<std::string>& words);
/// Which command these words name, without judging them: nullptr when none.
[[nodiscard]] const Command* command_in(const std::vector<std::string>& words);

}  // namespace covey::runtime
