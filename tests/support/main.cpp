// The one main of all Catch2 programs here.
#define CATCH_CONFIG_RUNNER
#include "catch.hpp"
#include "support/requires.hpp"

int main(int argc, char** argv) {
    return covey::test::exit_status(Catch::Session().run(argc, argv));
}
