// covey-runtime exec: a process more in a running container, from a process.json or from words.
#include "base/text.hpp"
#include "covey/error.hpp"
#include "launch/launcher.hpp"
#include "plan/compile.hpp"
#include "plan/environment.hpp"
#include "runtime/console.hpp"
#include "runtime/exec_by_spawner.hpp"
#include "runtime/executing.hpp"
#include "runtime/failure.hpp"
#include "runtime/foreground.hpp"
#include "runtime/seat.hpp"
#include "runtime/spawner.hpp"
#include "spec/load.hpp"
#include "spec/tables.hpp"
#include "sys/file.hpp"
#include "sys/sealed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

struct ExecOptions {
    std::string process_file, console_socket, pid_file, cwd, user, apparmor, process_label;
    std::string preserve_fds = "0", pidfd_socket;
    std::vector<std::string> env, caps, groups, cgroups;
    bool tty = false, detach = false, no_new_privs = false, ignore_paused = false;
};

void add_flags(Flags& flags, ExecOptions& o) {
    flags.text("process", 'p', o.process_file, "file with the whole process as JSON")
        .text("console-socket", 0, o.console_socket, "Unix socket that is sent the pty's master")
        .text("pid-file", 0, o.pid_file, "file that the process's number is written to")
        .text("pidfd-socket", 0, o.pidfd_socket, "Unix socket that is sent the process's pidfd")
        .text("cwd", 0, o.cwd, "working directory in the container")
        .texts("env", 'e', o.env, "NAME=VALUE, added to the container's")
        .text("user", 'u', o.user, "UID[:GID]")
        .texts("additional-gids", 'g', o.groups, "group ids to add")
        .texts("cap", 'c', o.caps, "capability to add")
        .text("apparmor", 0, o.apparmor, "AppArmor profile")
        .text("process-label", 0, o.process_label, "SELinux label")
        .text("preserve-fds", 0, o.preserve_fds, "so many descriptors from 3 up go to the process")
        .texts("cgroup", 0, o.cgroups,
               "[CONTROLLER[,CONTROLLER]:]PATH of a group below the container's to run in")
        .boolean("tty", 't', o.tty, "with a terminal")
        .boolean("detach", 'd', o.detach, "return as soon as it runs")
        .boolean("no-new-privs", 0, o.no_new_privs, "set no_new_privs")
        .boolean("ignore-paused", 0, o.ignore_paused, "though the container is paused");
}

std::uint32_t parse_id(std::string_view text, const char* what) {
    const auto id = parse_u32(text);
    if (!id)
        throw Error(Code::invalid_argument, fmt::format("flag --{}: '{}' is not an id", what, text))
            .with_fix("use numbers: names are the container's own business");
    return *id;
}

void set_user(spec::User& user, const std::string& text) {
    const auto parts = split(text, ':');
    if (parts.size() > 2)
        throw Error(Code::invalid_argument,
                    fmt::format("flag --user: '{}' is not UID or UID:GID", text))
            .with_fix("use numbers: names are the container's own business");
    user.uid = parse_id(parts[0], "user");
    if (parts.size() > 1) user.gid = parse_id(parts[1], "user");
}

void add_capability(spec::Process& process, const std::string& name) {
    const auto number = spec::capability_number(name);
    if (!number)
        throw Error(Code::invalid_argument,
                    fmt::format("flag --cap: unknown capability {}{}", name,
                                did_you_mean(to_upper(name), spec::capability_names())));
    if (!process.capabilities) process.capabilities.emplace();
    auto& sets = *process.capabilities;
    const auto bit = std::uint64_t{1} << static_cast<unsigned>(*number);
    // Not inheritable: a program with file capabilities would have more than was asked for
    // (CVE-2022-29162). Where it is so already, another user's program gets it by the ambient set.
    for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted})
        *set |= bit;
    sets.ambient |= sets.inheritable & bit;
}

