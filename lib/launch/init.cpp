#include "launch/init.hpp"

#include "base/fault.hpp"
#include "covey/error.hpp"
#include "launch/context.hpp"
#include "launch/hooks.hpp"
#include "launch/identity.hpp"
#include "launch/message.hpp"
#include "launch/seccomp_agent.hpp"
#include "launch/working_directory.hpp"
#include "sys/privileges.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <exception>

#include <unistd.h>

namespace covey::launch {
namespace {

/// The gate is open for reading and writing here, so read(2) waits, whoever comes and goes, until a
/// starter writes its byte; after exec or death nobody reads and the next starter gets ENXIO.
void wait_at_gate(FdRef gate) {
    char byte = 0;
    ssize_t got = 0;
    do
        got = ::read(gate.get(), &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1) throw Error::from_errno(got < 0 ? errno : EPIPE, "wait at", "start gate");
}

Error exec_error(int error, const std::string& program) {
    auto result = Error::from_errno(error, "exec", program);
    if (error == ENOENT)
        // The launcher saw the file: it is the interpreter (ELF or #!) that is missing.
        result.set_fix(
            "the program's interpreter (#! line or ELF loader) is not in the root filesystem");
    if (error == EACCES)
        result.set_fix(
            "its file, a folder on the way or its interpreter is closed to the process's user, or "
            "lies "
            "on a mount that is noexec: a bind keeps the flags of its source, name exec in its "
            "options");
    if (error == ENOEXEC)
        result.set_fix("not a program for this machine: check its architecture or #! line");
    return result;
}

void tell_failure(const InitInput& input, const Error& error) noexcept {
    send_failed(input.channel, error);
    // Behind the gate covey-runtime's `create` has ended: its `start` reads here.
    if (input.report.valid()) write_failure(input.report, error);
}

/// At the gate init may wait for long: the caller's own streams (a pipe that it reads to its end)
/// and the pty's master must not stay open that long. One by one, as the profile may refuse
/// close_range(2) by now.
void let_go(const std::vector<int>& leftovers) {
    for (const int fd : leftovers)
        ::close(fd);
}

/// What is known only once the world is there.
struct Own {
    std::string program;
    FdRef terminal{-1};
};

Own prepare(const InitInput& input) {
    if (input.unmade_world == nullptr) return {input.program, input.terminal};
    const auto& process = *input.process;
    Own own;
    own.program = make_world(*input.unmade_world);
    auto& terminal = input.unmade_world->root->terminal();
    own.terminal = terminal.slave;
    // Before the cut, as Prepared (launch/message.hpp).
    if (terminal.master) send_terminal(input.channel, terminal.master);
    terminal.master.reset();
    set_own_scheduler(process);
    const bool is_there = enter_working_directory_early(process);
    cut_privileges(process, input.channel);
    if (!is_there) enter_working_directory(process);
    load_asking_filter(process, input.channel);
    return own;
}

int run_as_init(const InitInput& input) {
    const auto& process = *input.process;
    (void)sys::set_name("covey:init");
    // Before anything can go wrong: what it says counts only when it is known.
    send_alive(input.channel);
    fault_point("init.start");
    const auto own = prepare(input);
    if (input.nested != nullptr) {
        drop_in_nested(process, *input.nested, input.channel);
        if (!input.is_in_working_directory) enter_working_directory(process);
    }
    if (::setsid() < 0) throw Error::from_errno(errno, "setsid");
    if (own.terminal.valid())
        install_terminal(own.terminal, input.plain_newlines);
    else
        install_stdio(*input.stdio);
    let_go(input.leftovers);
    if (input.gate.valid()) {
        send_ready(input.channel);
        wait_at_gate(input.gate);
    }
    fault_point("init.exec");
    // As late as can be, but what a hook runs is the container's too: no more is allowed to it.
    if (process.seccomp && process.no_new_privileges && !asks_agent(process))
        load_filter(*process.seccomp, input.channel);
    if (input.start_hooks != nullptr && !input.start_hooks->empty())
        run_hooks(*input.start_hooks, "startContainer", (*input.hook_state)(::getpid(), "created"));
    pass_on_descriptors(input.preserved_fds);
    const auto error = input.program_file.valid()
                           ? sys::exec_fd(input.program_file, process.args, process.env)
                           : sys::exec_path(own.program, process.args, process.env);
    tell_failure(input, exec_error(error.value, own.program));
    return error.value == ENOENT ? kExitNotFound : kExitNotExecutable;
}

}  // namespace

void run_init(const InitInput& input) noexcept {
    int status = kExitFailed;
    try {
        status = run_as_init(input);
    } catch (const Error& error) {
        tell_failure(input, prefixed("init", error));
    } catch (const std::exception& error) {
        tell_failure(input, Error(Code::internal, fmt::format("init: {}", error.what())));
    }
    ::_exit(status);
}

}  // namespace covey::launch
