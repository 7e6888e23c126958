#include "shim/shim.hpp"

#include "core/protocol.hpp"
#include "shim/strangers.hpp"
#include "sys/proc.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <type_traits>
#include <utility>
#include <variant>

#include <unistd.h>

namespace covey::shim {
namespace {

constexpr std::chrono::milliseconds kRetry{20}, kSoon{2};
/// Of whoever waits for a stop: after that he is told who is in its way.
constexpr std::chrono::milliseconds kStopLimit{4000};

}  // namespace

Shim::Shim(Inherited inherited)
    : owner_(loop_, "sandbox", [this](const Error& error) { on_trouble(error); }),
      reaper_(loop_),
      folder_(std::move(inherited.folder)),
      pause_program_(std::move(inherited.pause)),
      seccomp_cache_(std::move(inherited.seccomp_cache)),
      host_(cgroup::detect()),
      peers_(loop_, std::move(inherited.listener),
             [this](ReplyTo reply, core::RequestBody body, std::vector<UniqueFd> fds) {
                 handle(reply, std::move(body), std::move(fds));
             }) {
}

int Shim::run() {
    loop_.measure_turns();
    loop_.run();
    return 0;
}

void Shim::handle(ReplyTo reply, core::RequestBody body, std::vector<UniqueFd> fds) {
    // Whoever asks while the sandbox is being made is answered when that is known: a millisecond.
    if (sandbox_ && sandbox_->facts().state == core::SandboxState::creating) {
        constexpr std::size_t kMostPostponed = 256;
        if (postponed_.size() == kMostPostponed)
            throw Error(Code::too_many, "the sandbox is being made, and too many wait for it")
                .with_fix("try again");
        postponed_.push_back({reply, std::move(body), std::move(fds)});
        return;
    }
    std::visit(
        [&](auto& request) {
            using Kind = std::decay_t<decltype(request)>;
            if constexpr (std::is_same_v<Kind, core::StartContainer>) {
                container(request.id).start(reply);
            } else if constexpr (std::is_same_v<Kind, core::KillContainer>) {
                container(request.id).kill(request);
                peers_.reply(reply, core::Done{});
            } else if constexpr (std::is_same_v<Kind, core::PauseContainer>) {
                container(request.id).pause(reply);
            } else if constexpr (std::is_same_v<Kind, core::ResumeContainer>) {
                container(request.id).resume(reply);
            } else if constexpr (std::is_same_v<Kind, core::UpdateContainer>) {
                container(request.id).update(request.resources, reply);
            } else if constexpr (std::is_same_v<Kind, core::ResizeContainer>) {
                container(request.id).resize(request.rows, request.columns);
                peers_.reply(reply, core::Done{});
            } else if constexpr (std::is_same_v<Kind, core::DeleteContainer>) {
                container(request.id).remove(request.force, reply);
            } else if constexpr (std::is_same_v<Kind, core::Exec>) {
                const auto id = request.config.container;
                container(id).exec(std::move(request.config), std::move(fds), reply);
            } else if constexpr (std::is_same_v<Kind, core::KillExec>) {
                container(request.container).kill_exec(request.exec);
                peers_.reply(reply, core::Done{});
            } else {
                on(request, reply);
            }
        },
        body);
}

Container& Shim::container(const std::string& id) {
    const auto found = containers_.find(id);
    if (found == containers_.end())
        throw Error(Code::not_found, fmt::format("container '{}' does not exist", id));
    return *found->second;
}

Sandbox& Shim::ready_sandbox() {
    if (!sandbox_ || sandbox_->facts().state != core::SandboxState::ready)
        throw Error(Code::sandbox_gone, "the sandbox is not ready: its pause process has ended")
            .with_fix("delete the sandbox and create it anew");
    return *sandbox_;
}

void Shim::on(const core::CreateSandbox& request, ReplyTo reply) {
    if (sandbox_)
        throw Error(Code::already_exists,
                    fmt::format("this shim holds sandbox '{}'", sandbox_->facts().id));
    sandbox_.emplace(owner_, reaper_, host_, request.config, pause_program_,
                     Sandbox::Told{[this, reply](const std::optional<Error>& error) {
                                       on_sandbox_made(reply, error);
                                   },
                                   [this] { on_pause_end(); }});
}

void Shim::on_sandbox_made(ReplyTo reply, const std::optional<Error>& error) {
    if (error) {
        // From the loop, as it is what calls.
        sweep_ = owner_.after(std::chrono::milliseconds{0}, [this, reply, error] {
            sandbox_.reset();
            peers_.reply(reply, *error);
            handle_postponed();
        });
        return;
    }
    auto& facts = sandbox_->facts();
    homes_.emplace(
        owner_, reaper_, host_,
        [this](pid_t pid, const std::string& container) { return is_others(pid, container); },
        [this] { return residents(); });
    stillness_.emplace(owner_, host_, stillness_rules());
    context_.emplace(Context{loop_, reaper_, peers_, host_, folder_, seccomp_cache_, pause_program_,
                             *sandbox_, [this](const std::string& id) { forget(id); },
                             [this] { stop_if_over(); },
                             [this](const std::string& other) -> const Container* {
                                 const auto found = containers_.find(other);
                                 return found == containers_.end() ? nullptr : found->second.get();
                             },
                             *stillness_, *homes_});
    record_.emplace(owner_, "sandbox.json", facts.record_stale,
                    [&facts] { return core::encode_facts(facts); });
    record_->write(folder_);
    peers_.reply(reply, facts);
    handle_postponed();
}

/// One after the other, as if they had come now.
void Shim::handle_postponed() {
    for (auto& one : std::exchange(postponed_, {}))
        peers_.answer(one.reply,
                      [&] { handle(one.reply, std::move(one.body), std::move(one.fds)); });
}

void Shim::on(core::CreateContainer& request, ReplyTo reply) {
    (void)ready_sandbox();
    const auto id = request.config.id;
    if (containers_.contains(id))
        throw Error(Code::already_exists, fmt::format("container '{}' exists already", id))
            .with_fix("delete it first, or choose another id");
    containers_[id] = std::make_unique<Container>(*context_, std::move(request.config), reply);
}

void Shim::on(core::Status, ReplyTo reply) {
    if (sandbox_) peers_.reply(reply, core::StatusItem{sandbox_->facts()});
    for (const auto& [id, entry] : containers_) {
        // One that is still being made is its creator's business: it is complete or it is none.
        if (entry->facts().state == core::ContainerState::creating) continue;
        peers_.reply(reply, core::StatusItem{entry->facts()});
        for (const auto& exec : entry->execs())
            peers_.reply(reply, core::StatusItem{exec});
    }
    peers_.reply(reply, core::Done{});
}

void Shim::on(core::StopSandbox, ReplyTo reply) {
    if (!sandbox_) throw Error(Code::failed_precondition, "there is no sandbox to stop");
    if (sandbox_->facts().state == core::SandboxState::stopped) {
        peers_.reply(reply, sandbox_->facts());
        return;
    }
    stop_replies_.push_back(reply);
    if (!stop_deadline_.is_set())
        stop_deadline_ = owner_.after(kStopLimit, [this] { give_up_stop(); });
    stop_asked_ = true;
    sandbox_->facts().state = core::SandboxState::stopping;
    // Containers first: pause can only finish dying when the children that joined it are reaped.
    kill_containers();
    stop_if_over();
}

void Shim::give_up_stop() {
    std::string who;
    (void)owner_.guard([&] {
        for (const auto& [id, entry] : containers_)
            if (who.empty() && entry->facts().state != core::ContainerState::stopped)
                who = fmt::format("container '{}': {}", id, entry->in_the_way());
        if (who.empty()) who = sandbox_->survivors();
    });
    const auto error =
        Error(Code::timeout,
              fmt::format("sandbox '{}' does not stop: {}", sandbox_->facts().id, who))
            .with_fix(
                "a process in state D waits in the kernel, often for a mount: delete again "
                "when what it waits for answers");
    for (const auto& reply : std::exchange(stop_replies_, {}))
        peers_.reply(reply, error);
}

/// An event of the sandbox's threw: the way to its end is taken again.
void Shim::on_trouble(const Error& error) {
    if (!sandbox_) return;
    auto& facts = sandbox_->facts();
    constexpr std::size_t kMostWarnings = 16;
    if (facts.warnings.size() < kMostWarnings) facts.warnings.push_back(error.detail());
    if (retry_.is_set()) return;
    retry_ = owner_.after(kRetry, [this] {
        if (sandbox_->facts().state == core::SandboxState::stopped)
            bury();
        else
            stop_if_over();
    });
}

/// What one of them throws is no reason to leave another alone.
void Shim::kill_containers() {
    std::vector<Container*> all;
    for (const auto& [id, entry] : containers_)
        all.push_back(entry.get());
    for (auto* entry : all)
        entry->kill_everything();
}

void Shim::stop_if_over() {
    if (!sandbox_ || sandbox_->facts().state != core::SandboxState::stopping) return;
    for (const auto& [id, entry] : containers_)
        if (entry->facts().state != core::ContainerState::stopped) return;
    sandbox_->kill_pause();
    look_for_pause_later();
}

void Shim::on_pause_end() {
    auto& facts = sandbox_->facts();
    facts.state = core::SandboxState::stopped;
    facts.stopped_at = task::unix_microseconds();
    facts.pause_pid = 0;
    bury();
}

void Shim::bury() {
    if (buried_) return;
    // What is not in the pod's PID namespace (modes container and node) has outlived pause.
    kill_containers();
    auto& facts = sandbox_->facts();
    const auto now = task::Loop::Clock::now();
    if (!ended_at_) ended_at_ = now;
    bool removed = false;
    const bool tried = owner_.guard([&] { removed = sandbox_->try_remove_cgroup(); });
    if (!removed && now - *ended_at_ < kStopLimit / 2) {
        retry_ = owner_.after(tried ? kSoon : kRetry, [this] { bury(); });
        return;
    }
    if (!removed)
        facts.warnings.push_back(
            fmt::format("cgroup {} is still there: something of another "
                        "owner is in it, or in a group below",
                        facts.cgroup));
    buried_ = true;
    record_->write(folder_);
    for (const auto& reply : std::exchange(stop_replies_, {}))
        peers_.reply(reply, facts);
    const std::string reason = stop_asked_ ? "stopped" : "pause was killed from outside the pod";
    peers_.broadcast(core::SandboxStopped{reason, facts.exit});
}

void Shim::on(core::Shutdown, ReplyTo reply) {
    if (sandbox_ && sandbox_->facts().state != core::SandboxState::stopped)
        throw Error(Code::failed_precondition, "the sandbox is not stopped")
            .with_fix("stop it first");
    peers_.reply(reply, core::Done{});
    loop_.stop();
}

task::Stillness::Rules Shim::stillness_rules() {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    return {[this] {
                std::vector<task::Members::Found> found;
                for (const auto& [id, entry] : containers_)
                    if (entry->could_reach_newborn() && entry->group() != nullptr)
                        found.push_back(entry->as_member());
                return found;
            },
            [this] {
                return strangers_of(
                    host_, *sandbox_, [this] { return container_groups(Reaching::yes); },
                    [this] { return container_groups(Reaching::no); },
                    [this] { return container_groups(Reaching::no_but_moving); },
                    homes_->can_be_left() && !sandbox_->view().has_user);
            },
            {cgroup::identity_of(host_, proc, ::getpid())},
            [this](const std::string& group) { return container_of(group); }};
}

std::vector<const cgroup::Group*> Shim::container_groups(Reaching which) {
    std::vector<const cgroup::Group*> groups;
    for (const auto& [id, entry] : containers_)
        if (const auto* group = entry->group();
            group != nullptr && entry->could_reach_newborn() == (which == Reaching::yes) &&
            (which != Reaching::no_but_moving || entry->could_move_others()))
            groups.push_back(group);
    return groups;
}

std::string Shim::container_of(const std::string& group) const {
    for (const auto& [id, entry] : containers_)
        if (const auto* own = entry->group();
            own != nullptr && cgroup::is_in_group(group, own->path()))
            return own->path();
    return group;
}

void Shim::forget(const std::string& id) {
    // A callback of it is on the stack: the object goes later, its id is free at once.
    auto node = containers_.extract(id);
    if (node.empty()) return;
    forgotten_.push_back(std::move(node.mapped()));
    sweep_ = owner_.after(std::chrono::milliseconds{0}, [this] { forgotten_.clear(); });
}

}  // namespace covey::shim
