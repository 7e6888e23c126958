// covey run: a container from a root filesystem or a bundle, created and started in one step.
#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "ctl/run_attached.hpp"
#include "ctl/run_words.hpp"
#include "ctl/temporary_bundle.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <memory>

namespace covey::ctl {
namespace {

struct RunOptions {
    CreateContainerRequest container;
    std::string rootfs, bundle, user, cwd = "/";
    std::vector<std::string> command, env, mounts, security;
    bool detach = false, input = false, terminal = false, read_only = false, remove = false;
};

Error run_usage(std::string detail, std::string fix) {
    return Error(Code::invalid_argument, "run: " + std::move(detail)).with_fix(std::move(fix));
}

void check(const RunOptions& options) {
    if (options.rootfs.empty() == options.bundle.empty())
        throw run_usage("say what to run: either --rootfs DIR or --bundle DIR",
                        "covey run SANDBOX --rootfs DIR -- CMD");
    if (options.bundle.empty() && options.command.empty())
        throw run_usage("say which command to run in the root filesystem",
                        "put it last: covey run SANDBOX --rootfs DIR -- CMD");
    if (!options.bundle.empty() && (!options.command.empty() || !options.env.empty() ||
                                    !options.mounts.empty() || !options.security.empty() ||
                                    !options.user.empty() || options.read_only || options.terminal))
        throw run_usage("with --bundle its config.json says what is run, and how",
                        "change config.json, or use --rootfs");
    if (options.terminal && !options.detach)
        throw run_usage(
            "a terminal can only be given to a container that runs in the background (-d)",
            "for a terminal of your own in it: covey exec -it CONTAINER -- sh");
}

/// An id from the command and chance, as in "sh-3f2a91c0".
std::string made_up_id(const RunOptions& options) {
    const std::string program =
        options.command.empty()
            ? "run"
            : std::filesystem::path(options.command.front()).filename().string();
    const std::string id = fmt::format("{}-{}", program, random_id().substr(0, 8));
    return is_valid_id(id) ? id : "run-" + random_id().substr(0, 8);
}

bundle::SpecWish spec_wish(RunOptions& options) {
    bundle::SpecWish wish;
    auto seccomp = choose_seccomp(
        options.security,
        capabilities_with(options.container.add_capabilities, options.container.drop_capabilities));
    options.container.seccomp = std::move(seccomp.name);
    wish.seccomp = std::move(seccomp.filter);
    wish.rootfs = std::filesystem::absolute(options.rootfs).lexically_normal().string();
    if (!std::filesystem::is_directory(wish.rootfs))
        throw Error(Code::not_found, fmt::format("--rootfs '{}' is no folder", options.rootfs))
            .with_fix("name an unpacked root filesystem");
    wish.read_only = options.read_only;
    wish.args = options.command;
    wish.env = options.env;
    wish.cwd = options.cwd;
    wish.terminal = options.terminal;
    if (!options.user.empty()) {
        const UserIds ids = parse_user(options.user);
        wish.uid = ids.uid;
        wish.gid = ids.gid;
    }
    for (const auto& mount : options.mounts)
        wish.mounts.push_back(parse_mount(mount));
    return wish;
}

void remove_quietly(const Session& session, const std::string& id) {
    try {
        static_cast<void>(session.look_up(remove("containers", id, Force::yes)));
    } catch (const Error& error) {
        note(fmt::format("covey: container '{}' is left behind: {}", id, error.detail()));
    }
}

/// Created and started, or not there. Nothing with --curl.
std::optional<std::string> launch(const Session& session, const CreateContainerRequest& wish,
                                  AttachedStreams* streams) {
    const auto created = session.ask(create_container(wish));
    if (created) print_warnings(session, decode_container(*created).warnings);
    try {
        if (streams != nullptr && created) streams->connect_input();
        return session.ask(post("containers", wish.id, "start"));
    } catch (const Error&) {
        remove_quietly(session, wish.id);
        throw;
    }
}

int run_detached(const Session& session, const RunOptions& options, TemporaryBundle& folder) {
    CreateContainerRequest wish = options.container;
    if (options.input) wish.in = "hold";
    const auto started = launch(session, wish, nullptr);
    if (started) {
        session.print_object(*started, wish.id);
    } else if (!options.rootfs.empty()) {
        folder.keep();
        note("covey: the bundle is kept for these calls: " + folder.path());
    }
    return 0;
}

int run_in_foreground(const Session& session, const RunOptions& options, TemporaryBundle& folder) {
    CreateContainerRequest wish = options.container;
    AttachedStreams streams(folder, wish, options.input);
    if (!launch(session, wish, &streams)) {
        folder.keep();
        static_cast<void>(session.ask(get("containers", wish.id, "wait")));
        note("covey: the bundle and its FIFOs are kept for these calls: " + folder.path());
        return 0;
    }
    const FollowedEnd end = follow_container(session, wish.id, streams);
    if (options.remove) remove_quietly(session, wish.id);
    // As of a program whose reader has gone, and as of covey exec.
    if (end.output_error == EPIPE) return 128 + SIGPIPE;
    if (end.output_error != 0)
        throw Error::from_errno(end.output_error, "write the output of the container")
            .with_fix(
                "it was ended, and not all that it wrote has arrived: make room, or run it "
                "with --stdout file:PATH");
    return end.exit_code;
}

int run(const Session& session, RunOptions options) {
    options.command.insert(options.command.end(), session.trailing.begin(), session.trailing.end());
    check(options);
    auto& wish = options.container;
    require_valid_id(wish.sandbox, "sandbox id");
    if (wish.id.empty()) wish.id = made_up_id(options);
    require_valid_id(wish.id, "container id");

    TemporaryBundle folder;
    if (options.bundle.empty()) {
        folder.write_config(bundle::default_spec(spec_wish(options)));
        wish.bundle = folder.path();
    } else {
        wish.bundle = std::filesystem::absolute(options.bundle).lexically_normal().string();
    }
    return options.detach ? run_detached(session, options, folder)
                          : run_in_foreground(session, options, folder);
}

}  // namespace

void add_run(const Options& app, Session& session) {
    const Options command = app.command("run", "Run a container in a sandbox");
    const auto options = std::make_shared<RunOptions>();
    auto& wish = options->container;
    command.required("SANDBOX", wish.sandbox, "the sandbox to run in");
    command.optional("CMD", options->command, "what to run; put -- before it");
    command.value("--name", "TEXT", wish.id, "the container's id; made up if absent");
    command.value("--rootfs", "DIR", options->rootfs, "folder that becomes its /");
    command.value("--bundle", "DIR", options->bundle, "OCI bundle: a folder with config.json");
    command.value("--pid", "MODE", wish.pid_mode,
                  "where its processes live: pod, nested, container, target or node");
    command.value("--target", "CONTAINER", wish.target,
                  "with --pid target: the container whose processes it joins");
    command.value("--access", "PRESET", wish.access,
                  "to its neighbours' processes: open, private or observer");
    command.value("--pid1-signals", "CHOICE", wish.pid1_signals,
                  "in pid mode pod: what it sends to number 1 is ignored, or goes to its own main "
                  "process (route)");
    command.flag("-d,--detach", options->detach, "leave it running in the background");
    command.flag("-i,--hold-stdin", options->input,
                 "pass standard input on; with -d: an input that never ends");
    command.flag("-t,--tty", options->terminal, "give it a terminal (with -d)");
    command.flag("--rm", options->remove, "delete it when it has ended (without -d)");
    command.values("--cap-add", "CAP", wish.add_capabilities, "add a capability");
    command.values("--cap-drop", "CAP", wish.drop_capabilities, "drop a capability");
    command.value("-u,--user", "UID[:GID]", options->user, "numbers in the container");
    command.values("-e,--env", "NAME=VALUE", options->env, "an environment variable");
    command.value("-w,--cwd", "DIR", options->cwd, "its working directory");
    command.flag("--read-only", options->read_only, "a root filesystem that cannot be written");
    command.values("--mount", "MOUNT", options->mounts,
                   "type=bind,src=DIR,dst=DIR[,ro] or type=tmpfs,dst=DIR");
    command.values("--security-opt", "OPTION", options->security,
                   "seccomp=unconfined or seccomp=FILE instead of the default profile");
    command.value("--stdout", "TARGET", wish.out, "file:PATH, fifo:PATH or null");
    command.value("--stderr", "TARGET", wish.err, "file:PATH, fifo:PATH or null");
    command.chosen([options, &session] {
        session.runs_a_program = true;
        session.chosen = [options, &session] { return run(session, *options); };
    });
}

}  // namespace covey::ctl
