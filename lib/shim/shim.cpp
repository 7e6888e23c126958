#include "shim/shim.hpp"

#include "core/protocol.hpp"
#include "sys/file.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <type_traits>
#include <utility>
#include <variant>

#include <sys/epoll.h>

namespace covey::shim {
namespace {

constexpr mode_t kRecordMode = 0600;

}  // namespace

Shim::Shim(Inherited inherited)
    : folder_(std::move(inherited.folder)),
      pause_program_(std::move(inherited.pause)),
      seccomp_cache_(std::move(inherited.seccomp_cache)),
      host_(cgroup::detect()),
      peers_(loop_, std::move(inherited.listener),
             [this](ReplyTo reply, core::RequestBody body, std::vector<UniqueFd> fds) {
                 handle(reply, std::move(body), std::move(fds));
             }) {
}

int Shim::run() {
    loop_.run();
    return 0;
}

void Shim::handle(ReplyTo reply, core::RequestBody body, std::vector<UniqueFd> fds) {
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
    sandbox_.emplace(host_, request.config, pause_program_);
    neighbours_.emplace([this] { return containers_in_pod(); },
                        Strangers{host_, *sandbox_, [this] { return container_groups(); }});
    context_.emplace(Context{loop_, peers_, host_, folder_, seccomp_cache_, pause_program_,
                             *sandbox_, [this](const std::string& id) { forget(id); },
                             [this] { stop_if_over(); },
                             [this](const std::string& other) -> const Container* {
                                 const auto found = containers_.find(other);
                                 return found == containers_.end() ? nullptr : found->second.get();
                             },
                             *neighbours_});
    loop_.watch(sandbox_->pause(), EPOLLIN, [this] { on_pause_event(); });
    write_record();
    peers_.reply(reply, sandbox_->facts());
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
    stop_asked_ = true;
    sandbox_->facts().state = core::SandboxState::stopping;
    // Containers first: pause can only finish dying when the children that joined it are reaped.
    std::vector<Container*> all;
    for (const auto& [id, entry] : containers_)
        all.push_back(entry.get());
    for (auto* entry : all)
        entry->kill_everything();
    stop_if_over();
}

void Shim::stop_if_over() {
    if (!sandbox_ || sandbox_->facts().state != core::SandboxState::stopping) return;
    for (const auto& [id, entry] : containers_)
        if (entry->facts().state != core::ContainerState::stopped) return;
    sandbox_->kill_pause();
}

void Shim::on_pause_event() {
    if (!sandbox_->reap_pause()) return;
    loop_.forget(sandbox_->pause());
    auto& facts = sandbox_->facts();
    facts.state = core::SandboxState::stopped;
    facts.stopped_at = task::unix_microseconds();
    facts.pause_pid = 0;
    const std::string reason = stop_asked_ ? "stopped" : "pause was killed from outside the pod";
    // What is not in the pod's PID namespace (modes container and node) has outlived pause.
    std::vector<Container*> all;
    for (const auto& [id, entry] : containers_)
        all.push_back(entry.get());
    for (auto* entry : all)
        entry->kill_everything();
    try {
        sandbox_->remove_cgroup();
    } catch (const Error& error) {
        facts.warnings.push_back(error.detail());
    }
    write_record();
    for (const auto& reply : std::exchange(stop_replies_, {}))
        peers_.reply(reply, facts);
    peers_.broadcast(core::SandboxStopped{reason, facts.exit});
}

void Shim::on(core::Shutdown, ReplyTo reply) {
    if (sandbox_ && sandbox_->facts().state != core::SandboxState::stopped)
        throw Error(Code::failed_precondition, "the sandbox is not stopped")
            .with_fix("stop it first");
    peers_.reply(reply, core::Done{});
    loop_.stop();
}

std::vector<Container*> Shim::containers_in_pod() {
    std::vector<Container*> members;
    for (const auto& [id, entry] : containers_)
        if (entry->is_among_pod()) members.push_back(entry.get());
    return members;
}

std::vector<const cgroup::Group*> Shim::container_groups() {
    std::vector<const cgroup::Group*> groups;
    for (const auto& [id, entry] : containers_)
        if (const auto* group = entry->group()) groups.push_back(group);
    return groups;
}

void Shim::forget(const std::string& id) {
    // A callback of it is on the stack: the object goes later, its id is free at once.
    auto node = containers_.extract(id);
    if (node.empty()) return;
    forgotten_.push_back(std::move(node.mapped()));
    loop_.after(std::chrono::milliseconds{0}, [this] { forgotten_.clear(); });
}

void Shim::write_record() {
    sys::replace_file_at(folder_, "sandbox.json", core::encode_facts(sandbox_->facts()),
                         kRecordMode)
        .or_throw("write record of", sandbox_->facts().id);
}

}  // namespace covey::shim
