#include "unit/engine/fake_shim.hpp"

#include "core/protocol.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

#include <fcntl.h>

namespace covey::test {

namespace asio = boost::asio;

namespace {

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

sys::Child start_sleeper() {
    const auto program = sys::open("/bin/sleep", O_RDONLY).or_throw("open", "/bin/sleep");
    sys::SpawnArguments arguments;
    arguments.program = program;
    arguments.args = {"sleep", "600"};
    return sys::spawn(arguments).or_throw("spawn", "sleep");
}

}  // namespace

FakeShim::FakeShim(asio::io_context& io, std::string id, std::string folder, bool with_process)
    : io_(io), id_(std::move(id)), folder_(std::move(folder)) {
    if (with_process) {
        process_ = start_sleeper();
        return;
    }
    auto pipe = sys::make_pipe().or_throw("make", "pipe");
    process_.pidfd = std::move(pipe.read);
    life_ = std::move(pipe.write);
}

FakeShim::~FakeShim() {
    die();
    if (process_.pid != 0) (void)sys::wait_process(process_.pidfd);
}

UniqueFd FakeShim::duplicate_pidfd() const {
    return sys::duplicate(process_.pidfd).or_throw("duplicate", "pidfd");
}

bool FakeShim::process_runs() const {
    return !sys::wait_ended(process_.pidfd, 0);
}

UniqueFd FakeShim::connect() {
    if (!alive_) throw Error(Code::sandbox_gone, "nobody listens");
    auto pair = sys::seqpacket_pair().or_throw("make", "socket pair");
    sys::set_nonblocking(pair.child, true).or_throw("make", "non-blocking");
    auto socket = std::make_shared<Socket>(io_, pair.child.release());
    sockets_.push_back(socket);
    asio::co_spawn(io_, serve(socket), asio::detached);
    return std::move(pair.parent);
}

void FakeShim::die() {
    if (!std::exchange(alive_, false)) return;
    kept_.clear();
    for (const auto& socket : sockets_)
        socket->close();
    sockets_.clear();
    life_.reset();
    if (process_.pid != 0) (void)sys::pidfd_send_signal(process_.pidfd, SIGKILL);
}

asio::awaitable<void> FakeShim::serve(std::shared_ptr<Socket> socket) {
    const auto self = shared_from_this();
    while (alive_) {
        boost::system::error_code failed;
        co_await socket->async_wait(Socket::wait_read,
                                    asio::redirect_error(asio::use_awaitable, failed));
        if (failed || !alive_) co_return;
        auto packet = sys::receive_packet(FdRef{socket->native_handle()});
        if (!packet && packet.error() == EAGAIN) continue;
        if (!packet || packet.value().data.empty()) {
            sockets_.remove(socket);
            co_return;
        }
        handle(socket, core::decode_request(packet.value().data), std::move(packet.value().fds));
    }
}

void FakeShim::handle(const std::shared_ptr<Socket>& socket, core::Request request,
                      std::vector<UniqueFd> fds) {
    requests.emplace_back(core::operation_name(request.body));
    const auto what = script ? script(request.body) : Script::obey;
    if (what == Script::die) return die();
    if (what == Script::silent) {
        kept_.push_back({socket, std::move(request), std::move(fds)});
        return;
    }
    if (std::holds_alternative<core::Status>(request.body))
        return send_status(*socket, request.number);
    core::ReplyBody reply = Error(Code::invalid_spec, "scripted failure").with_fix("none");
    if (what != Script::fail) reply = carry_out(request.body, std::move(fds));
    if (what == Script::obey_and_die) return die();
    send(*socket, core::encode(core::Reply{request.number, std::move(reply)}));
    if (std::holds_alternative<core::Shutdown>(request.body)) die();
}

void FakeShim::answer_kept() {
    for (auto& kept : std::exchange(kept_, {})) {
        auto reply = carry_out(kept.request.body, std::move(kept.fds));
        const bool is_there =
            std::find(sockets_.begin(), sockets_.end(), kept.socket) != sockets_.end();
        if (is_there)
            send(*kept.socket, core::encode(core::Reply{kept.request.number, std::move(reply)}));
        else if (const auto* facts = std::get_if<core::ContainerFacts>(&reply))
            tell(core::ContainerStarted{*facts});
    }
}

void FakeShim::send_status(Socket& socket, std::uint64_t number) {
    const auto item = [&](core::StatusItem one) {
        send(socket, core::encode(core::Reply{number, std::move(one)}));
    };
    if (sandbox) item({*sandbox});
    for (const auto& [id, facts] : containers)
        item({facts});
    for (const auto& [id, facts] : execs)
        item({facts});
    send(socket, core::encode(core::Reply{number, core::Done{}}));
}

core::ReplyBody FakeShim::carry_out(const core::RequestBody& body, std::vector<UniqueFd> fds) {
    if (const auto* wish = std::get_if<core::CreateSandbox>(&body)) {
        core::SandboxFacts facts;
        facts.id = wish->config.id;
        facts.state = core::SandboxState::ready;
        facts.pause_pid = next_pid_++;
        facts.shim_pid = process_.pid;
        if (process_.pid != 0)
            facts.shim_start_time =
                sys::read_stat(sys::open_proc().or_throw("open", "/proc"), process_.pid)
                    .or_throw("read stat of", "the sleeper")
                    .start_time;
        facts.cgroup = "/covey/" + id_ + ".pod";
        facts.created_at = now();
        facts.namespaces["pid"] = {"/proc/1/ns/pid", 4, 77};
        if (const auto user = wish->config.namespaces.find("user");
            user != wish->config.namespaces.end()) {
            facts.uid_mappings = user->second.uid_mappings;
            facts.gid_mappings = user->second.gid_mappings;
        }
        sandbox = facts;
        write_sandbox();
        return facts;
    }
    if (const auto* wish = std::get_if<core::CreateContainer>(&body)) return create(*wish);
    if (const auto* wish = std::get_if<core::StartContainer>(&body)) {
        auto& facts = containers.at(wish->id);
        facts.state = core::ContainerState::running;
        facts.started_at = now();
        write_container(wish->id);
        return facts;
    }
    if (const auto* wish = std::get_if<core::PauseContainer>(&body))
        return stand_still(wish->id, core::ContainerState::paused);
    if (const auto* wish = std::get_if<core::ResumeContainer>(&body))
        return stand_still(wish->id, core::ContainerState::running);
    if (const auto* wish = std::get_if<core::KillContainer>(&body)) return signal(*wish);
    if (const auto* wish = std::get_if<core::DeleteContainer>(&body)) return remove(*wish);
    if (const auto* wish = std::get_if<core::Exec>(&body)) {
        core::ExecFacts facts;
        facts.container = wish->config.container;
        facts.exec = wish->config.exec;
        facts.pid = next_pid_++;
        execs[facts.exec] = facts;
        exec_fds[facts.exec] = std::move(fds);
        return facts;
    }
    if (const auto* wish = std::get_if<core::KillExec>(&body)) {
        if (!execs.contains(wish->exec)) return Error(Code::not_found, "no such exec");
        end_exec(wish->container, wish->exec, 137);
        return core::Done{};
    }
    if (std::holds_alternative<core::StopSandbox>(body)) {
        if (!sandbox) return Error(Code::failed_precondition, "there is no sandbox to stop");
        for (const auto& [id, facts] : std::map(containers))
            if (!facts.exit) exit_container(id, 137);
        pause_dies();
        return *sandbox;
    }
    return core::Done{};
}

core::ReplyBody FakeShim::create(const core::CreateContainer& wish) {
    core::ContainerFacts facts;
    facts.config = wish.config;
    facts.state = core::ContainerState::created;
    facts.pid = next_pid_++;
    facts.pod_pid = 2;
    facts.created_at = now();
    containers[wish.config.id] = facts;
    write_container(wish.config.id);
    return facts;
}

core::ReplyBody FakeShim::signal(const core::KillContainer& wish) {
    const auto at = containers.find(wish.id);
    if (at == containers.end()) return Error(Code::not_found, "no such container");
    if (at->second.exit) return Error(Code::failed_precondition, "it has ended");
    if (wish.signal == SIGKILL) exit_container(wish.id, 128 + SIGKILL);
    return core::Done{};
}

core::ReplyBody FakeShim::stand_still(const std::string& id, core::ContainerState state) {
    auto& facts = containers.at(id);
    if (facts.exit) return Error(Code::failed_precondition, "it has ended").with_fix("delete it");
    facts.state = state;
    facts.paused_at = state == core::ContainerState::paused ? now() : 0;
    write_container(id);
    return facts;
}

core::ReplyBody FakeShim::remove(const core::DeleteContainer& wish) {
    const auto at = containers.find(wish.id);
    if (at == containers.end()) return Error(Code::not_found, "no such container");
    if (!at->second.exit && !wish.force) return Error(Code::failed_precondition, "it runs");
    containers.erase(at);
    return core::Done{};
}

void FakeShim::exit_container(const std::string& id, int code) {
    auto& facts = containers.at(id);
    facts.state = core::ContainerState::stopped;
    facts.exit = core::ExitRecord{code, code > 128 ? code - 128 : 0, false, now(), {}};
    write_container(id);
    tell(core::ContainerExited{id, *facts.exit});
}

void FakeShim::end_exec(std::string container, std::string exec, int code) {
    execs.erase(exec);
    exec_fds.erase(exec);
    tell(core::ExecExited{container, exec, core::ExitRecord{code, 0, false, now(), {}}});
}

void FakeShim::pause_dies() {
    sandbox->state = core::SandboxState::stopped;
    sandbox->stopped_at = now();
    sandbox->pause_pid = 0;
    write_sandbox();
    tell(core::SandboxStopped{"told to"});
}

void FakeShim::send(Socket& socket, const std::string& packet) {
    if (socket.is_open()) (void)sys::send_packet(FdRef{socket.native_handle()}, packet);
}

void FakeShim::tell(const core::Event& event) {
    if (!tell_events) return;
    for (const auto& socket : sockets_)
        send(*socket, core::encode(event));
}

void FakeShim::write_container(const std::string& id) {
    const auto folder = sys::open_dir(folder_ + "/containers/" + id);
    if (folder)
        (void)sys::replace_file_at(folder.value(), "container.json",
                                   core::encode_facts(containers.at(id)), 0600);
}

void FakeShim::write_sandbox() {
    if (const auto folder = sys::open_dir(folder_))
        (void)sys::replace_file_at(folder.value(), "sandbox.json", core::encode_facts(*sandbox),
                                   0600);
}

}  // namespace covey::test
