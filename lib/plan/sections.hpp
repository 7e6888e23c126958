// What the sections of a compilation share: the spec and the request they read, the plan they fill,
// the problems they collect. Internal to lib/plan; compile.cpp calls the sections in this order.
// Thread rule: one compilation, one object. Do not block (seccomp: reads its cache).
#pragma once

#include "plan/compile.hpp"
#include "plan/plan.hpp"
#include "spec/problem.hpp"
#include "spec/types.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::plan {

struct Sections {
    const spec::Spec& spec;
    const LaunchRequest& request;
    const CompileOptions& options;
    LaunchPlan plan;
    std::vector<spec::Problem> problems;

    void problem(std::string pointer, std::string message) {
        problems.push_back({std::move(pointer), std::move(message)});
    }
    /// For what the specification has and Covey does not act on.
    void refuse(std::string pointer, std::string_view what);
    void warn(std::string text) { plan.warnings.push_back(std::move(text)); }
    void add(Operation operation) { plan.operations.push_back(std::move(operation)); }
    void protect(Operation operation) { plan.protections.push_back(std::move(operation)); }
};

/// Capabilities over one namespace of a pod would not be capabilities over another.
inline constexpr std::string_view kMixture =
    "a container in a user namespace, in a sandbox that is in none: a pod is wholly inside one or "
    "wholly outside; remove it";

void refuse_unsupported(Sections& s);
/// Namespaces, host names and sysctls, by either rule.
void compile_sandbox_namespaces(Sections& s);
void compile_spec_namespaces(Sections& s);
void compile_resources(Sections& s);
void compile_root(Sections& s);
void compile_mounts(Sections& s);
void compile_devices(Sections& s);
void compile_protected_paths(Sections& s);
void compile_process(Sections& s);
/// Part of compile_process.
void compile_scheduling(Sections& s, const spec::Process& from);
void compile_seccomp(Sections& s);

/// Its neighbours have numbers in its PID namespace. An exec of covey-runtime's does not know what
/// annotations have made of the entry: to it they might.
[[nodiscard]] bool has_neighbours(const Sections& s);
/// Throws invalid_argument for a capability that opens what `access` closes.
void check_access_capabilities(const Sections& s, const CapabilitySets& sets);
/// A procfs's options, with what `access` hides.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> proc_options(
    const spec::Access& access, std::vector<std::pair<std::string, std::string>> options);

struct NamespaceEntry {
    const spec::Namespace* entry = nullptr;  // null: the spec has none of that type
    std::string pointer;
};
/// The container is in a user namespace: its own, new or joined, or the sandbox's.
[[nodiscard]] bool has_user_namespace(const Sections& s);
[[nodiscard]] NamespaceEntry find_namespace(const spec::Spec& spec, spec::NamespaceType type);
/// The namespace that a sysctl belongs to; none: it is the whole host's. Key in either form.
[[nodiscard]] std::optional<spec::NamespaceType> sysctl_namespace(std::string key);

/// The container's own sets with the request's additions and removals, for a process of `uid`.
/// For uid 0 an added capability goes to the bounding, permitted and effective sets. For any other
/// uid also to the inheritable and ambient ones: execve(2) clears the permitted set of such a
/// process otherwise, and the addition would be none.
[[nodiscard]] CapabilitySets capabilities_for(const spec::Process& process,
                                              const LaunchRequest& request, uid_t uid);
void add_capabilities(CapabilitySets& sets, std::uint64_t added, uid_t uid);
/// A terminal needs a devpts on /dev/pts: the spec mounts one, or binds what may have one (all of a
/// /dev), or leaves it to the root filesystem. Whether it is one is seen when it is opened.
[[nodiscard]] bool may_have_devpts(const spec::Spec& spec, NamespaceRule rule);

/// Absolute, without "." and "..", "//" or a slash at the end.
[[nodiscard]] std::string clean_path(std::string_view path);
/// `path` is `folder` or lies below it; both cleaned.
[[nodiscard]] bool is_within(std::string_view path, std::string_view folder) noexcept;
/// RFC 6901: "/" and "~" in a key.
[[nodiscard]] std::string pointer_key(std::string_view key);

}  // namespace covey::plan
