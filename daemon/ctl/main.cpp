// covey: the control command for people. Speaks only coveyd's HTTP API.
#include "ctl/app.hpp"

int main(int argc, char** argv) {
    return covey::ctl::run_app({argv + 1, argv + argc});
}
