#include "unit/plan/seccomp_lab.hpp"

#include "unit/plan/bpf_machine.hpp"
#include "unit/plan/config.hpp"

namespace covey::plan::test {

Filter::Filter(const std::string& profile) {
    auto json = config();
    json["linux"]["seccomp"] = Json::parse(profile);
    plan_ = plan_of(json);
}

std::uint32_t Filter::operator()(const char* name, std::array<std::uint64_t, 6> args) const {
    return on(seccomp_arch_native(), name, args);
}

std::uint32_t Filter::on(std::uint32_t token, const char* name,
                         std::array<std::uint64_t, 6> args) const {
    // The real number: a call that exists twice on i386 has a pseudo number otherwise.
    return raw(token, seccomp_syscall_resolve_name_rewrite(token, name), args);
}

std::uint32_t Filter::raw(std::uint32_t architecture, int number,
                          std::array<std::uint64_t, 6> args) const {
    return run_filter(plan_.process.seccomp->filter, {architecture, number, args});
}

std::string problem_of(const std::string& profile) {
    auto json = config();
    json["linux"]["seccomp"] = Json::parse(profile);
    return pointer_of(json);
}

std::string rule(const char* syscall, const char* op, std::uint64_t value, std::uint64_t two) {
    return Json{{"defaultAction", "SCMP_ACT_ERRNO"},
                {"syscalls",
                 {{{"names", {syscall}},
                   {"action", "SCMP_ACT_ALLOW"},
                   {"args", {{{"index", 0}, {"value", value}, {"valueTwo", two}, {"op", op}}}}}}}}
        .dump();
}

}  // namespace covey::plan::test
