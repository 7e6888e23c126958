#include "engine/engine.hpp"

#include "engine/host_checks.hpp"
#include "engine/operations.hpp"

#include <fmt/format.h>

#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;

Engine::Engine(asio::io_context& io, EngineConfig config) : Engine(io, std::move(config), nullptr) {
}

Engine::Engine(asio::io_context& io, EngineConfig config,
               std::unique_ptr<Surroundings> surroundings)
    : state_(std::make_shared<EngineState>(io.get_executor(), std::move(config),
                                           std::move(surroundings))) {
}

Engine::~Engine() {
    state_->closed = true;
    state_->engine_containers->close();
    for (const auto& [id, sandbox] : state_->registry.sandboxes)
        if (sandbox->link) sandbox->link->close();
}

asio::awaitable<void> Engine::recover() {
    return run_to_end(state_->executor, daemon::recover(state_));
}

asio::awaitable<Created<SandboxView>> Engine::create_sandbox(CreateSandboxAction action) {
    return run_to_end(state_->executor, daemon::create_sandbox(state_, std::move(action)));
}

asio::awaitable<SandboxView> Engine::stop_sandbox(std::string id) {
    return run_to_end(state_->executor, daemon::stop_sandbox(state_, std::move(id)));
}

asio::awaitable<void> Engine::delete_sandbox(std::string id, bool force) {
    return run_to_end(state_->executor, daemon::delete_sandbox(state_, std::move(id), force));
}

SandboxView Engine::sandbox(const std::string& id) const {
    return state_->registry.view(*state_->registry.sandbox(id));
}

std::vector<SandboxView> Engine::sandboxes() const {
    std::vector<SandboxView> views;
    for (const auto& [id, sandbox] : state_->registry.sandboxes)
        if (sandbox->complete) views.push_back(state_->registry.view(*sandbox));
    return views;
}

asio::awaitable<std::vector<core::PodProcess>> Engine::processes(std::string sandbox) {
    return run_to_end(state_->executor, list_processes(state_, std::move(sandbox)));
}

asio::awaitable<ProcessView> Engine::find_process(ProcessQuery query) {
    return run_to_end(state_->executor, daemon::find_process(state_, std::move(query)));
}

std::vector<AccessView> Engine::access(const std::string& sandbox,
                                       const std::optional<std::string>& from,
                                       const std::optional<std::string>& to) const {
    return access_in(*state_, sandbox, from, to);
}

asio::awaitable<Created<ContainerView>> Engine::create_container(CreateContainerAction action) {
    return run_to_end(state_->executor, daemon::create_container(state_, std::move(action)));
}

asio::awaitable<ContainerView> Engine::start_container(std::string id) {
    return run_to_end(state_->executor, daemon::start_container(state_, std::move(id)));
}

asio::awaitable<ContainerView> Engine::pause_container(std::string id) {
    return run_to_end(state_->executor, daemon::pause_container(state_, std::move(id)));
}

asio::awaitable<ContainerView> Engine::resume_container(std::string id) {
    return run_to_end(state_->executor, daemon::resume_container(state_, std::move(id)));
}

asio::awaitable<void> Engine::kill_container(KillAction action) {
    return run_to_end(state_->executor, daemon::kill_container(state_, std::move(action)));
}

asio::awaitable<void> Engine::resize_container(ResizeAction action) {
    return run_to_end(state_->executor, daemon::resize_container(state_, std::move(action)));
}

asio::awaitable<void> Engine::update_container(UpdateAction action) {
    return run_to_end(state_->executor, daemon::update_container(state_, std::move(action)));
}

asio::awaitable<ContainerView> Engine::stop_container(StopContainerAction action) {
    return run_to_end(state_->executor, daemon::stop_container(state_, std::move(action)));
}

asio::awaitable<void> Engine::delete_container(std::string id, bool force) {
    return run_to_end(state_->executor, daemon::delete_container(state_, std::move(id), force));
}

asio::awaitable<std::optional<core::ExitRecord>> Engine::wait_container(
    std::string id, std::chrono::milliseconds limit) {
    // Changes nothing, so it ends with the one who waits.
    return daemon::wait_container(state_, std::move(id), limit);
}

ContainerView Engine::container(const std::string& id) const {
    return Registry::view(*state_->registry.container(id));
}

std::vector<ContainerView> Engine::containers() const {
    std::vector<ContainerView> views;
    for (const auto& [id, container] : state_->registry.containers)
        if (container->complete) views.push_back(Registry::view(*container));
    return views;
}

asio::awaitable<std::unique_ptr<ExecSession>> Engine::exec(ExecAction action) {
    return run_to_end(state_->executor, daemon::exec(state_, std::move(action)));
}

asio::awaitable<ContainerView> Engine::debug(DebugAction action) {
    return run_to_end(state_->executor, daemon::debug(state_, std::move(action)));
}

std::vector<EngineContainerView> Engine::engine_containers() const {
    return state_->engine_containers->list();
}

EngineContainerView Engine::engine_container(const std::string& id) const {
    auto found = state_->engine_containers->find(id);
    if (found.empty()) (void)state_->registry.container(id);  // throws not_found
    if (found.size() == 1) return std::move(found.front());
    std::string roots;
    for (const auto& one : found)
        roots += (roots.empty() ? "" : ", ") + one.facts.root;
    throw Error(Code::failed_precondition,
                fmt::format("engines have several containers '{}', in {}", id, roots))
        .with_fix("GET /v1/containers lists them all, each with its root");
}

void Engine::require_ours(const std::string& id) const {
    if (state_->registry.find_container(id)) return;
    const auto found = state_->engine_containers->find(id);
    if (found.empty()) return;
    const auto& one = found.front().facts;
    throw Error(
        Code::failed_precondition,
        fmt::format("container '{}' is {}'s, not Covey's: Covey shows it and changes nothing", id,
                    one.engine))
        .with_fix(one.engine == "oci"
                      ? fmt::format("covey-runtime --root {} …", one.root)
                      : fmt::format("use {}'s own command, or covey-runtime --root {} …",
                                    one.engine, one.root));
}

std::unique_ptr<EventReader> Engine::events(std::uint64_t since) {
    return state_->events->reader(since);
}

std::uint64_t Engine::newest_event() const {
    return state_->events->newest();
}

EventCounters Engine::event_counters() const {
    return state_->events->counters();
}

std::vector<HostCheck> Engine::host_checks() const {
    return check_host(state_->surroundings->host(), state_->config.ids);
}

const cgroup::Host& Engine::cgroup_host() const {
    return state_->surroundings->host();
}

}  // namespace covey::daemon