/// The container's own process with what the flags change.
spec::Process process_from_flags(const ContainerFolder& folder, const ExecOptions& o,
                                 std::vector<std::string> args) {
    const auto text = sys::read_file_at(folder.fd(), launch::kConfigName, spec::kLargestConfig)
                          .or_throw("read", launch::kConfigName);
    auto spec = spec::load(text);
    if (!spec.process) throw Error(Code::failed_precondition, "the container has no process");
    auto process = std::move(*spec.process);
    process.args = std::move(args);
    if (!o.cwd.empty()) process.cwd = o.cwd;
    if (!o.user.empty()) set_user(process.user, o.user);
    for (const auto& group : o.groups)
        process.user.additional_gids.push_back(parse_id(group, "additional-gids"));
    plan::merge_environment(process.env, o.env);
    for (const auto& name : o.caps)
        add_capability(process, name);
    if (!o.apparmor.empty()) process.apparmor_profile = o.apparmor;
    if (!o.process_label.empty()) process.selinux_label = o.process_label;
    if (o.no_new_privs) process.no_new_privileges = true;
    process.terminal = o.tty;
    return process;
}

spec::Process read_process(const ContainerFolder& folder, const ExecOptions& o,
                           std::vector<std::string> args) {
    if (o.process_file.empty()) {
        if (args.empty())
            throw Error(Code::invalid_argument, "exec without a command")
                .with_fix("name the program to run, or --process FILE");
        return process_from_flags(folder, o, std::move(args));
    }
    auto process = spec::load_process(read_named(o.process_file, "process", spec::kLargestConfig));
    if (o.tty) process.terminal = true;
    return process;
}

void check(const ContainerView& view, const ExecOptions& o) {
    if (view.state == core::ContainerState::stopped || view.state == core::ContainerState::creating)
        throw Error(Code::failed_precondition, "cannot exec in a stopped container");
    if (view.state == core::ContainerState::paused && !o.ignore_paused)
        throw Error(Code::failed_precondition,
                    "cannot exec in a paused container (use --ignore-paused to override)");
}

/// Whoever reads the caller's streams to their end waits for the process alone.
void let_go_of_streams() {
    const auto null = sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null");
    for (int fd = 0; fd < 3; ++fd)
        if (::dup2(null.get(), fd) < 0) throw Error::from_errno(errno, "dup2", "/dev/null");
}

void check_terminal(const spec::Process& process, const ExecOptions& o) {
    if (process.terminal && o.detach && o.console_socket.empty())
        throw Error(Code::invalid_argument,
                    "cannot allocate tty if covey-runtime will detach without setting console "
                    "socket");
    if (!process.terminal && !o.console_socket.empty())
        throw Error(Code::invalid_argument,
                    "cannot use console socket if covey-runtime will not allocate tty");
}

/// The process is this one's child and not the asking command's: so this one stays.
int stay_seated(const Seat& seat, const Signals& signals, ExecutedProcess executed,
                const ExecOptions& o) {
    if (o.detach) let_go_of_streams();
    if (o.detach || !o.console_socket.empty()) executed.terminal.reset();
    seat.tell_running();
    const auto status =
        run_in_foreground(signals, executed.process, executed.terminal, nullptr, &seat);
    seat.tell_ended(status);
    return status.code;
}

