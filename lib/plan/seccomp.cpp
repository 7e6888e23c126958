// linux.seccomp → a filter for seccomp(2), from the cache if it has one.
#include "plan/bpf_cache.hpp"
#include "plan/seccomp_filter.hpp"
#include "plan/sections.hpp"

#include <fmt/format.h>

#include <linux/seccomp.h>

namespace covey::plan {
namespace {

bool refuse_notify(Sections& s, const spec::Seccomp& profile) {
    const auto before = s.problems.size();
    constexpr auto kWhat = "a seccomp agent (SCMP_ACT_NOTIFY)";
    if (!profile.listener_path.empty()) s.refuse("/linux/seccomp/listenerPath", kWhat);
    if (!profile.listener_metadata.empty()) s.refuse("/linux/seccomp/listenerMetadata", kWhat);
    if (profile.default_action == "SCMP_ACT_NOTIFY")
        s.refuse("/linux/seccomp/defaultAction", kWhat);
    for (std::size_t i = 0; i < profile.syscalls.size(); ++i)
        if (profile.syscalls[i].action == "SCMP_ACT_NOTIFY")
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
        else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
            s.refuse(pointer, "a seccomp agent (SCMP_ACT_NOTIFY)");
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

}  // namespace

void compile_seccomp(Sections& s) {
    if (!s.spec.linux.seccomp) return;
    const auto& profile = *s.spec.linux.seccomp;
    const auto flags = flags_of(s, profile);
    if (refuse_notify(s, profile)) return;
    try {
        auto compiled = filter_of(profile, s.options.seccomp_cache);
        s.plan.process.seccomp = SeccompFilter{std::move(compiled.filter), flags};
        for (auto& warning : compiled.warnings)
            s.warn(std::move(warning));
    } catch (const SeccompProblem& problem) {
        s.problem("/linux/seccomp" + problem.pointer, problem.what());
    }
}

}  // namespace covey::plan
