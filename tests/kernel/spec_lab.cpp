#include "kernel/spec_lab.hpp"

#include "sys/process.hpp"
#include "sys/socket.hpp"

#include <filesystem>
#include <variant>

#include <fcntl.h>
#include <sys/mman.h>

namespace covey::test {
namespace {

/// Messages until init waits at its gate.
void await_ready(SpecContainer& container, const UniqueFd& launcher) {
    bool born = false;
    bool ready = false;
    while (!born || !ready) {
        auto message = launch::receive_message(container.handshake);
        if (!message) throw Error(Code::internal, "the launcher ended without a word");
        if (auto* found = std::get_if<launch::Born>(&*message)) {
            born = true;
            container.pid = found->pid;
            container.pidfd = std::move(found->pidfd);
            container.terminal = std::move(found->terminal);
            container.warnings = std::move(found->warnings);
        } else if (auto* failed = std::get_if<launch::Failed>(&*message)) {
            throw failed->error;
        } else {
            ready = true;
        }
    }
    sys::wait_process(launcher).or_throw("wait for", "launcher");
}

}  // namespace

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
    sys::mkfifo_at(container.folder, launch::kGateName, 0600).or_throw("mkfifo");
    container.group = tree_.create(name);
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    const auto launcher =
        sys::clone_process({0, SIGCHLD, container.group->clone_target()}).or_throw("clone");
    if (launcher.pid == 0) {
        input_.cgroups = &tree_.host();
        input_.cgroup_path = container.group->path();
        input_.state_folder = container.folder;
        input_.handshake = sockets.child;
        if (input_.stdio.out == "null")
            input_.stdio = {"null", "file:" + container.out, "file:" + container.err};
        if (without_cgroup) input_.cgroups = nullptr;
        if (before) before();
        launch::run_launcher(input_);
    }
    sockets.child.reset();
    container.handshake = std::move(sockets.parent);
    try {
        await_ready(container, launcher.pidfd);
    } catch (const Error&) {
        remove(container);
        throw;
    }
    return container;
}

void SpecLab::open_gate(SpecContainer& container) {
    const auto gate =
        sys::open_at(container.folder, launch::kGateName, O_WRONLY | O_NONBLOCK).or_throw("gate");
    sys::write_all(gate, "s").or_throw("write gate");
    if (auto message = launch::receive_message(container.handshake); message)
        throw std::get<launch::Failed>(*message).error;
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
    auto sockets = sys::seqpacket_pair().or_throw("socketpair");
    const auto launcher =
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
        input.handshake = sockets.child;
        input.joins_user_namespace =
            namespace_of(container.pid, "user") != namespace_of(::getpid(), "user");
        launch::run_exec_launcher(input);
    }
    sockets.child.reset();
    auto message = launch::receive_message(sockets.parent);
    sys::wait_process(launcher.pidfd).or_throw("wait for", "launcher");
    if (!message) throw Error(Code::internal, "the launcher ended without a word");
    if (auto* failed = std::get_if<launch::Failed>(&*message)) throw failed->error;
    const auto status =
        sys::wait_process(std::get<launch::Born>(*message).pidfd).or_throw("wait for", "exec");
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
