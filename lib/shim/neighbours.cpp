#include "shim/neighbours.hpp"

#include "base/fault.hpp"
#include "base/log.hpp"
#include "covey/error.hpp"
#include "shim/container.hpp"

#include <exception>

namespace covey::shim {

void Neighbours::freeze() {
    fault_point("container.freeze");
    if (holders_ == 0) {
        try {
            for (auto* const member : members_())
                freeze_one(*member);
            // After them: what they might still have let in is found.
            strangers_.freeze();
        } catch (...) {
            thaw_all();
            throw;
        }
    }
    ++holders_;
}

void Neighbours::thaw() noexcept {
    if (--holders_ == 0) thaw_all();
}

void Neighbours::join(Container& newcomer) {
    if (holders_ > 0) freeze_one(newcomer);
}

void Neighbours::pause(const Container& container) {
    const auto* const group = container.group();
    if (group == nullptr) return;
    group->freeze();
    frozen_.erase(container.facts().config.id);
}

void Neighbours::resume(const Container& container) {
    const auto* const group = container.group();
    if (group == nullptr) return;
    if (holders_ > 0 && container.is_among_pod())
        frozen_.insert(container.facts().config.id);
    else
        group->thaw();
}

void Neighbours::freeze_one(Container& container) {
    const auto* const group = container.group();
    if (group == nullptr || group->is_frozen()) return;
    group->freeze();
    frozen_.insert(container.facts().config.id);
}

void Neighbours::thaw_all() noexcept {
    strangers_.thaw();
    const auto frozen = std::exchange(frozen_, {});
    try {
        for (auto* const member : members_())
            if (const auto* const group = member->group();
                group != nullptr && frozen.contains(member->facts().config.id))
                group->thaw();
    } catch (const std::exception& error) {
        log::error("cannot thaw a container", {{"problem", error.what()}});
    }
}

}  // namespace covey::shim
