// The process: command, environment, user, groups, umask, capabilities, limits.
#include "base/text.hpp"
#include "plan/environment.hpp"
#include "plan/sections.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

constexpr std::uint32_t kNoId = ~std::uint32_t{0};  // (uid_t)-1 means "leave it" to the kernel

void user(Sections& s, const spec::User& user) {
    auto& process = s.plan.process;
    if (user.uid == kNoId) s.problem("/process/user/uid", "4294967295 is no user id");
    if (user.gid == kNoId) s.problem("/process/user/gid", "4294967295 is no group id");
    for (std::size_t i = 0; i < user.additional_gids.size(); ++i)
        if (user.additional_gids[i] == kNoId)
            s.problem(fmt::format("/process/user/additionalGids/{}", i),
                      "4294967295 is no group id");
    if (user.umask.value_or(0) > 0777)
        s.problem("/process/user/umask", "must be at most 511 (octal 777)");
    process.uid = user.uid;
    process.gid = user.gid;
    process.groups = user.additional_gids;
    if (user.umask) process.umask = *user.umask;
}

void check_capabilities(Sections& s, const spec::Capabilities& sets) {
    const auto subset = [&](std::uint64_t inner, std::uint64_t outer, std::string_view inner_name,
                            std::string_view outer_name) {
        const auto surplus = inner & ~outer;
        if (surplus != 0)
            s.problem(fmt::format("/process/capabilities/{}", inner_name),
                      fmt::format("{} must be in {} too",
                                  join(spec::capability_names_of(surplus), ", "), outer_name));
    };
    subset(sets.effective, sets.permitted, "effective", "permitted");
    subset(sets.permitted, sets.bounding, "permitted", "bounding");
    // `runc spec` writes ambient capabilities that are not inheritable, and runc lets the kernel
    // refuse them one by one.
    const auto lost = sets.ambient & ~(sets.permitted & sets.inheritable);
    if (lost != 0)
        s.warn(
            fmt::format("ambient capabilities {} are not applied: they must be permitted and "
                        "inheritable too",
                        join(spec::capability_names_of(lost), ", ")));
}

}  // namespace

void add_capabilities(CapabilitySets& sets, std::uint64_t added, uid_t uid) {
    sets.bounding |= added;
    sets.permitted |= added;
    sets.effective |= added;
    if (uid == 0) return;
    sets.inheritable |= added;
    sets.ambient |= added;
}

CapabilitySets capabilities_for(const spec::Process& process, const LaunchRequest& request,
                                uid_t uid) {
    CapabilitySets sets;
    if (process.capabilities) {
        const auto& from = *process.capabilities;
        sets = {from.bounding, from.permitted, from.effective, from.inheritable,
                from.ambient & from.permitted & from.inheritable};
    }
    add_capabilities(sets, request.add_capabilities, uid);
    for (auto* set :
         {&sets.bounding, &sets.permitted, &sets.effective, &sets.inheritable, &sets.ambient})
        *set &= ~request.drop_capabilities;
    return sets;
}

void compile_process(Sections& s) {
    if (!s.spec.process) {
        s.problem("/process", "required: what the container runs");
        return;
    }
    const auto& from = *s.spec.process;
    auto& process = s.plan.process;
    if (from.args.empty() || from.args.front().empty())
        s.problem("/process/args", "required: the command to run");
    if (!from.cwd.starts_with('/')) s.problem("/process/cwd", "must be an absolute path");
    process.args = from.args;
    process.env = unique_environment(from.env);
    complete_environment(process.env, from.terminal);
    process.cwd = from.cwd;
    process.terminal = from.terminal;
    if (from.console_size) {
        process.console_rows = from.console_size->height;
        process.console_columns = from.console_size->width;
    }
    user(s, from.user);
    if (from.capabilities) check_capabilities(s, *from.capabilities);
    process.capabilities = capabilities_for(from, s.request, from.user.uid);
    process.no_new_privileges = from.no_new_privileges;
    for (const auto& limit : from.rlimits)
        process.rlimits.push_back({limit.resource, limit.soft, limit.hard});
    process.oom_score_adj = from.oom_score_adj;
    process.user_namespace = has_user_namespace(s);
    process.apparmor_profile = from.apparmor_profile;
    process.selinux_label = from.selinux_label;
    compile_scheduling(s, from);
}

}  // namespace covey::plan