/// The same call, in words that mean the same wherever and with whatever working directory they are
/// read.
std::vector<std::string> words_anywhere(const Globals& globals, ExecOptions o,
                                        const std::vector<std::string>& words) {
    std::vector<std::string> all{"covey-runtime", "--root=" + absolute_name(globals.root)};
    if (!globals.log_file.empty()) {
        all.push_back("--log=" + (is_other_logger(globals.log_file)
                                      ? globals.log_file
                                      : absolute_name(globals.log_file)));
        all.push_back("--log-format=" + globals.log_format);
    }
    if (globals.debug) all.emplace_back("--debug=true");
    all.emplace_back("exec");
    for (auto* name : {&o.console_socket, &o.pid_file, &o.pidfd_socket})
        *name = absolute_name(*name);
    Flags flags;
    add_flags(flags, o);
    for (auto& word : flags.words())
        all.push_back(std::move(word));
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

/// Only the spawner's child is in the domain, whatever the environment says.
bool is_seated(const core::ContainerRecord& record) {
    return ::getppid() == record.spawner && open_spawner(record).valid();
}

/// A name may mean a pipe or a descriptor of this process's: the text goes along.
UniqueFd text_of(const std::string& process_file) {
    if (process_file.empty()) return {};
    const auto text = read_named(process_file, "process", spec::kLargestConfig);
    auto memory = sys::memory_file("process.json").or_throw("make", "a file in memory");
    sys::write_all(memory, text).or_throw("write", "a file in memory");
    return memory;
}

int ask_for_exec(const Globals& globals, ExecOptions o, const std::vector<std::string>& words,
                 const ExecTarget& target, const InheritedFds& fds, const PidFile& pid_file) {
    const auto process = text_of(o.process_file);
    if (process) o.process_file = fmt::format("/dev/fd/{}", 3 + fds.count);
    auto globals_there = globals;
    // What is not passed on is not there; its stderr is this one's.
    if (descriptor_named(globals.log_file).value_or(0) > STDERR_FILENO)
        globals_there.log_file.clear();
    close_others(fds, globals.log_file);
    return exec_by_spawner(target.folder,
                           {target.view.record, words_anywhere(globals_there, o, words), o.detach,
                            fds.count, process, pid_file});
}

int run_exec(const Globals& globals, const ExecOptions& o, const std::vector<std::string>& words) {
    auto seat = Seat::take();
    const auto fds = take_inherited_fds(o.preserve_fds, seat ? seat->fd() : FdRef{-1});
    const auto store = ContainerStore::open_existing(globals.root);
    const PidFile pid_file{o.pid_file};
    const auto folder = store.open_container(words.front());
    const auto view = look_at(folder);
    check(view, o);
    if (!is_seated(view.record)) seat.reset();
    if (view.record.spawner != 0 && !seat)
        return ask_for_exec(globals, o, words, {folder, view}, fds, pid_file);
    auto process = read_process(folder, o, {words.begin() + 1, words.end()});
    check_terminal(process, o);
    add_listen_variables(process, fds);
    UniqueFd console;
    if (!o.console_socket.empty()) console = connect_socket(o.console_socket, "console-socket");
    UniqueFd pidfd_socket;
    if (!o.pidfd_socket.empty()) pidfd_socket = connect_socket(o.pidfd_socket, "pidfd-socket");

    close_others(fds, globals.log_file);
    const Signals signals;
    auto executed = execute_in({folder, view, o.console_socket.empty()}, process, fds, o.cgroups);
    if (console) send_descriptor(console, executed.terminal, "/dev/pts/ptmx");
    console.reset();
    if (pidfd_socket) send_descriptor(pidfd_socket, executed.process, "pidfd");
    // Of a detached exec from a seat the proxy is known, which its caller can wait for.
    if (!seat || !o.detach) pid_file.write(executed.pid);
    if (seat) return stay_seated(*seat, signals, std::move(executed), o);
    if (o.detach) return 0;
    const auto terminal = o.console_socket.empty() ? executed.terminal.ref() : FdRef{-1};
    return run_in_foreground(signals, executed.process, terminal).code;
}

int exec(Invocation& call) {
    ExecOptions options;
    Flags flags;
    add_flags(flags, options);
    const auto words = call.parse(flags, 1, ~std::size_t{0});
    if (!words) return 0;
    return run_exec(call.globals, options, *words);
}

}  // namespace

const Command kExec{
    "exec", "ID [COMMAND [ARGUMENT…]]", "run a process more in a container", exec, true, 1, 255};

}  // namespace covey::runtime
