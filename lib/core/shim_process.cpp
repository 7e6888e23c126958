#include "core/shim_process.hpp"

#include "base/fault.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/socket.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace covey::core {
namespace {

constexpr const char* kSocket = "shim.sock";

std::vector<std::string> shim_environment() {
    std::vector<std::string> result;
#ifdef COVEY_FAULTS
    constexpr std::array kPassed{"COVEY_FAIL_AT", "COVEY_PATIENCE", "ASAN_OPTIONS",
                                 "LSAN_OPTIONS",  "UBSAN_OPTIONS",  "TSAN_OPTIONS",
                                 "GCOV_PREFIX",   "LD_LIBRARY_PATH"};
    for (const char* name : kPassed)
        if (const char* value = std::getenv(name))
            result.push_back(std::string{name} + "=" + value);
#endif
    return result;
}

}  // namespace

SpawnedShim spawn_shim(const Programs& programs, const std::string& sandbox_id, FdRef state_folder,
                       FdRef seccomp_cache) {
    fault_point("core.spawn_shim");
    if (const auto gone = sys::unlink_at(state_folder, kSocket); !gone && gone.error() != ENOENT)
        gone.or_throw("remove stale", kSocket);
    const auto listener =
        sys::seqpacket_listen_at(state_folder, kSocket).or_throw("listen on", kSocket);
    auto connection =
        sys::seqpacket_connect_at(state_folder, kSocket).or_throw("connect to", kSocket);
    auto process = sys::spawn({.program = programs.shim(),
                               .args = {"covey-shim", sandbox_id},
                               .env = shim_environment(),
                               .keep = {listener, state_folder, programs.pause(), seccomp_cache}})
                       .or_throw("start covey-shim for sandbox", sandbox_id);
    return {std::move(process), std::move(connection)};
}

UniqueFd connect_shim(FdRef state_folder) {
    auto connection = sys::seqpacket_connect_at(state_folder, kSocket);
    // ENOENT: no socket yet or no more; ECONNREFUSED: the file is there, its listener has ended.
    if (!connection && (connection.error() == ENOENT || connection.error() == ECONNREFUSED))
        throw Error::from_errno(connection.error(), "connect to the sandbox's covey-shim")
            .with_code(Code::sandbox_gone)
            .with_fix("remove the sandbox and create it again");
    return std::move(connection).or_throw("connect to the sandbox's", "covey-shim");
}

}  // namespace covey::core
