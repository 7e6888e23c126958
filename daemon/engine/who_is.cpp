// Whose process is it: by the cgroup that it is in, whatever its parent says.
#include "engine/beside.hpp"
#include "engine/operations.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kOwn = "covey";

Error not_there(const std::string& what) {
    return Error(Code::not_found, what).with_fix("covey tree shows every process of a sandbox");
}

std::uint64_t pod_inode(const SandboxEntry& sandbox) {
    const auto pid = sandbox.facts.namespaces.find("pid");
    return pid == sandbox.facts.namespaces.end() ? 0 : pid->second.inode;
}

std::string belongs_to(const ProcessView& view) {
    if (view.engine != kOwn)
        return fmt::format("{}'s container '{}'", view.engine, view.process.container);
    if (view.process.container.empty()) return fmt::format("sandbox '{}' (pause)", view.sandbox);
    return fmt::format("sandbox '{}' (container '{}')", view.sandbox, view.process.container);
}

/// Fills in who owns the group; false: nobody whom coveyd knows.
bool attribute(const EngineState& state, const std::string& group, ProcessView& view,
               std::uint64_t& inode) {
    for (const auto& [id, sandbox] : state.registry.sandboxes) {
        const auto pod = sandbox->cgroup();
        if (!sandbox->complete || pod.empty() || !cgroup::is_in_group(group, pod)) continue;
        const auto owner = core::owner_of_group(std::string_view{group}.substr(pod.size()));
        view.process.container = owner.container;
        view.process.exec = owner.exec;
        view.sandbox = id;
        view.engine = kOwn;
        inode = pod_inode(*sandbox);
        return true;
    }
    const auto* container = state.engine_containers->owner_of(group);
    if (container == nullptr) return false;
    view.process.container = container->record.id;
    view.sandbox = container->pod;
    view.engine = container->engine;
    return true;
}

void require_whole_process(FdRef proc, pid_t pid) {
    const auto status = sys::read_status(proc, pid);
    if (!status) throw not_there(fmt::format("no process {} on this host", pid));
    if (const auto leader = status.value().tgid; leader != pid)
        throw Error(Code::invalid_argument,
                    fmt::format("{} is no process but a thread of process {}", pid, leader))
            .with_fix(fmt::format("ask for pid={}", leader));
}

/// Whose it is; of the process itself only its number.
ProcessView attribute_number(const EngineState& state, FdRef proc, pid_t pid,
                             std::uint64_t& inode) {
    require_whole_process(proc, pid);
    ProcessView view;
    const auto group = cgroup::identity_of(state.surroundings->host(), proc, pid);
    if (!attribute(state, group, view, inode))
        throw not_there(fmt::format(
            "process {} is in no sandbox and no container of an engine: its cgroup is {}", pid,
            group));
    view.process.pid = pid;
    return view;
}

asio::awaitable<ProcessView> by_host_number(StatePtr state, pid_t pid) {
    auto proc = std::make_shared<UniqueFd>(sys::open_proc().or_throw("open", "/proc"));
    std::uint64_t inode = 0;
    auto view = attribute_number(*state, *proc, pid, inode);
    // It may be silent for a while (core/patient_reading.hpp).
    std::function<std::optional<core::PodProcess>()> read = [proc, pid, inode] {
        return core::read_process(*proc, pid, inode);
    };
    auto process = co_await beside(state->executor, std::move(read));
    if (!process) throw not_there(fmt::format("no process {} on this host", pid));
    process->container = view.process.container;
    process->exec = view.process.exec;
    view.process = *std::move(process);
    co_return view;
}

asio::awaitable<ProcessView> by_pod_number(StatePtr state, std::string id, pid_t number) {
    auto all = co_await list_processes(state, id);
    for (auto& process : all)
        if (process.pod_pid == number)
            co_return ProcessView{std::move(process), id, std::string{kOwn}};
    throw not_there(fmt::format("no process {} in the PID namespace of sandbox '{}'", number, id));
}

