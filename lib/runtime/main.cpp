// covey-runtime: the OCI runtime command line. Called by containerd's shim, conmon, buildah,
// BuildKit, people.
#include "runtime/commands.hpp"
#include "runtime/failure.hpp"
#include "runtime/own_binary.hpp"
#include "runtime/spawner.hpp"
#include "sys/file.hpp"
#include "sys/process.hpp"

#include <cstdio>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace covey;

namespace {

/// A caller that closed one of them must not make the next file that is opened the container's
/// stream.
void open_missing_streams() {
    for (int fd = 0; fd < 3; ++fd)
        if (::fcntl(fd, F_GETFD) < 0)
            // The lowest number that is free: exactly this one. Inherited on purpose.
            sys::set_cloexec(
                FdRef{sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null").release()},
                false)
                .or_throw("fcntl", "/dev/null");
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> all{argv, argv + argc};
    const std::vector<std::string> words{argv + (argc > 0 ? 1 : 0), argv + argc};
    if (argc > 0 && all.front() == runtime::kSpawnerName) return runtime::run_spawner();
    try {
        open_missing_streams();
        const auto* command = runtime::command_in(words);
        if (command != nullptr && command->enters_containers) {
            std::vector<std::string> env;
            for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
                env.emplace_back(*entry);
            runtime::run_from_protected_file(all, std::move(env));
            (void)sys::set_dumpable(false);
        }
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
