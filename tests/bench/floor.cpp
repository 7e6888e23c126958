// The floor: the system calls of a sandbox's and of a container's life in a straight line, in one
// bare program without daemon, shim, JSON, plan, checks or records. What Covey adds is measured
// against it. Run as root: bench_floor PAUSE_PROGRAM ROOTFS [rounds]; ROOTFS needs /bin/true,
// /proc, /dev, /sys.
#include "bench/table.hpp"
#include "cgroup/cgroup.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/mount.hpp"
#include "sys/namespaces.hpp"
#include "sys/path.hpp"
#include "sys/privileges.hpp"
#include "sys/process.hpp"
#include "sys/sealed.hpp"
#include "sys/socket.hpp"

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

using namespace covey;

namespace {

struct Pod {
    sys::Child pause;
    UniqueFd pid, net, ipc, uts;
};

void wait_for_end(FdRef socket) {
    while (!sys::receive_packet(socket).or_throw("receive").data.empty()) {
    }
}

[[noreturn]] void become_pause(FdRef pause) {
    (void)sys::set_hostname("floor");
    (void)sys::bring_loopback_up();
    (void)sys::set_propagation_of_all(MS_SLAVE);
    const auto context = sys::open_filesystem("tmpfs").or_throw("fsopen");
    const auto root = sys::finish_filesystem(context, MOUNT_ATTR_RDONLY).or_throw("fsmount");
    (void)sys::attach_at(root, sys::kCwd, "/");
    (void)sys::pivot_into(root);
    (void)sys::limit_bounding_set(0);
    (void)sys::set_groups({});
    (void)sys::set_gid(65535);
    (void)sys::set_uid(65535);
    (void)sys::exec_fd(pause, {"/pause"}, {});
    ::_exit(1);
}

Pod create_pod(const cgroup::Host& host, FdRef pause) {
    auto pod_group = cgroup::Group::create(host, "/covey-floor/pod");
    auto group = cgroup::Group::create(host, "/covey-floor/pod/pause");
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    constexpr std::uint64_t kFlags =
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    Pod pod{sys::clone_process({kFlags, SIGCHLD, group.clone_target()}).or_throw("clone"),
            {},
            {},
            {},
            {}};
    if (pod.pause.pid == 0) become_pause(pause);
    sockets.child.reset();
    wait_for_end(sockets.parent);
    const auto proc = sys::open_dir("/proc").or_throw("open");
    const auto open = [&](const char* name) {
        return sys::open_namespace(proc, pod.pause.pid, name).or_throw("open");
    };
    pod.pid = open("pid");
    pod.net = open("net");
    pod.ipc = open("ipc");
    pod.uts = open("uts");
    return pod;
}

void remove_pod(const cgroup::Host& host, const Pod& pod) {
    (void)sys::pidfd_send_signal(pod.pause.pidfd, SIGKILL);
    (void)sys::wait_process(pod.pause.pidfd);
    cgroup::Group::open(host, "/covey-floor/pod").remove();
}

void mount_on(FdRef root, const char* type, const char* target, FdRef pidns = FdRef{-1}) {
    const auto context = sys::open_filesystem(type).or_throw("fsopen", type);
    if (pidns.valid()) (void)sys::configure_fd(context, "pidns", pidns);
    const auto mount = sys::finish_filesystem(context, 0).or_throw("fsmount", type);
    const auto place = sys::make_dir_in_root(root, target).or_throw("open", target);
    sys::attach(mount, place).or_throw("move_mount", target);
}

/// The mounts of `runc spec`'s default configuration.
void build_world(FdRef tree, const Pod& pod) {
    for (const auto* entry : {&pod.net, &pod.ipc, &pod.uts})
        sys::set_namespace(*entry, 0).or_throw("setns");
    sys::unshare(CLONE_NEWNS | CLONE_NEWCGROUP).or_throw("unshare");
    (void)sys::set_propagation_of_all(MS_SLAVE);
    sys::attach_at(tree, sys::kCwd, "/").or_throw("attach");
    mount_on(tree, "proc", "/proc", pod.pid);
    mount_on(tree, "tmpfs", "/dev");
    mount_on(tree, "devpts", "/dev/pts");
    mount_on(tree, "tmpfs", "/dev/shm");
    mount_on(tree, "mqueue", "/dev/mqueue");
    mount_on(tree, "sysfs", "/sys");
    mount_on(tree, "cgroup2", "/sys/fs/cgroup");
    sys::pivot_into(tree).or_throw("pivot");
}

void run_container(const cgroup::Host& host, const Pod& pod, const std::string& rootfs) {
    auto group = cgroup::Group::create(host, "/covey-floor/pod/c");
    group.restrict_devices({});
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    auto launcher = sys::clone_process({0, SIGCHLD, group.clone_target()}).or_throw("clone");
    if (launcher.pid == 0) {
        const auto tree =
            sys::clone_tree(sys::kCwd, rootfs, sys::Recursive::yes).or_throw("open_tree");
        build_world(tree, pod);
        sys::set_namespace(pod.pid, CLONE_NEWPID).or_throw("setns");
        (void)sys::limit_bounding_set(0);
        auto init = sys::clone_process({CLONE_PARENT, 0, FdRef{-1}}).or_throw("clone");
        if (init.pid == 0) {
            (void)sys::exec_path("/bin/true", {"true"}, {});
            ::_exit(127);
        }
        const FdRef fds[] = {init.pidfd};
        (void)sys::send_packet(sockets.child, "b", fds);
        ::_exit(0);
    }
    sockets.child.reset();
    const auto born = sys::receive_packet(sockets.parent).or_throw("receive");
    (void)sys::wait_process(launcher.pidfd);
    (void)sys::wait_process(born.fds.at(0));
    group.remove();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: bench_floor PAUSE_PROGRAM ROOTFS [rounds]\n");
        return 2;
    }
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 100;
    const auto host = cgroup::detect();
    const auto pause =
        sys::sealed_copy(sys::open(argv[1], O_RDONLY).or_throw("open", argv[1]), "pause")
            .or_throw("memfd");
    bench::Row create{"floor: sandbox, clone to ready"}, remove{"floor: sandbox, kill and reap"},
        container{"floor: container, clone to exec to reaped"};
    for (int i = 0; i < rounds; ++i) {
        Pod pod;
        create.measure([&] { pod = create_pod(host, pause); });
        container.measure([&] { run_container(host, pod, argv[2]); });
        remove.measure([&] { remove_pod(host, pod); });
    }
    cgroup::Group::open(host, "/covey-floor").remove();
    bench::Row::print_header();
    for (auto* row : {&create, &container, &remove})
        row->print();
}
