#include "runtime/commands.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "covey/version.hpp"
#include "runtime/container_store.hpp"
#include "runtime/failure.hpp"
#include "runtime/state_codec.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <exception>
#include <utility>

namespace covey::runtime {
namespace {

constexpr std::array kCommands{&kCreate, &kStart,  &kRun,    &kState, &kKill,
                               &kDelete, &kExec,   &kList,   &kPs,    &kPause,
                               &kResume, &kUpdate, &kEvents, &kSpec,  &kFeatures};

struct GlobalWords {
    Globals globals;
    bool version = false;
    std::string rootless, criu, cgroup_manager, log_level;
    Flags flags;

    GlobalWords() {
        globals.root = default_root();
        flags.text("root", 0, globals.root, "folder for the containers' state")
            .text("log", 0, globals.log_file, "file that a failed call adds one line to")
            .text("log-format", 0, globals.log_format, "text or json")
            .text("log-level", 0, log_level, "accepted: a failed call logs one line at any level")
            .boolean("debug", 0, globals.debug, "say on stderr what is done")
            .boolean("systemd-cgroup", 0, globals.systemd_cgroup,
                     "cgroupsPath is SLICE:PREFIX:NAME, and systemd makes the scope")
            .text("cgroup-manager", 0, cgroup_manager, "cgroupfs, systemd or disabled")
            .text("rootless", 0, rootless, "accepted: what the caller may do is found out")
            .text("criu", 0, criu, "accepted: there is no checkpoint")
            .boolean("version", 'v', version, "print the version");
    }

    /// The words after the global flags.
    std::vector<std::string> parse(const std::vector<std::string>& words) {
        auto rest = flags.parse(words, 0);
        if (globals.log_format != "text" && globals.log_format != "json") {
            const auto wrong = std::exchange(globals.log_format, "text");
            throw Error(Code::invalid_argument, fmt::format("unknown log format '{}'", wrong))
                .with_fix("use text or json");
        }
        if (cgroup_manager == "disabled")
            globals.cgroups_disabled = true;
        else if (cgroup_manager == "systemd")
            globals.systemd_cgroup = true;
        else if (!cgroup_manager.empty() && cgroup_manager != "cgroupfs")
            throw Error(Code::invalid_argument,
                        fmt::format("unknown cgroup manager '{}'", cgroup_manager))
                .with_fix("use cgroupfs, systemd or disabled");
        return rest;
    }
};

void print_help(Flags& flags) {
    std::string text =
        "covey-runtime: runs containers as the OCI runtime specification says\n\n"
        "usage: covey-runtime [FLAGS] COMMAND [FLAGS] [ARGUMENTS]\n\ncommands:\n";
    for (const auto* command : kCommands)
        text += fmt::format("   {:<10} {}\n", command->name, command->summary);
    text += "\nflags:\n" + flags.describe();
    std::fputs(text.c_str(), stdout);
}

void print_version() {
    // Exactly these lines: callers take the last one with the word "version" in it.
    const auto text = fmt::format("covey-runtime version {}\ncommit: {}\nspec: {}\n", COVEY_VERSION,
                                  COVEY_COMMIT, kOciVersion);
    std::fputs(text.c_str(), stdout);
}

int run_command(const GlobalWords& global, const std::vector<std::string>& words) {
    const auto* command = find_command(words.front());
    if (command == nullptr) {
        std::vector<std::string_view> names;
        for (const auto* one : kCommands)
            names.push_back(one->name);
        throw Error(Code::invalid_argument, fmt::format("unknown command '{}'{}", words.front(),
                                                        did_you_mean(words.front(), names)))
            .with_fix("see covey-runtime --help for the commands that there are");
    }
    Invocation call{*command, global.globals, {words.begin() + 1, words.end()}};
    try {
        return command->run(call);
    } catch (const std::exception& error) {
        report_failure(global.globals, command->name, error);
        return command->failure_status;
    }
}

}  // namespace

std::span<const Command* const> commands() noexcept {
    return kCommands;
}

const Command* find_command(std::string_view name) noexcept {
    for (const auto* command : kCommands)
        if (command->name == name) return command;
    return nullptr;
}

std::optional<std::vector<std::string>> Invocation::parse(Flags& flags, std::size_t least,
                                                          std::size_t most) {
    auto words = flags.parse(words_, command_.flags_end_after);
    if (flags.wants_help()) {
        std::fputs(fmt::format("covey-runtime {}: {}\n\nusage: covey-runtime {} [FLAGS] {}\n\n{}",
                               command_.name, command_.summary, command_.name, command_.arguments,
                               flags.describe())
                       .c_str(),
                   stdout);
        return std::nullopt;
    }
    if (words.size() < least || words.size() > most)
        throw Error(Code::invalid_argument,
                    words.size() < least ? "arguments are missing" : "too many arguments")
            .with_fix(fmt::format("usage: covey-runtime {} [FLAGS] {}", command_.name,
                                  command_.arguments));
    return words;
}

const Command* command_in(const std::vector<std::string>& words) {
    try {
        GlobalWords global;
        const auto rest = global.parse(words);
        return rest.empty() ? nullptr : find_command(rest.front());
    } catch (const std::exception&) {
        return nullptr;  // run_program will say so
    }
}

int run_program(const std::vector<std::string>& words) {
    GlobalWords global;
    try {
        const auto rest = global.parse(words);
        if (global.globals.debug) log::set_level(log::Level::debug);
        if (global.version) {
            print_version();
            return 0;
        }
        if (global.flags.wants_help() || rest.empty() || rest.front() == "help") {
            print_help(global.flags);
            return 0;
        }
        return run_command(global, rest);
    } catch (const std::exception& error) {
        report_failure(global.globals, "", error);
        return 1;
    }
}

}  // namespace covey::runtime
