#include "task/updating.hpp"

#include "base/fault.hpp"
#include "cgroup/gather.hpp"
#include "launch/message.hpp"
#include "plan/resources.hpp"
#include "spec/load.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <csignal>
#include <exception>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace covey::task {
namespace {

void update(const cgroup::Host& host, cgroup::Group& group, const std::string& resources) {
    fault_point("container.update");
    auto read = plan::limits_of(spec::load_resources(resources), plan::LimitsFor::update);
    if (!read.problems.empty()) throw spec::SpecError("resources", std::move(read.problems));
    group.apply(read.limits);
    cgroup::gather(host, group);
}

[[noreturn]] void run_child(const cgroup::Host& host, cgroup::Group& group,
                            const std::string& resources, FdRef failure) {
    try {
        update(host, group, resources);
        ::_exit(0);
    } catch (const Error& error) {
        launch::send_failed(failure, error);
    } catch (const std::exception& error) {
        launch::send_failed(failure, Error(Code::internal, error.what()));
    }
    ::_exit(1);
}

}  // namespace

Updating::Updating(Loop& loop, const cgroup::Host& host, cgroup::Group& group,
                   const std::string& resources, std::function<void(std::optional<Error>)> done)
    : loop_(loop), done_(std::move(done)) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    auto child = sys::clone_process({0, SIGCHLD}).or_throw("clone", "a child to change limits");
    if (child.pid == 0) run_child(host, group, resources, sockets.child);
    failure_ = std::move(sockets.parent);
    child_ = std::move(child.pidfd);
    loop_.watch(child_, EPOLLIN, [this] { on_end(); });
}

Updating::~Updating() {
    if (!child_) return;
    loop_.forget(child_);
    cancel();
    (void)sys::wait_process(child_);
}

void Updating::cancel() {
    if (child_) (void)sys::pidfd_send_signal(child_, SIGKILL);
}

void Updating::on_end() {
    const auto status = sys::try_wait_process(child_);
    if (status && !status.value()) return;
    loop_.forget(child_);
    child_.reset();
    std::optional<Error> problem;
    // The child has ended, so what there is to read is there; nothing is the stream's end.
    if (const auto packet = sys::receive_packet(failure_); packet && !packet.value().data.empty())
        problem = launch::decode_failure(packet.value().data);
    else if (!status || !status.value() || status.value()->code != 0)
        problem = Error(Code::failed_precondition, "the change of limits was cut short")
                      .with_fix("see whether the container still runs, and try again");
    done_(std::move(problem));
}

}  // namespace covey::task
