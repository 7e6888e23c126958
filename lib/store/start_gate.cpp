#include "store/start_gate.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/no_sigpipe.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

namespace covey::store {
namespace {

constexpr const char* kGate = "start.fifo";
constexpr const char* kReport = "start.report";
constexpr mode_t kMode = 0600;

}  // namespace

void make_start_gate(FdRef folder) {
    sys::mkfifo_at(folder, kGate, kMode).or_throw("make", kGate);
}

void make_start_report(FdRef folder) {
    sys::mkfifo_at(folder, kReport, kMode).or_throw("make", kReport);
}

UniqueFd hold_start_gate(FdRef folder) {
    return sys::open_at(folder, kGate, O_RDWR | O_NOFOLLOW).or_throw("open", kGate);
}

UniqueFd hold_start_report(FdRef folder) {
    return sys::open_at(folder, kReport, O_RDWR | O_NOFOLLOW).or_throw("open", kReport);
}

Result<UniqueFd> open_start_gate(FdRef folder) {
    return sys::open_at(folder, kGate, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
}

UniqueFd open_start_report(FdRef folder) {
    return sys::open_at(folder, kReport, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        .or_throw("open", kReport);
}

bool is_waited_at(FdRef folder) {
    return open_start_gate(folder).has_value();
}

void ring(FdRef gate) {
    const sys::NoSigpipe quiet;
    const auto written = sys::write_all(gate, "s");
    // Full: then init has enough to read. Nobody is there: init has ended, which is told by that.
    if (!written && written.error() != EAGAIN && written.error() != EPIPE)
        written.or_throw("write to", "the start gate");
}

void remove_start_gate(FdRef folder) noexcept {
    for (const char* name : {kGate, kReport})
        (void)sys::unlink_at(folder, name);
}

}  // namespace covey::store
