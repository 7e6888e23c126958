// covey-shim: started by coveyd or libcovey with its descriptors (core/shim_process.hpp), never by
// hand.
#include "base/log.hpp"
#include "core/shim_process.hpp"
#include "covey/error.hpp"
#include "launch/keyring.hpp"
#include "shim/dump_plan.hpp"
#include "shim/shim.hpp"
#include "sys/file.hpp"
#include "sys/inherited_state.hpp"
#include "sys/process.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <string_view>

#include <sys/stat.h>

using namespace covey;

int main(int argc, char** argv) {
    if (argc >= 3 && argc <= 4 && std::string_view{argv[1]} == "--dump-plan")
        return shim::dump_plan(argv[2], argc == 4 ? argv[3] : "container");
    if (argc != 2 || !sys::stat_fd(FdRef{core::kShimListenFd})) {
        std::fputs("covey-shim: started by coveyd, not by hand (see `covey sandbox create`)\n",
                   stderr);
        return 2;
    }
    try {
        sys::reset_signals_and_timers();
        if (const auto left = sys::shed_inherited_state())
            throw Error::from_errno(left->error, "let go of coveyd's", left->what)
                .with_fix("start coveyd without it: containers would have it too");
        ::umask(077);
        (void)sys::set_name("covey-shim");
        (void)sys::set_dumpable(false);
        // Only its owner ends it, by Shutdown or SIGKILL; a terminal's signals are not for it.
        for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE})
            std::signal(signal, SIG_IGN);
        for (const int fd :
             {core::kShimListenFd, core::kShimFolderFd, core::kShimPauseFd, core::kShimCacheFd})
            sys::set_cloexec(FdRef{fd}, true).or_throw("fcntl", "inherited descriptor");
        // What coveyd's session has of keys is nobody's in a pod; pause and the spawners inherit
        // it.
        launch::leave_session_keyring();
        shim::Shim shim{{UniqueFd{core::kShimListenFd}, UniqueFd{core::kShimFolderFd},
                         UniqueFd{core::kShimPauseFd}, UniqueFd{core::kShimCacheFd}}};
        return shim.run();
    } catch (const std::exception& error) {
        log::error("covey-shim ends", {{"error", error.what()}});
        return 1;
    }
}
