#include "runtime/creating.hpp"

#include "base/fault.hpp"
#include "base/id.hpp"
#include "base/log.hpp"
#include "base/rollback.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "runtime/ending.hpp"
#include "runtime/failure.hpp"
#include "runtime/group_parents.hpp"
#include "runtime/hand_shake.hpp"
#include "runtime/late_hooks.hpp"
#include "runtime/net_devices.hpp"
#include "runtime/notify.hpp"
#include "runtime/own_group.hpp"
#include "runtime/registry.hpp"
#include "runtime/resctrl.hpp"
#include "runtime/sharing.hpp"
#include "runtime/spawner.hpp"
#include "runtime/state_codec.hpp"
#include "runtime/systemd.hpp"
#include "store/start_gate.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "sys/socket.hpp"
#include "task/children.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include <unistd.h>

namespace covey::runtime {
namespace {

std::string absolute_bundle(const std::string& bundle) {
    const auto folder = sys::open_dir(bundle);
    if (!folder)
        throw Error::from_errno(folder.error(), "open bundle", bundle)
            .with_fix("a bundle is a folder with a config.json and a root filesystem");
    return sys::readlink_at(sys::kCwd, sys::fd_path(folder.value())).or_throw("resolve", bundle);
}

std::string absolute_rootfs(const std::string& bundle, const spec::Spec& spec) {
    const auto path = spec.root ? spec.root->path : std::string{};
    return path.starts_with('/') ? path : bundle + "/" + path;
}

bool makes_pid_namespace(const spec::Spec& spec) {
    const auto& all = spec.linux.namespaces;
    return std::any_of(all.begin(), all.end(), [](const spec::Namespace& one) {
        return one.type == spec::NamespaceType::pid && one.path.empty();
    });
}

class Creation {
  public:
    Creation(const Globals& globals, const CreateOptions& options, const std::string& id)
        : globals_(globals), options_(options), id_(id) {}

    CreatedContainer run();

  private:
    void read_spec();
    void check_terminal() const;
    void write_intent();
    void make_class();
    void launch();
    [[nodiscard]] HandShake::Input hand_shake_input();
    [[noreturn]] void run_launcher(launch::ChannelRefs channels);
    void finish();
    void undo_launch() noexcept;

    const Globals& globals_;
    const CreateOptions& options_;
    const std::string& id_;

