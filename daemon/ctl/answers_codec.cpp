#include "base/json.hpp"
#include "ctl/answers.hpp"
#include "ctl/text_safety.hpp"

#include <fmt/format.h>

#include <concepts>
#include <utility>

namespace covey::ctl {
namespace {

using PlainJson = nlohmann::json;

Error no_json() {
    return Error(Code::internal, "coveyd's answer is no JSON object")
        .with_fix("use a covey command of coveyd's version: covey version");
}

PlainJson parse_object(std::string_view text) {
    PlainJson document = PlainJson::parse(text, nullptr, false);
    if (document.is_discarded() || !document.is_object()) throw no_json();
    return document;
}

// A field of another type counts as missing: a newer daemon may say more than this command knows.
void read(const PlainJson& object, const char* key, std::string& into) {
    if (const auto found = object.find(key); found != object.end() && found->is_string())
        into = found->get<std::string>();
}

template <std::integral T>
void read(const PlainJson& object, const char* key, T& into) {
    if (const auto found = object.find(key); found != object.end() && found->is_number_integer())
        into = found->get<T>();
}

void read(const PlainJson& object, const char* key, bool& into) {
    if (const auto found = object.find(key); found != object.end() && found->is_boolean())
        into = found->get<bool>();
}

void read(const PlainJson& object, const char* key, std::vector<std::string>& into) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_array()) return;
    for (const PlainJson& item : *found)
        if (item.is_string()) into.push_back(item.get<std::string>());
}

void read(const PlainJson& object, const char* key, std::map<std::string, std::string>& into) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object()) return;
    for (const auto& [name, value] : found->items())
        if (value.is_string()) into[name] = value.get<std::string>();
}

SandboxAnswer sandbox_from(const PlainJson& object) {
    SandboxAnswer sandbox;
    read(object, "id", sandbox.id);
    read(object, "state", sandbox.state);
    read(object, "hostname", sandbox.hostname);
    read(object, "pidMode", sandbox.pid_mode);
    read(object, "access", sandbox.access);
    read(object, "cgroup", sandbox.cgroup);
    read(object, "createdAt", sandbox.created_at);
    read(object, "pid", sandbox.pid);
    read(object, "containers", sandbox.containers);
    read(object, "warnings", sandbox.warnings);
    read(object, "labels", sandbox.labels);
    if (const auto all = object.find("namespaces"); all != object.end() && all->is_object()) {
        for (const auto& [type, value] : all->items()) {
            if (!value.is_object()) continue;
            NamespaceAnswer& entry = sandbox.namespaces[type];
            read(value, "path", entry.path);
            read(value, "inode", entry.inode);
        }
    }
    return sandbox;
}

ExitAnswer exit_from(const PlainJson& object) {
    ExitAnswer exit;
    read(object, "exitCode", exit.exit_code);
    read(object, "signal", exit.signal);
    read(object, "sentBy", exit.sent_by);
    read(object, "oomKilled", exit.oom_killed);
    read(object, "reason", exit.reason);
    return exit;
}

std::optional<ExitAnswer> exit_in(const PlainJson& object) {
    const auto found = object.find("exit");
    if (found == object.end() || !found->is_object()) return std::nullopt;
    return exit_from(*found);
}

ContainerAnswer container_from(const PlainJson& object) {
    ContainerAnswer container;
    read(object, "id", container.id);
    read(object, "sandbox", container.sandbox);
    read(object, "state", container.state);
    read(object, "pidMode", container.pid_mode);
    read(object, "access", container.access);
    if (container.access.empty() && object.contains("access")) container.access = "restricted";
    read(object, "bundle", container.bundle);
    read(object, "createdAt", container.created_at);
    read(object, "startedAt", container.started_at);
    read(object, "pausedAt", container.paused_at);
    read(object, "engine", container.engine);
    read(object, "pid", container.pid);
    read(object, "podPid", container.pod_pid);
    read(object, "command", container.command);
    read(object, "warnings", container.warnings);
    container.exit = exit_in(object);
    if (const auto debug = object.find("debug"); debug != object.end() && debug->is_object()) {
        container.debug.emplace();
        read(*debug, "target", container.debug->target);
        read(*debug, "expiresAt", container.debug->expires_at);
    }
    return container;
}

ProcessAnswer process_from(const PlainJson& object) {
    ProcessAnswer process;
    read(object, "pid", process.pid);
    read(object, "podPid", process.pod_pid);
    read(object, "containerPid", process.container_pid);
    read(object, "ppid", process.ppid);
    read(object, "container", process.container);
    read(object, "exec", process.exec);
    read(object, "state", process.state);
    read(object, "name", process.name);
    read(object, "sandbox", process.sandbox);
    read(object, "zombie", process.zombie);
    read(object, "orphan", process.orphan);
    read(object, "cpuMilliseconds", process.cpu_milliseconds);
    read(object, "uid", process.uid);
    read(object, "gid", process.gid);
    read(object, "rssBytes", process.rss_bytes);
    read(object, "startTime", process.start_time);
    read(object, "command", process.command);
    read(object, "capabilities", process.capabilities);
    return process;
}

