// The spawner of a container with restricted access: a process in the container's Landlock domain,
// outside the pod, that launches its execs. It is the shim's child and so are they.
#include "core/protocol.hpp"
#include "shim/container.hpp"
#include "shim/exec_state.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/socket.hpp"

#include <array>
#include <csignal>
#include <exception>
#include <utility>

#include <unistd.h>

namespace covey::shim {
namespace {

// What the request's descriptors are; the streams follow.
enum : std::size_t { kLauncher, kNewborn, kInit, kCgroup, kFirstStream };

}  // namespace

void Container::on_spawner(launch::KeepSpawner spawner) {
    is_in_domain_ = true;
    spawner_ = std::move(spawner.pidfd);
    spawner_pid_ = spawner.pid;
    spawner_control_ = std::move(spawner.control);
    sys::set_nonblocking(spawner_control_, true).or_throw("fcntl", "the spawner's socket");
    spawner_end_ = context_.reaper.expect(spawner_, owner_, [this](const sys::ExitStatus&) {
        spawner_.reset();
        spawner_control_.reset();
        finish_if_empty();
    });
}

void Container::ask_spawner(ExecState& state, const std::vector<UniqueFd>& fds,
                            launch::ChannelRefs channels) {
    if (!spawner_control_)
        throw Error(Code::failed_precondition,
                    "exec is not possible: the container's spawner has ended")
            .with_fix("its access is restricted, and nobody else is in its domain: create it anew");
    // Without a group to be born in, the launcher joins it by itself: any descriptor stands there.
    const auto group = state.group->clone_target();
    std::vector<FdRef> all{channels.launcher, channels.newborn, main_,
                           group.valid() ? group : main_.ref()};
    for (const auto& fd : fds)
        all.push_back(fd);
    sys::send_packet(spawner_control_, core::encode(core::Request{0, core::Exec{state.config}}),
                     all)
        .or_throw("ask", "the container's spawner");
}

void Container::run_spawner(FdRef control) {
    (void)sys::set_name("covey:spawner");
    try {
        const std::array keep{control.get(), folder_.get(), context_.seccomp_cache.get()};
        sys::close_all_except(keep).or_throw("close", "descriptors of the launch");
        while (true) {
            auto packet = sys::receive_packet(control).or_throw("receive", "request");
            if (packet.data.empty()) ::_exit(0);
            if (packet.fds.size() < kFirstStream) continue;
            auto request = core::decode_request(packet.data);
            if (const auto* exec = std::get_if<core::Exec>(&request.body))
                spawn(exec->config, packet.fds);
        }
    } catch (const std::exception&) {
        // The shim sees its end.
        ::_exit(1);
    }
}

void Container::spawn(const core::ExecConfig& config, std::vector<UniqueFd>& fds) {
    const bool is_v2 = !context_.host.unified.empty();
    auto launcher = sys::clone_process({CLONE_PARENT, 0, is_v2 ? fds[kCgroup].ref() : FdRef{-1}});
    if (!launcher)
        return launch::send_failed(fds[kLauncher],
                                   Error::from_errno(launcher.error(), "clone", "launcher"));
    if (launcher.value().pid == 0) {
        std::vector<UniqueFd> streams;
        for (std::size_t i = kFirstStream; i < fds.size(); ++i)
            streams.push_back(std::move(fds[i]));
        run_exec_launcher(config, fds[kInit], streams, {fds[kLauncher], fds[kNewborn]});
    }
}

}  // namespace covey::shim
