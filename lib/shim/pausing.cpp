// A container's standstill: every process of its group, the execs' too, is frozen by the kernel.
#include "core/lifecycle.hpp"
#include "shim/clock.hpp"
#include "shim/container.hpp"

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
    facts_.paused_at = state == core::ContainerState::paused ? unix_microseconds() : 0;
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

}  // namespace covey::shim
