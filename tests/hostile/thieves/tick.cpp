// `tick`: a bystander that wakes up every millisecond and says when it was late: "GAP MILLISECONDS"
// for each time that it stood still for longer than ever before, from 10 ms on.
#include "thief.hpp"

namespace thief {

int tick(const Arguments& /*arguments*/) {
    double worst = 10, last = now();
    say("ready");
    while (true) {
        wait_a_moment(1);
        const double time = now();
        if (const double gap = (time - last) * 1000; gap > worst) {
            worst = gap;
            say("GAP " + std::to_string(static_cast<long>(gap)));
        }
        last = now();
    }
}

}  // namespace thief