std::optional<pid_t> find_inode(const cgroup::Host& host, const std::vector<std::string>& groups,
                                std::uint64_t inode) {
    for (const auto& group : groups)
        for (const auto pid : core::processes_below(host, group)) {
            const auto pidfd = sys::pidfd_open(pid);
            if (!pidfd) continue;
            const auto known = sys::pidfd_inode(pidfd.value());
            if (!known && known.error() == ENOTTY)
                throw Error(Code::unsupported_by_host,
                            "this kernel gives pidfds no identity (pidfs came with Linux 6.9)")
                    .with_fix("ask for pid= while you hold the pidfd: the number is not reused");
            if (known && known.value() == inode) return pid;
        }
    return std::nullopt;
}

asio::awaitable<std::optional<pid_t>> pid_of_inode(StatePtr state, std::uint64_t inode) {
    std::vector<std::string> groups = state->engine_containers->groups();
    for (const auto& [id, sandbox] : state->registry.sandboxes)
        if (sandbox->complete && !sandbox->cgroup().empty()) groups.push_back(sandbox->cgroup());
    std::function<std::optional<pid_t>()> look = [host = state->surroundings->host(),
                                                  groups = std::move(groups), inode] {
        return find_inode(host, groups, inode);
    };
    co_return co_await beside(state->executor, std::move(look));
}

}  // namespace

asio::awaitable<std::vector<core::PodProcess>> list_processes(StatePtr state, std::string id) {
    (void)state->registry.sandbox(id);  // who is not there has no lock
    const auto guard = co_await state->locks->acquire("list of processes/" + id);
    const auto sandbox = state->registry.sandbox(id);
    if (sandbox->cgroup().empty()) co_return std::vector<core::PodProcess>{};
    std::function<std::vector<core::PodProcess>()> list =
        [host = state->surroundings->host(), group = sandbox->cgroup(),
         inode = pod_inode(*sandbox)] { return core::list_pod_processes(host, group, inode); };
    co_return co_await beside(state->executor, std::move(list));
}

asio::awaitable<ProcessView> find_process(StatePtr state, ProcessQuery query) {
    if (query.pod_pid) {
        auto id = query.sandbox.value_or("");
        co_return co_await by_pod_number(state, std::move(id), *query.pod_pid);
    }
    // Who names a sandbox that is not there hears of that, not of the process.
    if (query.sandbox) (void)state->registry.sandbox(*query.sandbox);
    auto pid = query.pid;
    if (query.pidfd_inode) pid = co_await pid_of_inode(state, *query.pidfd_inode);
    if (!pid)
        throw not_there(
            fmt::format("no process of a sandbox or an engine's container has the pidfd "
                        "inode {}",
                        query.pidfd_inode.value_or(0)));
    auto view = co_await by_host_number(state, *pid);
    if (query.sandbox && (view.engine != kOwn || view.sandbox != *query.sandbox))
        throw not_there(fmt::format("process {} is not in sandbox '{}': it is in {}", *pid,
                                    *query.sandbox, belongs_to(view)));
    co_return view;
}

void signal_process(const EngineState& state, const std::string& container, pid_t pid, int signal) {
    // Held before it is looked at: the number cannot be given anew in between.
    const auto held = sys::pidfd_open(pid);
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    std::uint64_t inode = 0;
    const auto view = attribute_number(state, proc, pid, inode);
    if (view.engine != kOwn || view.process.container != container)
        throw not_there(fmt::format("process {} is not in container '{}': it is in {}", pid,
                                    container, belongs_to(view)));
    if (!held) throw not_there(fmt::format("no process {} on this host", pid));
    const auto sent = sys::pidfd_send_signal(held.value(), signal);
    if (!sent && sent.error() == ESRCH) throw not_there(fmt::format("process {} has ended", pid));
    sent.or_throw("signal process", std::to_string(pid));
}

}  // namespace covey::daemon
