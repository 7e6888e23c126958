#include "base/id.hpp"
#include "base/log.hpp"
#include "engine/lending.hpp"
#include "engine/operations.hpp"
#include "engine/requests.hpp"
#include "sys/file.hpp"

#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> kill_exec(std::shared_ptr<ShimLink> link, std::string container,
                                std::string exec) {
    try {
        core::RequestBody wish = core::KillExec{container, exec};
        (void)co_await link->ask<core::Done>(std::move(wish));
    } catch (const Error& error) {
        // It ended by itself just now, or its container or the whole shim did.
        if (error.code() == Code::not_found || error.code() == Code::sandbox_gone ||
            error.code() == Code::failed_precondition)
            co_return;
        log::warning("cannot kill an exec",
                     {{"container", container}, {"exec", exec}, {"problem", error.detail()}});
    }
}

class ShimExec final : public ExecSession {
  public:
    ShimExec(StatePtr state, SandboxPtr sandbox, std::shared_ptr<ExecState> exec)
        : state_(std::move(state)), sandbox_(std::move(sandbox)), exec_(std::move(exec)) {}
    ~ShimExec() override {
        exec_->terminal.reset();
        if (exec_->exit || state_->closed || !sandbox_->has_shim()) return;
        try {
            asio::co_spawn(state_->executor,
                           kill_exec(sandbox_->link, exec_->facts.container, exec_->facts.exec),
                           asio::detached);
        } catch (const std::exception& problem) {  // no memory: the shim's end will do it
            log::error("cannot kill an exec", {{"problem", problem.what()}});
        }
    }

    [[nodiscard]] const core::ExecFacts& facts() const override { return exec_->facts; }
    UniqueFd take_input() override { return std::move(input); }
    UniqueFd take_output() override { return std::move(output); }
    UniqueFd take_error() override { return std::move(error); }
    asio::awaitable<core::ExitRecord> wait() override {
        const auto exec = exec_;
        while (!exec->exit)
            co_await exec->changed.wait();
        co_return *exec->exit;
    }

    UniqueFd input, output, error;

  private:
    StatePtr state_;
    SandboxPtr sandbox_;
    std::shared_ptr<ExecState> exec_;
};

/// The six ends of a process's standard streams.
struct Streams {
    UniqueFd our_input, our_output, our_error;
    std::array<UniqueFd, 3> theirs;
};

Streams make_streams() {
    auto in = sys::make_pipe().or_throw("make", "the pipe for stdin");
    auto out = sys::make_pipe().or_throw("make", "the pipe for stdout");
    auto err = sys::make_pipe().or_throw("make", "the pipe for stderr");
    for (const auto* end : {&in.write, &out.read, &err.read})
        sys::set_nonblocking(*end, true).or_throw("make non-blocking", "a pipe");
    return {std::move(in.write),
            std::move(out.read),
            std::move(err.read),
            {std::move(in.read), std::move(out.write), std::move(err.write)}};
}

core::ExecConfig exec_config_of(ExecAction action) {
    core::ExecConfig config;
    config.container = std::move(action.container);
    config.exec = random_id();
    config.args = std::move(action.command);
    config.env = std::move(action.env);
    config.uid = action.uid;
    config.gid = action.gid;
    config.cwd = std::move(action.cwd);
    config.terminal = action.terminal;
    config.rows = action.rows;
    config.columns = action.columns;
    config.add_capabilities = action.add_capabilities;
    return config;
}

void take_terminal(ShimExec& session, ExecState& exec, std::vector<UniqueFd> fds,
                   const Error& wrong_answer) {
    if (fds.size() != 1) throw Error(wrong_answer);
    sys::set_nonblocking(fds[0], true).or_throw("make non-blocking", "the exec's terminal");
    exec.terminal = sys::duplicate(fds[0]).or_throw("duplicate", "the exec's terminal");
    session.output = sys::duplicate(fds[0]).or_throw("duplicate", "the exec's terminal");
    session.input = std::move(fds[0]);
}

}  // namespace

asio::awaitable<std::unique_ptr<ExecSession>> exec(StatePtr state, ExecAction action) {
    if (action.command.empty())
        throw Error(Code::invalid_argument, "exec needs a command")
            .with_fix("say cmd= once for each word of it");
    const auto container = state->registry.container(action.container);
    require(*container, core::ContainerEvent::exec);
    const auto sandbox = state->registry.sandbox(container->request.sandbox);
    require_open(*sandbox);
    const ExecRights rights{action.add_capabilities, action.uid || action.gid};
    if (!container->request.debug) refuse_lending(*state, *sandbox, *container, rights);
    // For good: what it leaves behind has them too.
    container->exec_rights.capabilities |= rights.capabilities;
    container->exec_rights.other_user |= rights.other_user;
    const BusyGuard busy(sandbox);

    const auto config = exec_config_of(std::move(action));
    Streams streams;
    std::vector<FdRef> lent;
    if (!config.terminal) {
        streams = make_streams();
        lent.assign(streams.theirs.begin(), streams.theirs.end());
    }
    const auto link = sandbox->link;
    std::optional<ShimLink::Answer> answer;
    std::exception_ptr failed;
    try {
        core::RequestBody wish = core::Exec{config};
        answer = co_await link->call(std::move(wish), lent);
    } catch (const Error& error) {
        failed = std::current_exception();
        if (error.code() == Code::timeout)  // it may begin yet, with nobody at its streams
            asio::co_spawn(state->executor, kill_exec(link, config.container, config.exec),
                           asio::detached);
    }
    if (failed) std::rethrow_exception(failed);
    const auto* facts = std::get_if<core::ExecFacts>(&answer->body);
    if (facts == nullptr) throw link->wrong_answer();

    auto running = std::make_shared<ExecState>(state->executor);
    running->facts = *facts;
    sandbox->execs.insert_or_assign({config.container, config.exec}, running);
    state->publish_exec(*container, *facts, "exec.started");
    auto session = std::make_unique<ShimExec>(state, sandbox, running);
    if (config.terminal) {
        take_terminal(*session, *running, std::move(answer->fds), link->wrong_answer());
    } else {
        session->input = std::move(streams.our_input);
        session->output = std::move(streams.our_output);
        session->error = std::move(streams.our_error);
    }
    co_return session;
}

}  // namespace covey::daemon
