// linux.seccomp → a filter for seccomp(2), from the cache if it has one.
#include "plan/bpf_cache.hpp"
#include "plan/own_filters.hpp"
#include "plan/seccomp_filter.hpp"
#include "plan/sections.hpp"
#include "sys/kernel_defs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <linux/seccomp.h>

namespace covey::plan {
namespace {

constexpr std::string_view kNotify = "SCMP_ACT_NOTIFY";

bool asks_agent(const spec::Seccomp& profile) {
    return std::any_of(profile.syscalls.begin(), profile.syscalls.end(),
                       [](const auto& rule) { return rule.action == kNotify; });
}

/// What the launch itself calls between loading the filter and the agent's having its listener: it
/// would wait for an answer that nobody can give (docs/LAUNCH.md). An init that is alone loads it
/// after it was born, so there the agent has it at once.
bool is_called_before_agent(std::string_view syscall, bool is_alone, bool no_new_privileges) {
    static constexpr std::array<std::string_view, 3> kOfTheClone{"clone", "clone3", "close"};
    static constexpr std::array<std::string_view, 12> kOfTheCut{
        "prctl",  "setgroups", "setresgid", "setresuid", "capset", "capget",
        "getuid", "geteuid",   "getgid",    "getegid",   "chdir",  "getcwd"};
    const auto has = [&](const auto& list) {
        return std::find(list.begin(), list.end(), syscall) != list.end();
    };
    if (syscall == "sendmsg") return true;
    return !is_alone && (has(kOfTheClone) || (!no_new_privileges && has(kOfTheCut)));
}

void check_agent(Sections& s, const spec::Seccomp& profile) {
    if (profile.default_action == kNotify)
        s.problem("/linux/seccomp/defaultAction",
                  "SCMP_ACT_NOTIFY cannot be used as default action: the runtime would wait for "
                  "itself; name the system calls");
    constexpr std::size_t kLongest = 64U << 10U;
    if (profile.listener_metadata.size() > kLongest)
        s.problem("/linux/seccomp/listenerMetadata",
                  fmt::format("must be at most {} bytes", kLongest));
    if (s.plan.pid_mode == spec::PidMode::nested && asks_agent(profile))
        s.refuse("/linux/seccomp", "a seccomp agent (SCMP_ACT_NOTIFY) in pid mode nested");
    const bool is_alone = s.plan.pid_mode == spec::PidMode::container;
    const bool no_new_privileges = s.spec.process && s.spec.process->no_new_privileges;
    for (std::size_t i = 0; i < profile.syscalls.size(); ++i)
        for (const auto& name : profile.syscalls[i].names)
            if (profile.syscalls[i].action == kNotify &&
                is_called_before_agent(name, is_alone, no_new_privileges))
                s.problem(fmt::format("/linux/seccomp/syscalls/{}/action", i),
                          fmt::format("SCMP_ACT_NOTIFY cannot be used for {}: the runtime calls it "
                                      "before the agent can answer",
                                      name));
}

bool refuse_notify(Sections& s, const spec::Seccomp& profile) {
    const auto before = s.problems.size();
    if (s.request.namespaces == NamespaceRule::spec) {
        check_agent(s, profile);
        return s.problems.size() != before;
    }
    constexpr auto kWhat = "a seccomp agent (SCMP_ACT_NOTIFY)";
    if (!profile.listener_path.empty()) s.refuse("/linux/seccomp/listenerPath", kWhat);
    if (!profile.listener_metadata.empty()) s.refuse("/linux/seccomp/listenerMetadata", kWhat);
    if (profile.default_action == kNotify) s.refuse("/linux/seccomp/defaultAction", kWhat);
    for (std::size_t i = 0; i < profile.syscalls.size(); ++i)
        if (profile.syscalls[i].action == kNotify)
            s.refuse(fmt::format("/linux/seccomp/syscalls/{}/action", i), kWhat);
    return s.problems.size() != before;
}

std::uint32_t flags_of(Sections& s, const spec::Seccomp& profile) {
    std::uint32_t flags = 0;
    for (std::size_t i = 0; i < profile.flags.size(); ++i) {
        const auto& name = profile.flags[i];
        const auto pointer = fmt::format("/linux/seccomp/flags/{}", i);
        if (name == "SECCOMP_FILTER_FLAG_LOG")
            flags |= SECCOMP_FILTER_FLAG_LOG;
        else if (name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
            flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && asks_agent(profile))
            flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
            s.problem(pointer, "is about a seccomp agent; no action is SCMP_ACT_NOTIFY");
        // All threads of the container come after the filter, so TSYNC says what is so anyway.
        else if (name != "SECCOMP_FILTER_FLAG_TSYNC")
            s.problem(pointer, fmt::format("unknown seccomp flag '{}'", name));
    }
    return flags;
}

CompiledSeccomp filter_of(const spec::Seccomp& profile, const std::string& cache) {
    if (cache.empty()) return compile_filter(profile);
    const auto text = canonical_text(profile);
    if (auto found = cache_lookup(cache, text)) return std::move(*found);
    auto compiled = compile_filter(profile);
    cache_store(cache, text, compiled);
    return compiled;
}

void add_own_filters(Sections& s) {
    auto& filters = s.plan.process.own_filters;
    if (s.request.access.signal == spec::Reach::own && has_neighbours(s)) {
        filters.push_back(neighbour_limits_filter());
        filters.push_back(user_namespaces_filter());
    }
    if (s.request.pid1_signals == spec::Pid1Signals::route) filters.push_back(pid1_filter());
}

}  // namespace

void compile_seccomp(Sections& s) {
    add_own_filters(s);
    if (!s.spec.linux.seccomp) return;
    const auto& profile = *s.spec.linux.seccomp;
    const auto flags = flags_of(s, profile);
    if (refuse_notify(s, profile)) return;
    try {
        auto compiled = filter_of(profile, s.options.seccomp_cache);
        s.plan.process.seccomp = SeccompFilter{std::move(compiled.filter), flags, {}, {}};
        if (asks_agent(profile)) {
            s.plan.process.seccomp->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
            s.plan.process.seccomp->listener_path = profile.listener_path;
            s.plan.process.seccomp->listener_metadata = profile.listener_metadata;
        }
        for (auto& warning : compiled.warnings)
            s.warn(std::move(warning));
    } catch (const SeccompProblem& problem) {
        s.problem("/linux/seccomp" + problem.pointer, problem.what());
    }
}

}  // namespace covey::plan
