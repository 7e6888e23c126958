#include "covey/sandbox.hpp"

#include "base/fault.hpp"
#include "base/id.hpp"
#include "base/rollback.hpp"
#include "cgroup/cgroup.hpp"
#include "core/sandbox_state.hpp"
#include "core/shim_process.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

namespace covey {
namespace {

/// Made at first use, shared by all sandboxes of the process.
const core::Programs& programs() {
    static const core::Programs loaded = core::Programs::load();
    return loaded;
}

/// A group that is there is another owner's (a coveyd with the same parent): clearing up after a
/// failed create must never reach it.
void require_free_group(const std::string& cgroup, const std::string& id) {
    const auto host = cgroup::detect();
    if (!sys::stat_at(sys::kCwd, host.identity_mount() + cgroup)) return;
    throw Error(Code::already_exists,
                "cgroup " + cgroup + " of sandbox '" + id + "' is there already")
        .with_fix("choose another id or another cgroup_parent");
}

UniqueFd make_folder(const store::StateDir& root, const std::string& id) {
    const auto sandboxes = root.folder("sandboxes");
    const auto made = sys::mkdir_at(sandboxes, id, 0700);
    if (!made && made.error() == EEXIST)
        throw Error(Code::already_exists, "sandbox '" + id + "' exists below " + root.path())
            .with_fix(
                "choose another id, or open() and remove() that one; discard() if it is dead");
    made.or_throw("create state of sandbox", id);
    return sys::open_dir_at(sandboxes, id).or_throw("open state of sandbox", id);
}

void remove_folder(const std::string& root, const std::string& id) {
    if (const auto sandboxes = sys::open_dir(root + "/sandboxes"))
        (void)sys::remove_tree_at(sandboxes.value(), id);
}

/// The shim has answered with an error: it has rolled back whatever it made, so nothing but itself
/// is left, and a cgroup of that name may well be somebody else's.
void dismiss_shim(core::ShimClient& client, sys::Child& shim) {
    try {
        (void)client.call(core::Shutdown{}, kCallLimit);
    } catch (const Error&) {
        (void)sys::pidfd_send_signal(shim.pidfd, SIGKILL);
    }
    core::end_shim(shim);
}

core::SandboxFacts request_sandbox(core::ShimClient& client, const core::SandboxConfig& config,
                                   sys::Child& shim) {
    try {
        fault_point("core.create_sandbox");
        return std::get<core::SandboxFacts>(client.call(core::CreateSandbox{config}, kCallLimit));
    } catch (const Error& error) {
        const bool answered = error.code() != Code::timeout && error.code() != Code::sandbox_gone;
        if (answered) dismiss_shim(client, shim);
        throw;
    }
}

}  // namespace

core::ShimClient Sandbox::State::connect() const {
    return core::ShimClient{core::connect_shim(folder)};
}

core::SandboxFacts Sandbox::State::facts() const {
    auto client = connect();
    for (auto& item : client.status(kCallLimit))
        if (auto* found = std::get_if<core::SandboxFacts>(&item.item)) return std::move(*found);
    throw Error(Code::sandbox_gone, "the covey-shim of sandbox '" + id + "' holds no sandbox");
}

Sandbox::Sandbox(std::shared_ptr<State> state) : state_(std::move(state)) {
}
Sandbox::Sandbox(Sandbox&&) noexcept = default;
Sandbox& Sandbox::operator=(Sandbox&&) noexcept = default;
Sandbox::~Sandbox() = default;

Sandbox Sandbox::create(std::string_view id, const SandboxOptions& options) {
    const auto config = core::sandbox_config(id, options);
    const auto& helpers = programs();
    const auto root = store::StateDir::open(options.state_root);
    const auto cache = root.folder("cache/seccomp");
    core::SandboxRecord record;
    record.cgroup =
        (config.cgroup_parent == "/" ? "" : config.cgroup_parent) + "/" + config.id + ".pod";
    require_free_group(record.cgroup, config.id);

    auto state = std::make_shared<State>();
    state->id = config.id;
    state->root = root.path();
    state->path = root.path() + "/sandboxes/" + config.id;
    state->folder = make_folder(root, config.id);
    Rollback rollback;
    rollback.add([state] { remove_folder(state->root, state->id); });
    core::write_sandbox_record(state->folder, record);

    auto spawned = core::spawn_shim(helpers, config.id, state->folder, cache);
    state->shim = std::move(spawned.process);
    rollback.add([state] {
        if (state->shim.pidfd.valid()) core::dismantle(state->root, state->id, state->shim);
    });
    record.shim_pid = state->shim.pid;
    record.shim_start_time = core::start_time_of(state->shim.pid);
    core::write_sandbox_record(state->folder, record);
    core::ShimClient client{std::move(spawned.connection)};
    auto facts = request_sandbox(client, config, state->shim);
    core::pin_namespaces(facts, state->folder, state->path);
    rollback.release();
    return Sandbox{std::move(state)};
}

Sandbox Sandbox::open(std::string_view id, const std::string& state_root) {
    require_valid_id(id, "sandbox id");
    auto state = std::make_shared<State>();
    state->id = std::string{id};
    state->root = state_root;
    state->path = state_root + "/sandboxes/" + state->id;
    auto folder = sys::open_dir(state->path);
    if (!folder && folder.error() == ENOENT)
        throw Error(Code::not_found, "no sandbox '" + state->id + "' below " + state_root);
    state->folder = std::move(folder).or_throw("open state of sandbox", id);
    try {
        (void)state->connect();
    } catch (Error& error) {
        error.set_fix("covey::Sandbox::discard() removes what is left of it");
        throw;
    }
    return Sandbox{std::move(state)};
}

void Sandbox::discard(std::string_view id, const std::string& state_root) {
    require_valid_id(id, "sandbox id");
    sys::Child shim;
    core::dismantle(state_root, std::string{id}, shim);
}

const std::string& Sandbox::id() const noexcept {
    return state_->id;
}

pid_t Sandbox::pid() const {
    return state_->facts().pause_pid;
}

std::string Sandbox::namespace_path(std::string_view type) const {
    const auto path = state_->path + "/ns/" + std::string{type};
    if (!is_valid_id(type) || !sys::stat_at(sys::kCwd, path))
        throw Error(Code::not_found,
                    "sandbox '" + state_->id + "' has no namespace '" + std::string{type} + "'")
            .with_fix(
                "the types are pid, net, ipc, uts and, if the sandbox has them, user and time");
    return path;
}

Container Sandbox::create_container(std::string_view id, const std::string& bundle,
                                    const ContainerOptions& options) {
    const auto config = core::container_config(id, bundle, options);
    auto client = state_->connect();
    (void)client.call(core::CreateContainer{config}, kCallLimit);
    return Container{std::make_unique<Container::State>(Container::State{state_, config.id})};
}

Container Sandbox::container(std::string_view id) {
    require_valid_id(id, "container id");
    auto state = std::make_unique<Container::State>(Container::State{state_, std::string{id}});
    (void)state->facts();
    return Container{std::move(state)};
}

void Sandbox::stop() {
    (void)state_->connect().call(core::StopSandbox{}, kCallLimit);
}

void Sandbox::remove() {
    const std::lock_guard guard{state_->mutex};
    core::dismantle(state_->root, state_->id, state_->shim);
}

}  // namespace covey
