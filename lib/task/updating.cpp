#include "task/updating.hpp"

#include "base/fault.hpp"
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

void update(cgroup::Group& group, const std::string& resources) {
    fault_point("container.update");
    auto read = plan::limits_of(spec::load_resources(resources), plan::LimitsFor::update);
    if (!read.problems.empty()) throw spec::SpecError("resources", std::move(read.problems));
    group.apply(read.limits);
}

[[noreturn]] void run_child(cgroup::Group& group, const std::string& resources, FdRef failure) {
    try {
        update(group, resources);
        ::_exit(0);
    } catch (const Error& error) {
        launch::send_failed(failure, error);
    } catch (const std::exception& error) {
        launch::send_failed(failure, Error(Code::internal, error.what()));
    }
    ::_exit(1);
}

}  // namespace

Updating::Updating(Owner& owner, Reaper& reaper, cgroup::Group& group, const std::string& resources,
                   std::function<void(std::optional<Error>)> done)
    : done_(std::move(done)) {
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    auto child = sys::clone_process({0, SIGCHLD}).or_throw("clone", "a child to change limits");
    if (child.pid == 0) run_child(group, resources, sockets.child);
    failure_ = std::move(sockets.parent);
    child_ = std::move(child.pidfd);
    end_ = reaper.expect(child_, owner, [this](const sys::ExitStatus& status) { on_end(status); });
}

Updating::~Updating() {
    cancel();
}

void Updating::cancel() {
    if (child_) (void)sys::pidfd_send_signal(child_, SIGKILL);
}

void Updating::on_end(const sys::ExitStatus& status) {
    child_.reset();
    std::optional<Error> problem;
    // The child has ended, so what there is to read is there; nothing is the stream's end.
    if (const auto packet = sys::receive_packet(failure_); packet && !packet.value().data.empty())
        problem = launch::decode_failure(packet.value().data);
    else if (status.code != 0)
        problem = Error(Code::failed_precondition, "the change of limits was cut short")
                      .with_fix("see whether the container still runs, and try again");
    done_(std::move(problem));
}

}  // namespace covey::task
