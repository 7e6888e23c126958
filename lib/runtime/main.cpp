// covey-runtime: the OCI runtime command line. Called by containerd's shim, conmon, buildah,
// BuildKit, people.
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/failure.hpp"
#include "runtime/own_binary.hpp"
#include "runtime/spawner.hpp"
#include "sys/inherited_state.hpp"
#include "sys/process.hpp"

#include <cstdio>
#include <exception>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

using namespace covey;

namespace {

/// Whoever is launched by this process gets none of it (docs/RUNTIME.md).
void shed_inherited_state(bool launches) {
    const auto left = sys::shed_inherited_state();
    if (!left || !launches) return;
    throw Error::from_errno(left->error, "let go of the caller's", left->what)
        .with_fix("call covey-runtime without it: a container would have it too");
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> all{argv, argv + argc};
    const std::vector<std::string> words{argv + (argc > 0 ? 1 : 0), argv + argc};
    if (argc > 0 && all.front() == runtime::kSpawnerName) return runtime::run_spawner();
    try {
        sys::open_missing_streams().or_throw("open", "/dev/null");
        sys::reset_signals_and_timers();
        const auto* command = runtime::command_in(words);
        if (command != nullptr && command->enters_containers) {
            std::vector<std::string> env;
            for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
                env.emplace_back(*entry);
            runtime::run_from_protected_file(all, std::move(env));
        }
        shed_inherited_state(command != nullptr && command->enters_containers);
        if (command != nullptr && command->enters_containers) (void)sys::set_dumpable(false);
        (void)sys::set_name("covey-runtime");
        ::umask(022);
    } catch (const std::exception& error) {
        runtime::report_failure({}, "", error);
        return 1;
    }
    const int status = runtime::run_program(words);
    // What was printed must have arrived: a caller reads it as JSON.
    return std::fflush(stdout) == 0 ? status : 1;
}
