#include "runtime/starting.hpp"

#include "covey/error.hpp"
#include "launch/launcher.hpp"
#include "launch/message.hpp"
#include "runtime/late_hooks.hpp"
#include "sys/file.hpp"

#include <array>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

Error is_gone(const std::string& id) {
    return Error(Code::failed_precondition, "cannot start a container that has stopped: " + id)
        .with_fix("delete it and create it anew");
}

/// What init wrote before every writer was gone: nothing when it executed its program.
std::string read_to_end(FdRef report) {
    std::string text;
    std::array<char, PIPE_BUF> chunk{};
    while (true) {
        pollfd entry{report.get(), POLLIN, 0};
        if (::poll(&entry, 1, -1) < 0 && errno != EINTR)
            throw Error::from_errno(errno, "wait for", "start report");
        const auto got = ::read(report.get(), chunk.data(), chunk.size());
        if (got == 0) return text;
        if (got > 0)
            text.append(chunk.data(), static_cast<std::size_t>(got));
        else if (errno != EAGAIN && errno != EINTR)
            throw Error::from_errno(errno, "read", "start report");
    }
}

}  // namespace

void start_container(const ContainerFolder& folder, const ContainerRecord& record) {
    // Before the gate opens: what init says without a reader is lost.
    const auto report =
        sys::open_at(folder.fd(), launch::kReportName, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
            .or_throw("open", launch::kReportName);
    const auto gate =
        sys::open_at(folder.fd(), launch::kGateName, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!gate) throw is_gone(record.id);
    sys::write_all(gate.value(), "s").or_throw("open the gate of", record.id);
    const auto problem = read_to_end(report);
    for (const char* name : {launch::kGateName, launch::kReportName})
        (void)sys::unlink_at(folder.fd(), name);  // their work is done
    if (!problem.empty()) throw launch::decode_failure(problem);
    if (record.has_poststart) run_poststart_hooks(read_hooks(folder), record);
}

}  // namespace covey::runtime
