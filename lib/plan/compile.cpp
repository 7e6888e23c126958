#include "plan/compile.hpp"

#include "covey/error.hpp"
#include "plan/environment.hpp"
#include "plan/sections.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

void check_request(const LaunchRequest& request) {
    if (!request.bundle.starts_with('/'))
        throw Error(Code::invalid_argument,
                    fmt::format("bundle '{}' is not an absolute path", request.bundle));
    if (request.namespaces == NamespaceRule::sandbox && request.sandbox.has_user &&
        request.pid_mode == spec::PidMode::node)
        throw Error(Code::invalid_argument,
                    "pid mode node in a sandbox with a user namespace: the host's PID namespace "
                    "does not belong to it")
            .with_fix("use pod, nested or container, or a sandbox without namespaces.user");
}

spec::PidMode pid_mode_of(const spec::Spec& spec, const LaunchRequest& request) {
    if (request.namespaces == NamespaceRule::sandbox) return request.pid_mode;
    const auto found = find_namespace(spec, spec::NamespaceType::pid);
    if (found.entry == nullptr) return spec::PidMode::node;
    if (found.entry->path.empty()) return spec::PidMode::container;
    return request.nests ? spec::PidMode::nested : spec::PidMode::pod;
}

void throw_if_any(Sections& s) {
    if (!s.problems.empty()) throw spec::SpecError("config.json", std::move(s.problems));
}

void check_exec(const ExecRequest& exec) {
    if (exec.args.empty() || exec.args.front().empty())
        throw Error(Code::invalid_argument, "exec without a command")
            .with_fix("name the program to run");
    if (exec.cwd && !exec.cwd->starts_with('/'))
        throw Error(Code::invalid_argument,
                    fmt::format("exec cwd '{}' is not an absolute path", *exec.cwd));
    constexpr auto kNoId = ~std::uint32_t{0};  // (uid_t)-1 means "leave it" to the kernel
    if (exec.uid == kNoId || exec.gid == kNoId)
        throw Error(Code::invalid_argument, "exec user: 4294967295 is no user or group id");
}

}  // namespace

LaunchPlan compile(const spec::Spec& spec, const LaunchRequest& request,
                   const CompileOptions& options) {
    check_request(request);
    Sections s{spec, request, options, {}, {}};
    s.plan.pid_mode = pid_mode_of(spec, request);
    refuse_unsupported(s);
    if (request.namespaces == NamespaceRule::sandbox)
        compile_sandbox_namespaces(s);
    else
        compile_spec_namespaces(s);
    compile_resources(s);
    compile_root(s);
    compile_mounts(s);
    compile_devices(s);
    compile_protected_paths(s);
    compile_process(s);
    compile_seccomp(s);
    throw_if_any(s);
    check_access_capabilities(s, s.plan.process.capabilities);
    return std::move(s.plan);
}

ProcessPlan compile_exec(const spec::Spec& spec, const LaunchRequest& request,
                         const ExecRequest& exec, const CompileOptions& options) {
    check_request(request);
    check_exec(exec);
    Sections s{spec, request, options, {}, {}};
    s.plan.pid_mode = spec::PidMode::pod;  // others are there already, whatever namespace it is
    compile_process(s);
    compile_seccomp(s);
    throw_if_any(s);
    if (exec.terminal && !may_have_devpts(spec, request.namespaces))
        throw Error(Code::invalid_argument,
                    "a terminal needs a devpts on /dev/pts in the container")
            .with_fix("exec without a terminal, or add the mount to the container's spec");

    auto process = std::move(s.plan.process);
    process.args = exec.args;
    merge_environment(process.env, exec.env);
    complete_environment(process.env, exec.terminal);
    if (exec.cwd) process.cwd = *exec.cwd;
    process.terminal = exec.terminal;
    process.console_rows = exec.console_rows;
    process.console_columns = exec.console_columns;
    if (exec.uid && *exec.uid != process.uid) {
        // Another user: the groups of the old one are not its own.
        process.uid = *exec.uid;
        process.gid = 0;
        process.groups.clear();
    }
    if (exec.gid) process.gid = *exec.gid;
    process.capabilities = capabilities_for(*spec.process, request, process.uid);
    add_capabilities(process.capabilities, exec.add_capabilities, process.uid);
    check_access_capabilities(s, process.capabilities);
    return process;
}

}  // namespace covey::plan
