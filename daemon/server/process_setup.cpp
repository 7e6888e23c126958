#include "server/process_setup.hpp"

#include "covey/error.hpp"
#include "sys/inherited_state.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <sys/resource.h>
#include <sys/stat.h>

namespace covey::daemon {
namespace {

constexpr std::size_t kMostConnections = 1024, kFewestConnections = 16;

rlimit descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0)
        throw Error::from_errno(errno, "read the limit of descriptors");
    return limit;
}

}  // namespace

void set_up_process() {
    sys::open_missing_streams().or_throw("open", "/dev/null");
    sys::reset_signals_and_timers();
    ::umask(077);
    rlimit limit = descriptor_limit();
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) < 0)
        throw Error::from_errno(errno, "raise the limit of descriptors to the hard limit");
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) throw Error::from_errno(errno, "ignore SIGPIPE");
}

ListenerConfig listener_config(const std::string& socket) {
    ListenerConfig config;
    config.path = socket;
    // An exec has up to five descriptors, a sandbox its shim's link and pins: a quarter is for
    // clients.
    const auto all = static_cast<std::size_t>(descriptor_limit().rlim_cur);
    config.most_connections = std::clamp(all / 4, kFewestConnections, kMostConnections);
    config.reserved_for_root = std::min(config.reserved_for_root, config.most_connections / 4);
    return config;
}

}  // namespace covey::daemon
