#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/seccomp_profile.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include <sys/utsname.h>

namespace covey::bundle {
namespace {

using Json = nlohmann::ordered_json;

// What Docker's conditions call this machine, and libseccomp.
#if defined(__x86_64__)
constexpr std::string_view kArch = "amd64", kNative = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr std::string_view kArch = "arm64", kNative = "SCMP_ARCH_AARCH64";
#elif defined(__riscv)
constexpr std::string_view kArch = "riscv64", kNative = "SCMP_ARCH_RISCV64";
#elif defined(__s390x__)
constexpr std::string_view kArch = "s390x", kNative = "SCMP_ARCH_S390X";
#elif defined(__powerpc64__)
constexpr std::string_view kArch = "ppc64le", kNative = "SCMP_ARCH_PPC64LE";
#else
#error "name this architecture as Docker's seccomp profiles do"
#endif

std::vector<std::string> texts(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return {};
    return found->get<std::vector<std::string>>();
}

bool has(const std::vector<std::string>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

std::pair<unsigned long, unsigned long> version_of(std::string_view text) {
    const auto parts = split(text, '.');
    const auto number = [&](std::size_t i) {
        if (i >= parts.size()) return 0UL;
        const auto digits = parts[i].substr(0, parts[i].find_first_not_of("0123456789"));
        return static_cast<unsigned long>(parse_u64(digits).value_or(0));
    };
    return {number(0), number(1)};
}

bool is_kernel_at_least(const std::string& wanted) {
    utsname system{};
    ::uname(&system);
    return version_of(static_cast<const char*>(system.release)) >= version_of(wanted);
}

/// All of `includes`, none of `excludes`, as Docker reads them.
bool applies(const Json& rule, const std::vector<std::string>& capabilities) {
    if (const auto includes = rule.find("includes"); includes != rule.end()) {
        const auto caps = texts(*includes, "caps");
        const auto arches = texts(*includes, "arches");
        if (!std::all_of(caps.begin(), caps.end(),
                         [&](const std::string& cap) { return has(capabilities, cap); }) ||
            (!arches.empty() && !has(arches, kArch)) ||
            (includes->contains("minKernel") && !is_kernel_at_least(includes->at("minKernel"))))
            return false;
    }
    const auto excludes = rule.find("excludes");
    if (excludes == rule.end()) return true;
    const auto caps = texts(*excludes, "caps");
    return std::none_of(caps.begin(), caps.end(),
                        [&](const std::string& cap) { return has(capabilities, cap); }) &&
           !has(texts(*excludes, "arches"), kArch) &&
           !(excludes->contains("minKernel") && is_kernel_at_least(excludes->at("minKernel")));
}

/// What OCI knows of a rule; nothing when all its calls were named before, by the same action.
Json oci_rule(const Json& rule, std::set<std::string>& seen) {
    auto names = texts(rule, "names");
    if (rule.contains("name")) names.push_back(rule.at("name"));
    const auto args = rule.find("args");
    const bool has_args = args != rule.end() && !args->empty();
    if (!has_args)
        std::erase_if(names, [&](const std::string& name) {
            return !seen.insert(name + " " + rule.at("action").get<std::string>()).second;
        });
    if (names.empty()) return {};
    Json out{{"names", names}, {"action", rule.at("action")}};
    if (rule.contains("errnoRet")) out["errnoRet"] = rule.at("errnoRet");
    if (has_args) out["args"] = *args;
    return out;
}

Json architectures(const Json& profile) {
    if (profile.contains("architectures")) return profile.at("architectures");
    Json list = Json::array({kNative});
    if (profile.contains("archMap"))
        for (const auto& entry : profile.at("archMap"))
            if (entry.at("architecture") == kNative)
                for (const auto& other : texts(entry, "subArchitectures"))
                    list.push_back(other);
    return list;
}

Json resolve(const Json& profile, const std::vector<std::string>& capabilities) {
    Json out{{"defaultAction", profile.at("defaultAction")}};
    for (const char* key : {"defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"})
        if (profile.contains(key)) out[key] = profile.at(key);
    out["architectures"] = architectures(profile);
    Json rules = Json::array();
    std::set<std::string> seen;
    if (profile.contains("syscalls"))
        for (const auto& rule : profile.at("syscalls"))
            if (applies(rule, capabilities))
                if (auto one = oci_rule(rule, seen); !one.is_null())
                    rules.push_back(std::move(one));
    out["syscalls"] = std::move(rules);
    return out;
}

}  // namespace

std::string resolve_seccomp(std::string_view profile, const std::vector<std::string>& capabilities,
                            std::string_view name) {
    try {
        return resolve(Json::parse(profile), capabilities).dump();
    } catch (const Json::exception& error) {
        throw Error(Code::invalid_argument,
                    fmt::format("{} is no seccomp profile: {}", name, error.what()))
            .with_fix("write it as Docker's --security-opt seccomp=FILE or OCI's linux.seccomp");
    }
}

}  // namespace covey::bundle
