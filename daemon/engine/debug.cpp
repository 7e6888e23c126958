// Debuggers: containers that look at others, for a time. What they are is a container's business
// (container_ops.cpp); here is how one is asked for and how it ends.
#include "base/id.hpp"
#include "base/log.hpp"
#include "engine/operations.hpp"
#include "engine/requests.hpp"
#include "sys/file.hpp"
#include "sys/privileges.hpp"

#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace covey::daemon {

namespace asio = boost::asio;
using std::chrono::microseconds;

namespace {

constexpr std::chrono::seconds kRetry{10};  // to remove one that could not be removed

void require_tools(const std::string& path) {
    const auto found = sys::stat_at(sys::kCwd, path);
    if (found && S_ISDIR(found.value().st_mode)) return;
    if (found)
        throw Error(Code::invalid_argument,
                    fmt::format("tools '{}' is {}", path,
                                S_ISLNK(found.value().st_mode) ? "a symlink" : "no folder"))
            .with_fix("name the real path of a root folder with the tools");
    throw Error::from_errno(found.error(), "look at the tools folder", path)
        .with_fix(
            fmt::format("name a root folder with the tools in `tools`, or make one of busybox: "
                        "mkdir -p {0}/bin && cp /bin/busybox {0}/bin && chroot {0} /bin/busybox "
                        "--install -s /bin",
                        path));
}

/// What the profile adds to the default capabilities. Warns of what there is not to give.
std::uint64_t capabilities_of(DebugProfile profile, std::vector<std::string>& warnings) {
    if (profile == DebugProfile::restricted) return 0;
    if (profile == DebugProfile::general)
        return std::uint64_t{1} << static_cast<unsigned>(
                   spec::capability_number("SYS_PTRACE").value_or(0));
    const auto all = (std::uint64_t{2} << static_cast<unsigned>(sys::last_capability())) - 1;
    const auto own = sys::get_capabilities().or_throw("read", "own capabilities").permitted &
                     sys::get_bounding_set().or_throw("read", "own bounding set");
    for (const auto& name : spec::capability_names_of(all & ~own))
        warnings.push_back(fmt::format("{} is not given: coveyd does not have it itself", name));
    return all & own;
}

CreateContainerAction container_of(const EngineState& state, const DebugAction& action) {
    CreateContainerAction wish;
    wish.id = action.id;
    wish.sandbox = action.sandbox;
    wish.bundle = state.sandbox_path(action.sandbox) + "/" + container_folder(action.id);
    wish.pid_mode = action.joins_target ? spec::PidMode::target : spec::PidMode::pod;
    if (action.joins_target) wish.target = action.target;
    wish.access = action.access;
    wish.pid1_signals = spec::Pid1Signals::ignore;  // who debugs means the number that is written
    wish.drop_capabilities = action.drop_capabilities;
    wish.stdio = action.stdio;
    wish.labels = action.labels;
    wish.seccomp = "default";
    DebugTerms terms;
    terms.profile = action.profile;
    terms.target = action.target;
    terms.tools = action.tools;
    terms.remove = action.remove;
    terms.holds = action.command.empty();
    terms.expires_at =
        unix_microseconds() + std::chrono::duration_cast<microseconds>(action.ttl).count();
    wish.debug = std::move(terms);
    return wish;
}

bool is_over(const ContainerEntry& container) {
    const auto& terms = *container.request.debug;
    // Not started: the daemon that was asked for it ended in the middle, and nobody got an answer.
    if (container.facts.state == core::ContainerState::created) return true;
    return terms.remove && (container.facts.exit || (terms.holds && container.last_exec_ended));
}

asio::awaitable<bool> remove(StatePtr state, std::string id) {
    try {
        co_await delete_container(state, id, true);
        co_return true;
    } catch (const Error& error) {
        log::warning("cannot remove a debugger yet",
                     {{"container", id}, {"problem", error.detail()}});
    }
    co_return false;
}

asio::awaitable<void> watch(std::weak_ptr<EngineState> owner, ContainerPtr container,
                            Clock::time_point deadline) {
    while (!container->deleted && !is_over(*container) && Clock::now() < deadline)
        co_await container->changed.wait_until(deadline);
    if (!container->deleted && !is_over(*container))
        log::info("a debugger's time is over", {{"container", container->request.id}});
    for (bool removed = false; !removed;) {
        auto state = owner.lock();
        if (!state || state->closed || container->deleted) co_return;
        removed = co_await remove(std::move(state), container->request.id);
        if (!removed) co_await container->changed.wait_until(Clock::now() + kRetry);
    }
}

}  // namespace

asio::awaitable<ContainerView> debug(StatePtr state, DebugAction action) {
    if (action.id.empty()) action.id = "debug-" + random_id().substr(0, 8);
    require_valid_id(action.id, "container id");
    (void)state->registry.sandbox(action.sandbox);  // throws not_found
    if (action.tools.empty()) action.tools = state->config.debug_tools;
    require_tools(action.tools);
    auto wish = container_of(*state, action);
    std::vector<std::string> warnings;
    wish.add_capabilities = (action.add_capabilities | capabilities_of(action.profile, warnings)) &
                            ~action.drop_capabilities;
    if (state->registry.find_container(action.id)) throw already_exists("container", action.id);
    auto config = debug_config(action, wish.add_capabilities);
    const auto created = co_await create_container(state, std::move(wish), std::move(config));
    const auto container = state->registry.find_container(action.id);
    if (created.was_there || !container) throw already_exists("container", action.id);
    std::optional<ContainerView> view;
    std::exception_ptr failed;
    try {
        view = co_await start_container(state, action.id);
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        (void)co_await remove(state, action.id);
        std::rethrow_exception(failed);
    }
    for (const auto& warning : warnings) {
        container->facts.warnings.push_back(warning);
        view->facts.warnings.push_back(warning);
    }
    watch_debugger(state, container);
    co_return std::move(*view);
}

void watch_debugger(const StatePtr& state, const ContainerPtr& container) {
    // The record has the wall clock's time, which may have been set meanwhile.
    const auto left = std::clamp(container->request.debug->expires_at - unix_microseconds(),
                                 std::int64_t{0}, microseconds{kLongestDebugging}.count());
    asio::co_spawn(state->executor, watch(state, container, Clock::now() + microseconds{left}),
                   asio::detached);
}

}  // namespace covey::daemon
