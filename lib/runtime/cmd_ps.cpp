// covey-runtime ps: the container's processes, as numbers of the caller's PID namespace, or as the
// lines that the host's ps has for them.
#include "base/text.hpp"
#include "core/container_look.hpp"
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/group_of.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <set>

#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr std::size_t kMostOutput = 64U << 20U;
constexpr std::string_view kUsualPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** entry = ::environ; *entry != nullptr; ++entry)
        variables.emplace_back(*entry);
    return variables;
}

[[noreturn]] void become_ps(const std::vector<std::string>& args, FdRef out) {
    if (::dup3(out.get(), STDOUT_FILENO, 0) < 0)  // lint: allow banned_calls to be inherited
        ::_exit(126);
    const char* path = std::getenv("PATH");
    for (const auto folder : split(path == nullptr ? kUsualPath : std::string_view{path}, ':'))
        (void)sys::exec_path(std::string{folder} + "/ps", args, environment());
    ::_exit(127);
}

/// What the host's ps prints. Its stderr is ours.
std::string output_of_ps(const std::vector<std::string>& options) {
    std::vector<std::string> args{"ps"};
    // One word may hold many options, as callers send them.
    for (const auto& word : options)
        for (const auto part : split(word, ' '))
            if (!part.empty()) args.emplace_back(part);
    if (args.size() == 1) args.emplace_back("-ef");
    auto pipe = sys::make_pipe().or_throw("pipe");
    const auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "ps");
    if (child.pid == 0) become_ps(args, pipe.write);
    pipe.write.reset();
    auto text = sys::read_all(pipe.read, kMostOutput);
    const auto status = sys::wait_process(child.pidfd).or_throw("wait for", "ps");
    if (status.code == 127)
        throw Error(Code::unsupported_by_host, "ps cannot be run: not found in PATH")
            .with_fix("install procps, or use --format json");
    if (status.code != 0)
        throw Error(Code::invalid_argument, fmt::format("ps {} ended with status {}",
                                                        join(args, " ").substr(3), status.code))
            .with_fix("give options that the host's ps takes");
    return std::move(text).or_throw("read the output of", "ps");
}

std::vector<std::string_view> columns(std::string_view line) {
    auto words = split(line, ' ');
    std::erase(words, std::string_view{});
    return words;
}

void print_lines(const std::string& text, const std::set<std::string>& numbers) {
    const auto lines = split(text, '\n');
    const auto titles = columns(lines.front());
    const auto place = std::find(titles.begin(), titles.end(), "PID") - titles.begin();
    if (static_cast<std::size_t>(place) == titles.size())
        throw Error(Code::invalid_argument, "ps printed no column PID")
            .with_fix("add pid to its columns, as in -o pid,comm");
    std::string kept{lines.front()};
    kept += '\n';
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto words = columns(lines[i]);
        if (words.size() <= static_cast<std::size_t>(place)) continue;
        if (numbers.contains(std::string{words[static_cast<std::size_t>(place)]}))
            kept.append(lines[i]).append("\n");
    }
    std::fputs(kept.c_str(), stdout);
}

/// Of a container that has stopped: whoever outlived its init, most often nobody.
std::vector<pid_t> processes_of(const std::string& root, const std::string& id) {
    const auto view = look_at(ContainerStore::open_existing(root).open_container(id));
    if (view.state != core::ContainerState::stopped)
        return GroupedContainer{root, id, "list its processes"}.group.processes();
    if (view.record.cgroup.path.empty()) return {};
    const auto host = cgroup::detect();
    const auto group = core::find_group(host, view.record);
    return group ? group->processes() : std::vector<pid_t>{};
}

int ps(Invocation& call) {
    std::string format = "table";
    Flags flags;
    flags.text("format", 'f', format, "table or json");
    const auto words = call.parse(flags, 1, 64);
    if (!words) return 0;
    require_known_format(format);
    const auto pids = processes_of(call.globals.root, words->front());
    if (format == "json") {
        std::puts(fmt::format("[{}]", fmt::join(pids, ",")).c_str());
        return 0;
    }
    std::set<std::string> numbers;
    for (const auto pid : pids)
        numbers.insert(std::to_string(pid));
    print_lines(output_of_ps({words->begin() + 1, words->end()}), numbers);
    return 0;
}

}  // namespace

const Command kPs{"ps", "ID [PS-OPTIONS]", "list the processes of a container", ps, false, 1};

}  // namespace covey::runtime