    PidFile pid_file_;
    UniqueFd console_, pidfd_socket_;
    launch::Bundle bundle_;
    core::ContainerRecord record_;
    std::optional<ContainerStore> store_;
    std::optional<ContainerFolder> folder_;
    std::optional<OwnGroup> place_;   // unless cgroups are disabled
    std::optional<Resctrl> resctrl_;  // with linux.intelRdt
    std::optional<NetDevices> net_devices_;
    sys::Child launcher_;
    Sharing sharing_;
    SharedNamespace shared_;
    UniqueFd own_group_;  // this command's
    std::optional<HandShake> hand_shake_;
    task::OwnChildren before_;  // what this process has brought along
};

void Creation::read_spec() {
    record_.id = id_;
    record_.bundle = absolute_bundle(options_.bundle);
    bundle_ = launch::read_bundle(record_.bundle, launch::Pipes::read);
    auto& spec = bundle_.spec;
    sharing_ = sharing_of(spec.annotations, id_);
    if (spec.process) add_listen_variables(*spec.process, options_.fds);
    record_.rootfs = absolute_rootfs(record_.bundle, spec);
    record_.created = rfc3339_now();
    record_.owner = ::geteuid();
    record_.annotations = spec.annotations;
    record_.systemd_cgroup = globals_.systemd_cgroup;
    record_.no_new_keyring = options_.no_new_keyring;
    record_.has_poststart = !spec.hooks.poststart.empty();
    record_.has_poststop = !spec.hooks.poststop.empty();
}

void Creation::check_terminal() const {
    const bool terminal = bundle_.spec.process && bundle_.spec.process->terminal;
    if (terminal && options_.detached && !console_)
        throw Error(Code::invalid_argument,
                    "cannot allocate tty if covey-runtime will detach without setting console "
                    "socket")
            .with_fix("pass --console-socket, or set process.terminal to false");
    if (!terminal && console_)
        throw Error(Code::invalid_argument,
                    "cannot use console socket if covey-runtime will not allocate tty")
            .with_fix("set process.terminal to true, or leave --console-socket out");
}

void Creation::write_intent() {
    place_.emplace(bundle_.spec, record_, *store_, *folder_);
    if (!globals_.cgroups_disabled) place_->choose(sharing_.access.is_restricted());
    if (const auto& rdt = bundle_.spec.linux.intel_rdt)
        record_.resctrl = resctrl_.emplace(Resctrl::find()).choose(*rdt, id_);
    folder_->write(record_);
    fault_point("runtime.intent");
}

void Creation::make_class() {
    if (!resctrl_) return;
    resctrl_->make(record_.resctrl);
    resctrl_->configure(record_.resctrl, *bundle_.spec.linux.intel_rdt);
    resctrl_.reset();  // and its lock
}

void Creation::launch() {
    store::make_start_gate(folder_->fd());
    store::make_start_report(folder_->fd());
    auto channels = launch::make_channels();
    place_->prepare_scope();
    fault_point("runtime.clone");
    if (const auto* host = place_->host(); host != nullptr && sharing_.access.is_restricted())
        own_group_ = cgroup::open_own(*host);
    // SIGCHLD, not 0: init, cloned with CLONE_PARENT, inherits it, and whoever inherits init waits
    // for it the usual way.
    const auto* const group = place_->group();
    launcher_ =
        sys::clone_process({0, SIGCHLD, group != nullptr ? group->clone_target() : FdRef{-1}})
            .or_throw("clone", "launcher");
    if (launcher_.pid == 0) {
        place_->await_scope(channels.child.launcher);
        run_launcher(channels.child);
    }
    channels.child = {};
    place_->make_scope(launcher_.pid);
    hand_shake_.emplace(hand_shake_input());
    hand_shake_->await(std::move(channels.parent), launcher_);
    join_class(record_.resctrl, hand_shake_->born().pid);
    for (const auto& warning : hand_shake_->born().prepared.warnings)
        log::debug(warning);
}

HandShake::Input Creation::hand_shake_input() {
    const auto& spec = bundle_.spec;
    launch::HandShake::Expect expect;
    expect.hooks = !spec.hooks.empty();
    expect.agent = expect.listener =
        spec.linux.seccomp && !spec.linux.seccomp->listener_path.empty();
    expect.spawner = sharing_.access.is_restricted();
    expect.nests = shared_.nests;
    expect.makes_world = makes_pid_namespace(spec);  // as plan::compile() decides
    return {record_,
            &spec.hooks,
            shared_.file,
            [this](pid_t told) {
                if (net_devices_) net_devices_->move_to(told);
            },
            place_->host(),
            place_->group(),
            [this] { return neighbours_of(record_, store_->records()); },
            record_.cgroup.path,
            true,
            expect,
            [this](pid_t pid, const std::string& metadata) {
                return encode_process_state(record_, "creating", pid, pid, metadata);
            }};
}

void Creation::run_launcher(launch::ChannelRefs channels) {
    launch::LaunchInput input;
    input.request.bundle = record_.bundle;
    input.request.namespaces = plan::NamespaceRule::spec;
    input.request.nests = shared_.nests;
    input.request.access = sharing_.access;
    if (bundle_.spec.linux.seccomp) input.compile.seccomp_cache = seccomp_cache_folder();
    input.stdio = {"inherit", "inherit", "inherit"};
    input.cgroups = place_->host();
    input.cgroup_path = record_.cgroup;
    if (place_->is_scope()) input.device_rules = cgroup::DeviceRulesIn::program;
    input.state_folder = folder_->fd();
    input.channels = channels;
    input.bundle = &bundle_;
    input.engine.preserved_fds = options_.fds.count;
    // Whoever captures this command's output is to read what was written.
    input.engine.plain_newlines = !console_;
    input.engine.least_tasks = OwnGroup::kLaunchTasks;
    if (options_.no_new_keyring) input.engine.keyring = launch::SessionKeyring::callers;
    input.engine.has_report = true;
    input.engine.no_pivot = options_.no_pivot;
    if (!bundle_.spec.hooks.empty())
        input.engine.hook_state = [this](pid_t pid, const char* status) {
            return encode_hook_state(record_, status, pid);
        };
    // The launcher is in the container's group by now; the spawner, which starts execs, is no
    // process of the container's.
    if (sharing_.access.is_restricted())
        input.spawner = {[](FdRef control) { become_spawner(control); }, own_group_};
    launch::run_launcher(input);
}

void Creation::finish() {
    auto& born = hand_shake_->born();
    place_->lower_tasks();
    // Without creation hooks nobody has asked for them before.
    if (net_devices_) net_devices_->move_to(born.pid);
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    record_.start_time = sys::read_stat(proc, born.pid).or_throw("read stat of", "init").start_time;
    record_.pid = born.pid;
    // config-linux.md: a class with a name of its own outlives the container.
    if (const auto& rdt = bundle_.spec.linux.intel_rdt; rdt && !rdt->clos_id.empty())
        record_.resctrl.is_made = false;
    if (const auto& spawner = hand_shake_->spawner(); spawner.pidfd)
        put_to_work(spawner, folder_->fd(), born.pidfd, record_);
    folder_->write(record_);
    fault_point("runtime.record");
    if (console_) {
        send_descriptor(console_, born.prepared.terminal, "/dev/pts/ptmx");
        born.prepared.terminal.reset();
        console_.reset();
    }
    if (pidfd_socket_) send_descriptor(pidfd_socket_, born.pidfd, "pidfd");
    add_to_registry(store_->root(), id_);
    // Last: who waits for this file may use all the rest.
    pid_file_.write(born.pid);
}

void Creation::undo_launch() noexcept {
    try {
        if (net_devices_) net_devices_->give_back();
        if (launcher_.pidfd) (void)sys::pidfd_send_signal(launcher_.pidfd, SIGKILL);
        if (hand_shake_) hand_shake_->kill();
        if (auto* const group = place_->group()) end_group(*group);
        // Nothing privileged is left. The process that holds the pod still is a child as well.
        if (hand_shake_) hand_shake_->let_go();
        before_.kill_others();
        remove_parents(record_.made_parents);
        stop_scope(record_);
        reap_children();
        resctrl_.reset();
        remove_class(record_.resctrl);
        if (hand_shake_ && hand_shake_->hooks_ran())
            run_poststop_hooks(bundle_.spec.hooks, record_);
    } catch (const std::exception& error) {
        report_warning(fmt::format("undoing the create: {}", error.what()));
    }
}

CreatedContainer Creation::run() {
    require_valid_container_id(id_);
    pid_file_ = PidFile{options_.pid_file};
    if (!options_.console_socket.empty())
        console_ = connect_socket(options_.console_socket, "console-socket");
    if (!options_.pidfd_socket.empty())
        pidfd_socket_ = connect_socket(options_.pidfd_socket, "pidfd-socket");
    read_spec();
    check_terminal();
    if (const auto& devices = bundle_.spec.linux.net_devices; !devices.empty())
        net_devices_.emplace(devices);
    store_.emplace(ContainerStore::open(globals_.root));
    folder_.emplace(store_->create(id_));
    Rollback rollback;
    rollback.add([this] { store_->remove(id_); });
    folder_->lock(1);
    shared_ = share_namespace(bundle_.spec, sharing_, *store_);
    write_intent();
    rollback.add([this] { undo_launch(); });
    if (NotifySocket::is_wanted()) {
        NotifySocket::make_folder(folder_->fd());
        NotifySocket::add_to(bundle_.spec, store_->root(), id_);
    }
    close_others(options_.fds, globals_.log_file);
    place_->make(shared_.nests);
    make_class();
    launch();
    rollback.add([this] { remove_from_registry(store_->root(), id_); });
    finish();
    rollback.release();
    // The launcher has said all it had to say.
    (void)sys::wait_process(launcher_.pidfd);
    auto& born = hand_shake_->born();
    return {std::move(record_), std::move(*folder_), std::move(born.pidfd),
            std::move(born.prepared.terminal)};
}

}  // namespace

void add_create_flags(Flags& flags, CreateOptions& options) {
    flags
        .text("bundle", 'b', options.bundle, "the bundle's folder (default: the working directory)")
        .text("console-socket", 0, options.console_socket,
              "Unix socket that is sent the terminal's master")
        .text("pid-file", 0, options.pid_file, "file that init's number is written to")
        .text("pidfd-socket", 0, options.pidfd_socket, "Unix socket that is sent init's pidfd")
        .text("preserve-fds", 0, options.preserve_fds,
              "so many descriptors from 3 up go to the container")
        .boolean("no-pivot", 0, options.no_pivot,
                 "the host's root is a ramdisk: enter the container's by chroot")
        .boolean("no-new-keyring", 0, options.no_new_keyring, "keep the caller's session keyring");
}

CreatedContainer create_container(const Globals& globals, const CreateOptions& options,
                                  const std::string& id) {
    return Creation{globals, options, id}.run();
}

}  // namespace covey::runtime
