// What can be changed of a container while it is there. Its standstill: every process of its group,
// the execs' too, is frozen by the kernel. Its limits. Its terminal's size.
#include "core/lifecycle.hpp"
#include "shim/container.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

namespace covey::shim {
namespace {

constexpr std::chrono::milliseconds kPauseLimit{2000};

}  // namespace

void Container::require_started(std::string_view what) const {
    if (core::has_started(facts_.state) && !main_exit_) return;
    const bool is_created = facts_.state == core::ContainerState::created;
    throw Error(Code::failed_precondition,
                fmt::format("cannot {} container '{}': it {}", what, facts_.config.id,
                            main_exit_ ? "has ended"
                                       : fmt::format("is {}", core::state_name(facts_.state))))
        .with_fix(is_created ? "start it first" : "a container that has ended can only be deleted");
}

void Container::become(core::ContainerState state) {
    facts_.state = state;
    facts_.paused_at = state == core::ContainerState::paused ? task::unix_microseconds() : 0;
    record_.write(folder_);
}

bool Container::waits_for_launch(ReplyTo reply, void (Container::*what)(ReplyTo)) {
    constexpr std::chrono::milliseconds kAgain{5};
    if (!(is_among_pod() || could_reach_newborn()) || !context_.stillness.is_held()) return false;
    const auto number = next_wait_++;
    auto timer = owner_.after(kAgain, [this, number, reply, what] {
        waiting_.erase(number);
        try {
            (this->*what)(reply);
        } catch (const Error& error) {
            context_.peers.reply(reply, error);
        }
    });
    waiting_[number] = {reply, std::move(timer)};
    return true;
}

void Container::pause(ReplyTo reply) {
    require_started("pause");
    if (facts_.state != core::ContainerState::running) return tell_facts(reply);
    if (!pausing_) {
        if (waits_for_launch(reply, &Container::pause)) return;
        pausing_ = std::make_unique<task::Freezing>(owner_, *group_, kPauseLimit,
                                                    [this](bool stands) { on_stopped(stands); });
    }
    pausers_.push_back(reply);
}

void Container::on_stopped(bool stands) {
    pausing_.reset();
    if (stands) {
        become(core::ContainerState::paused);
        return tell_pausers(std::nullopt);
    }
    const auto who = group_->survivors();
    group_->thaw();
    tell_pausers(
        Error(Code::timeout, fmt::format("pause container '{}': not every process stopped within "
                                         "{} ms: {}",
                                         facts_.config.id, kPauseLimit.count(), who))
            .with_fix("a process in uninterruptible sleep (state D) cannot be frozen: try again "
                      "when it is done"));
}

void Container::tell_pausers(const std::optional<Error>& error) {
    for (const auto& reply : std::exchange(pausers_, {}))
        if (error)
            context_.peers.reply(reply, *error);
        else
            tell_facts(reply);
}

void Container::resume(ReplyTo reply) {
    require_started("resume");
    if (facts_.state == core::ContainerState::paused) {
        if (waits_for_launch(reply, &Container::resume)) return;
        group_->thaw();
        become(core::ContainerState::running);
    }
    tell_facts(reply);
}

void Container::resize(std::uint16_t rows, std::uint16_t columns) {
    if (!terminal_)
        throw Error(Code::failed_precondition,
                    fmt::format("container '{}' has no terminal", facts_.config.id))
            .with_fix("set process.terminal in the bundle's config.json before it is created");
    terminal_->resize(rows, columns);
}

void Container::update(const std::string& resources, ReplyTo reply) {
    if (!core::can_update(facts_.state) || main_exit_)
        throw Error(Code::failed_precondition,
                    fmt::format("cannot update container '{}': it is {}", facts_.config.id,
                                main_exit_ ? "ending" : core::state_name(facts_.state)))
            .with_fix("a container that has ended can only be deleted");
    if (updating_ && !updating_->is_over())
        throw Error(Code::failed_precondition,
                    fmt::format("container '{}' is being updated", facts_.config.id))
            .with_fix("try again when that is done");
    updating_ = std::make_unique<task::Updating>(
        owner_, context_.reaper, *group_, resources, [this, reply](std::optional<Error> problem) {
            if (problem)
                context_.peers.reply(reply, std::move(*problem));
            else
                context_.peers.reply(reply, core::Done{});
            finish_if_empty();
        });
}

}  // namespace covey::shim
