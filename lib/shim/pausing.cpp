// What can be changed of a container while it is there. Its standstill: every process of its group,
// the execs' too, is frozen by the kernel. Its limits. Its terminal's size.
#include "core/lifecycle.hpp"
#include "shim/container.hpp"
#include "task/clock.hpp"

#include <fmt/format.h>

namespace covey::shim {

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
    const auto before = facts_;
    facts_.state = state;
    facts_.paused_at = state == core::ContainerState::paused ? task::unix_microseconds() : 0;
    try {
        write_record();
    } catch (...) {
        facts_ = before;
        throw;
    }
}

void Container::pause(ReplyTo reply) {
    require_started("pause");
    if (facts_.state == core::ContainerState::running) {
        context_.neighbours.pause(*this);
        try {
            become(core::ContainerState::paused);
        } catch (...) {
            context_.neighbours.resume(*this);
            throw;
        }
    }
    tell_facts(reply);
}

void Container::resume(ReplyTo reply) {
    require_started("resume");
    if (facts_.state == core::ContainerState::paused) {
        become(core::ContainerState::running);
        try {
            context_.neighbours.resume(*this);
        } catch (...) {
            become(core::ContainerState::paused);
            throw;
        }
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
    updating_ =
        std::make_unique<task::Updating>(context_.loop, context_.host, *group_, resources,
                                         [this, reply](std::optional<Error> problem) {
                                             if (problem)
                                                 context_.peers.reply(reply, std::move(*problem));
                                             else
                                                 context_.peers.reply(reply, core::Done{});
                                             finish_if_empty();
                                         });
}

}  // namespace covey::shim
