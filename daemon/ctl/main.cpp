// covey: the control command for people. Speaks only coveyd's HTTP API.
#include "ctl/app.hpp"
#include "sys/inherited_state.hpp"

int main(int argc, char** argv) {
    // Before anything internal can take the number of a stream that the caller has closed. Without
    // /dev/null there is nothing that could be done about it, and nothing that would be read.
    if (!covey::sys::open_missing_streams()) return 125;
    covey::sys::reset_signals_and_timers();
    return covey::ctl::run_app({argv + 1, argv + argc});
}