VerdictAnswer verdict_in(const PlainJson& object, const char* key) {
    VerdictAnswer verdict;
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object()) return verdict;
    read(*found, "allowed", verdict.allowed);
    read(*found, "because", verdict.because);
    read(*found, "changes", verdict.changes);
    read(*found, "note", verdict.note);
    return verdict;
}

AccessAnswer access_from(const PlainJson& object) {
    AccessAnswer pair;
    read(object, "from", pair.from);
    read(object, "to", pair.to);
    pair.see = verdict_in(object, "see");
    pair.signal = verdict_in(object, "signal");
    pair.read_root = verdict_in(object, "readRoot");
    pair.ptrace = verdict_in(object, "ptrace");
    return pair;
}

template <typename T>
std::vector<T> list_of(std::string_view text, T (*one)(const PlainJson&)) {
    const PlainJson document = parse_object(text);
    std::vector<T> items;
    if (const auto all = document.find("items"); all != document.end() && all->is_array())
        for (const PlainJson& item : *all)
            if (item.is_object()) items.push_back(one(item));
    return items;
}

Error problem_from(int status, const PlainJson& object) {
    std::string code, detail, fix;
    std::vector<std::string> causes;
    read(object, "code", code);
    read(object, "detail", detail);
    read(object, "fix", fix);
    read(object, "causes", causes);
    if (code.empty() || detail.empty())
        return Error(Code::internal, fmt::format("coveyd answered with HTTP status {}", status))
            .with_fix("see coveyd's log");
    Error problem{code_from_name(code), detail};
    problem.set_fix(fix);
    for (auto& cause : causes)
        problem.add_cause(std::move(cause));
    return problem;
}

}  // namespace

SandboxAnswer decode_sandbox(std::string_view json) {
    return sandbox_from(parse_object(json));
}

std::vector<SandboxAnswer> decode_sandboxes(std::string_view json) {
    return list_of(json, sandbox_from);
}

ContainerAnswer decode_container(std::string_view json) {
    return container_from(parse_object(json));
}

std::vector<ContainerAnswer> decode_containers(std::string_view json) {
    return list_of(json, container_from);
}

std::vector<ProcessAnswer> decode_processes(std::string_view json) {
    return list_of(json, process_from);
}

ProcessAnswer decode_process(std::string_view json) {
    return process_from(parse_object(json));
}

std::vector<AccessAnswer> decode_access(std::string_view json) {
    return list_of(json, access_from);
}

ExitAnswer decode_exit(std::string_view json) {
    return exit_from(parse_object(json));
}

EventAnswer decode_event(std::string_view json) {
    const PlainJson object = parse_object(json);
    EventAnswer event;
    read(object, "seq", event.seq);
    read(object, "time", event.time);
    read(object, "type", event.type);
    read(object, "sandbox", event.sandbox);
    read(object, "container", event.container);
    read(object, "exec", event.exec);
    read(object, "engine", event.engine);
    read(object, "pid", event.pid);
    read(object, "podPid", event.pod_pid);
    event.exit = exit_in(object);
    if (const auto found = object.find("problem"); found != object.end() && found->is_object())
        event.problem = problem_from(0, *found);
    return event;
}

VersionAnswer decode_version(std::string_view json) {
    const PlainJson object = parse_object(json);
    VersionAnswer version;
    read(object, "version", version.version);
    read(object, "apiVersion", version.api_version);
    read(object, "ociVersion", version.oci_version);
    read(object, "features", version.features);
    return version;
}

InfoAnswer decode_info(std::string_view json) {
    const PlainJson object = parse_object(json);
    InfoAnswer info;
    read(object, "kernel", info.kernel);
    if (const auto cgroup = object.find("cgroup"); cgroup != object.end() && cgroup->is_object())
        read(*cgroup, "layout", info.cgroup_layout);
    if (const auto checks = object.find("checks"); checks != object.end() && checks->is_array()) {
        for (const PlainJson& item : *checks) {
            CheckAnswer& check = info.checks.emplace_back();
            read(item, "name", check.name);
            read(item, "status", check.status);
            read(item, "detail", check.detail);
            read(item, "fix", check.fix);
        }
    }
    return info;
}

Error decode_problem(int status, std::string_view json) {
    const PlainJson document = PlainJson::parse(json, nullptr, false);
    return problem_from(status, document.is_object() ? document : PlainJson::object());
}

std::string pretty_json(std::string_view json) {
    // ordered: fields in the order in which the daemon says them.
    const auto document = nlohmann::ordered_json::parse(json, nullptr, false);
    if (document.is_discarded()) throw no_json();
    return printable_json(document.dump(2));
}

}  // namespace covey::ctl
