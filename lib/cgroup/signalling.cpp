#include "cgroup/members.hpp"
#include "cgroup/turns.hpp"
#include "sys/file.hpp"

#include <utility>

namespace covey::cgroup {

Signalling::Signalling(FdRef top, int signal, Thaw thaw, Spares spares)
    : walk_(Walk::at(top)), signal_(signal), thaw_(thaw), spares_(std::move(spares)) {
}

bool Signalling::turn(TurnClock::time_point until) {
    while (true) {
        if (!is_in_group_ && !walk_.next()) return true;
        const auto group = walk_.here().group;
        const bool is_below = walk_.here().depth > 0;
        is_in_group_ = signal_some(group, signal_, told_, spares_);
        // First the signal, then the thaw: nobody goes on for a moment.
        if (!is_in_group_ && (thaw_ == Thaw::yes || (thaw_ == Thaw::below && is_below)))
            (void)sys::write_existing_at(group, "cgroup.freeze", "0");
        if (TurnClock::now() >= until) return false;
    }
}

}  // namespace covey::cgroup
