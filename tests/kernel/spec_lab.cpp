#include "kernel/spec_lab.hpp"

#include "store/start_gate.hpp"
#include "sys/process.hpp"

#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>

namespace covey::test {
namespace {

/// Whatever it may say: what is due of which launch is the front-ends' to know.
launch::HandShake::Expect anything(const launch::LaunchInput& input) {
    launch::HandShake::Expect expect;
    expect.agent = expect.listener = true;
    expect.nests = input.request.nests;
    expect.makes_world = !input.request.nests;
    return expect;
}

}  // namespace

SpecLaunch::SpecLaunch(launch::Channels channels, sys::Child launcher, std::string group,
                       launch::HandShake::Expect expect)
    : host_(cgroup::detect()) {
    task::Launching::Order order;
    order.channels = std::move(channels);
    order.launcher = std::move(launcher);
    order.expect = expect;
    order.recognize = task::children_in(&host_, std::move(group));
    launching_ = std::make_unique<task::Launching>(
        owner_, reaper_, std::move(order),
        task::Launching::Callbacks{.born = [this](launch::Born born) { born_ = std::move(born); },
                                   .ready =
                                       [this](UniqueFd terminal) {
                                           is_ready_ = true;
                                           if (terminal)
                                               born_.prepared.terminal = std::move(terminal);
                                           loop_.stop();
                                       },
                                   .failed =
                                       [this](const Error& error) {
                                           failure_ = error;
                                           loop_.stop();
                                       },
                                   .executed =
                                       [this] {
                                           has_executed_ = true;
                                           loop_.stop();
                                       },
                                   .launcher_ended = [this] { loop_.stop(); },
                                   .neighbours_due = [this] { launching_->all_still(); },
                                   .dropped = [] {},
                                   .hooks_due = [this](pid_t) { launching_->hooks_ran(); },
                                   .spawner = [](const launch::KeepSpawner&) {},
                                   .agent = [](const launch::SeccompAgent&) {},
                                   .listener = [](const UniqueFd&) {}});
}

launch::Born SpecLaunch::await(bool& done) {
    while (!failure_ && (!done || launching_->launcher_alive()))
        loop_.run();
    if (failure_) throw Error(*failure_);
    return std::move(born_);
}

launch::Born SpecLaunch::await_ready() {
    return await(is_ready_);
}

launch::Born SpecLaunch::await_execution() {
    return await(has_executed_);
}

SpecLab::SpecLab() {
    input_.request.namespaces = plan::NamespaceRule::spec;
    input_.request.bundle = bundle_.path();
}

SpecContainer SpecLab::create(const BundleOptions& options) {
    bundle_.configure(options);
    const auto name = "c" + std::to_string(++number_);
    const auto folder = folder_.path() + "/" + name;
    std::filesystem::create_directory(folder);
    SpecContainer container;
    container.folder = sys::open_dir(folder).or_throw("open", folder);
    container.out = folder + "/out";
    container.err = folder + "/err";
    store::make_start_gate(container.folder);
    container.group = tree_.create(name);
    auto channels = launch::make_channels();
    auto launcher =
        sys::clone_process({0, SIGCHLD, container.group->clone_target()}).or_throw("clone");
    if (launcher.pid == 0) {
        input_.cgroups = &tree_.host();
        input_.cgroup_path = container.group->path();
        input_.state_folder = container.folder;
        input_.channels = channels.child;
        if (input_.stdio.out == "null")
            input_.stdio = {"null", "file:" + container.out, "file:" + container.err};
        if (without_cgroup) input_.cgroups = nullptr;
        if (before) before();
        launch::run_launcher(input_);
    }
    channels.child = {};
    container.launch = std::make_unique<SpecLaunch>(std::move(channels.parent), std::move(launcher),
                                                    container.group->path(), anything(input_));
    try {
        auto born = container.launch->await_ready();
        container.pid = born.pid;
        container.pidfd = std::move(born.pidfd);
        container.terminal = std::move(born.prepared.terminal);
        container.warnings = std::move(born.prepared.warnings);
    } catch (const Error&) {
        remove(container);
        throw;
    }
    return container;
}

void SpecLab::open_gate(SpecContainer& container) {
    const auto gate = store::open_start_gate(container.folder).or_throw("gate");
    store::ring(gate);
    (void)container.launch->await_execution();
}

SpecContainer SpecLab::start(const BundleOptions& options) {
    auto container = create(options);
    try {
        open_gate(container);
    } catch (const Error&) {
        remove(container);
        throw;
    }
    return container;
}

void SpecLab::remove(SpecContainer& container) {
    container.group->kill();
    (void)container.group->wait_empty(kLong);
    tree_.reap();
    container.group->remove();
}

Outcome SpecLab::finish(SpecContainer container) {
    if (!sys::wait_ended(container.pidfd, static_cast<int>(kLong.count() * 1000))) {
        remove(container);
        FAIL("the container did not end");
    }
    const auto status = sys::wait_process(container.pidfd).or_throw("wait for", "init");
    remove(container);
    ExitStatus exit;
    exit.exit_code = status.code;
    exit.signal = status.signal;
    return {exit, text_of(container.out), text_of(container.err)};
}

Outcome SpecLab::exec(const SpecContainer& container, const Words& words,
                      plan::ExecRequest request) {
    request.args = {"/bin/probe"};
    request.args.insert(request.args.end(), words.begin(), words.end());
    const UniqueFd out{::memfd_create("test-out", MFD_CLOEXEC)};
    auto channels = launch::make_channels();
    auto launcher =
        sys::clone_process({0, SIGCHLD, container.group->clone_target()}).or_throw("clone");
    if (launcher.pid == 0) {
        launch::ExecInput input;
        input.request = input_.request;
        input.exec = request;
        const auto null = sys::open("/dev/null", O_RDWR).or_throw("open", "/dev/null");
        input.in = null;
        input.out = out;
        input.err = null;
        input.init = container.pidfd;
        input.cgroups = &tree_.host();
        input.container_cgroup = container.group->path();
        input.state_folder = container.folder;
        input.channels = channels.child;
        input.joins_user_namespace =
            namespace_of(container.pid, "user") != namespace_of(::getpid(), "user");
        launch::run_exec_launcher(input);
    }
    channels.child = {};
    launch::HandShake::Expect expect;
    expect.gate = false;
    SpecLaunch launched{std::move(channels.parent), std::move(launcher), container.group->path(),
                        expect};
    const auto born = launched.await_execution();
    const auto status = sys::wait_process(born.pidfd).or_throw("wait for", "exec");
    ExitStatus exit;
    exit.exit_code = status.code;
    exit.signal = status.signal;
    return {exit, text_of(sys::fd_path(out)), {}};
}

Outcome SpecLab::run(const Words& words, const std::string& patch) {
    return finish(start(words, patch));
}

Error SpecLab::refused(const BundleOptions& options) {
    return error_of([&] {
        auto container = start(options);
        remove(container);
    });
}

}  // namespace covey::test
