#include "shim/container.hpp"

#include "base/fault.hpp"
#include "base/rollback.hpp"
#include "core/lifecycle.hpp"
#include "shim/exec_state.hpp"
#include "store/start_gate.hpp"
#include "sys/file.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include <unistd.h>

namespace covey::shim {
namespace {

constexpr mode_t kFolderMode = 0700;

UniqueFd make_folder(FdRef sandbox_folder, const std::string& id) {
    const auto made = sys::mkdir_at(sandbox_folder, "containers", kFolderMode);
    if (!made && made.error() != EEXIST) made.or_throw("make folder", "containers");
    const auto path = "containers/" + id;
    // The owner may have made it already, for a record of its own.
    const auto own = sys::mkdir_at(sandbox_folder, path, kFolderMode);
    if (!own && own.error() != EEXIST) own.or_throw("make folder", path);
    return sys::open_dir_at(sandbox_folder, path).or_throw("open folder", path);
}

}  // namespace

Container::Container(const Context& context, core::ContainerConfig config, ReplyTo reply)
    : context_(context),
      owner_(context.loop, "container " + config.id,
             [this](const Error& error) { on_trouble(error); }),
      record_(owner_, "container.json", facts_.record_stale,
              [this] { return core::encode_facts(facts_); }),
      pid1_router_(owner_, [this]() -> task::Pid1Router::Target {
          if (main_exit_) return {};
          return {facts_.pid, main_};
      }) {
    facts_.config = std::move(config);
    facts_.state = core::ContainerState::creating;
    facts_.created_at = task::unix_microseconds();
    facts_.cgroup = context_.sandbox.facts().cgroup + "/" + facts_.config.id + ".ctr";
    check_target();
    Rollback rollback;
    fault_point("container.folder");
    folder_ = make_folder(context_.folder, facts_.config.id);
    rollback.add([this] { remove_folder(); });
    store::make_start_gate(folder_);
    fault_point("container.cgroup");
    group_.emplace(cgroup::Group::create_everywhere(context_.host, facts_.cgroup));
    work_.emplace(owner_, context_.host, facts_.cgroup,
                  context_.homes.others_than(facts_.config.id));
    rollback.add([this] {
        group_->kill();  // a launcher may be there
        (void)group_->try_remove();
    });
    launch();
    rollback.release();
    create_reply_ = reply;
}

Container::~Container() {
    let_neighbours_go();
}

const Container& Container::alive(std::string_view role, const std::string& id) const {
    const auto* const found = context_.find(id);
    if (found == nullptr)
        throw Error(Code::not_found, fmt::format("{} '{}' is no container of sandbox '{}'", role,
                                                 id, context_.sandbox.facts().id))
            .with_fix("a target must be in the same sandbox: covey ps lists its containers");
    const auto state = found->facts_.state;
    const bool is_alive = state == core::ContainerState::created || core::has_started(state);
    if (!is_alive || !found->main_ || found->main_exit_)
        throw Error(Code::failed_precondition,
                    fmt::format("{} '{}' is {}", role, id, core::state_name(state)))
            .with_fix("start the target first: its main process holds what is its own");
    return *found;
}

void Container::check_target() const {
    const auto& config = facts_.config;
    const bool wants = config.pid_mode == spec::PidMode::target;
    if (wants == config.target.empty())
        throw Error(Code::invalid_argument,
                    wants ? "pid mode target without a target" : "a target without pid mode target")
            .with_fix("name a container of the same sandbox as target, with pid mode target");
    if (!config.view.empty()) (void)alive("target", config.view);
    if (!wants) return;
    const auto* const found = &alive("target", config.target);
    if (found->facts_.config.access.is_restricted() && !found->is_in_domain_)
        throw Error(Code::unsupported_by_host,
                    fmt::format("target '{}' has restricted access, which on this kernel only its "
                                "PID namespace keeps: nobody else may be in there",
                                config.target))
            .with_fix("look at it from pid mode pod, or create it with access open");
    if (found->facts_.config.pid_mode == spec::PidMode::node)
        throw Error(Code::invalid_argument,
                    fmt::format("target '{}' is in the host's PID namespace", config.target))
            .with_fix("use pid mode node, if that is what is wanted");
}

const Container* Container::home() const {
    const auto* container = this;
    // A target is there before the container that names it: no circles.
    while (container != nullptr && container->facts_.config.pid_mode == spec::PidMode::target)
        container = context_.find(container->facts_.config.target);
    return container;
}

bool Container::is_among_pod() const {
    const auto* const where = home();
    // Also one that only waits at its gate: whoever may trace it lets it do what he likes. In
    // target's namespace while that one's facts are gone: to be safe it counts.
    return main_ && facts_.state != core::ContainerState::stopped &&
           (where == nullptr || where->facts_.config.pid_mode == spec::PidMode::pod);
}

bool Container::could_reach_newborn() const {
    // Without a number for it too: a neighbour may hand over a procfs or a pidfd. Whoever is in the
    // host's PID namespace sees the shim itself.
    const bool reaches = reaches_ && main_ && facts_.state != core::ContainerState::stopped &&
                         facts_.config.pid_mode != spec::PidMode::node;
    return reaches || (could_move_others() && is_among_pod());
}

const cgroup::Group* Container::group() const noexcept {
    return group_ && facts_.state != core::ContainerState::stopped ? &*group_ : nullptr;
}

void Container::on_neighbours_due() {
    if (hold_ != 0 || launch_error_) return;
    hold_ = context_.stillness.hold([this](const std::optional<Error>& error) {
        if (error)
            on_failed(*error);
        else
            launching_->all_still();
    });
}

void Container::let_neighbours_go() noexcept {
    context_.stillness.let_go(std::exchange(hold_, 0));
}

task::Members::Found Container::as_member() const {
    return {facts_.cgroup, fmt::format("container '{}'", facts_.config.id)};
}

void Container::start(ReplyTo reply) {
    if (facts_.state != core::ContainerState::created || start_reply_)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot start container '{}': it is {}", facts_.config.id,
                                start_reply_ ? "being started" : core::state_name(facts_.state)))
            .with_fix("only a created container can be started, and only once");
    if (executed_early_) {
        start_reply_ = reply;
        return on_executed();
    }
    UniqueFd gate;
    try {
        gate = open_gate();
    } catch (const Error&) {
        // Or a thief opened it, and the channel that would have told is his.
        if (!main_ || !launching_->has_executed()) throw;
        start_reply_ = reply;
        return on_executed();
    }
    start_reply_ = reply;
    try {
        if (could_reach_newborn()) context_.stillness.join(as_member());
        store::ring(gate);
    } catch (...) {
        start_reply_.reset();
        throw;
    }
    // A neighbour with SYS_PTRACE may have taken init's descriptors: he could swallow the byte, and
    // keep the channel open.
    launching_->await_execution([this] {
        try {
            store::ring(open_gate());
        } catch (const Error&) {  // init has ended: its pidfd tells
        }
    });
}

UniqueFd Container::open_gate() const {
    auto gate = store::open_start_gate(folder_);
    if (!gate)
        throw Error::from_errno(gate.error(), "open start gate of", facts_.config.id)
            .with_code(Code::failed_precondition)
            .with_fix("the container's init has ended: delete the container");
    return std::move(gate).value();
}

void Container::on_executed() {
    if (facts_.state != core::ContainerState::created) return;
    // A thief of the gate may have opened it: that is told when the start comes.
    executed_early_ = !start_reply_;
    if (executed_early_) return;
    facts_.state = core::ContainerState::running;
    facts_.started_at = task::unix_microseconds();
    store::remove_start_gate(folder_);
    record_.write(folder_);
    tell_facts(*std::exchange(start_reply_, std::nullopt));
}

void Container::tell_facts(ReplyTo reply) {
    // A new coveyd may have asked for the status before this: it must not believe "created" for
    // ever.
    if (!context_.peers.reply(reply, facts_))
        context_.peers.broadcast(core::ContainerStarted{facts_});
}

}  // namespace covey::shim
