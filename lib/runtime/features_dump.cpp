#include "base/json.hpp"
#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"
#include "covey/version.hpp"
#include "launch/labels.hpp"
#include "plan/mount_options.hpp"
#include "runtime/features.hpp"
#include "runtime/state_codec.hpp"
#include "runtime/systemd.hpp"
#include "spec/tables.hpp"
#include "sys/file.hpp"
#include "sys/kernel_defs.hpp"
#include "sys/privileges.hpp"
#include "sys/scheduling.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <linux/seccomp.h>

namespace covey::runtime {
namespace {

using Json = nlohmann::ordered_json;

/// The kernel has the type when it shows one's own of it.
Json namespaces() {
    auto names = Json::array();
    for (const auto& one : spec::namespace_table())
        if (sys::stat_at(sys::kCwd, "/proc/self/ns/" + std::string{one.proc_name}))
            names.push_back(one.oci_name);
    return names;
}

Json capabilities() {
    auto names = Json::array();
    for (int number = 0; number <= sys::last_capability(); ++number)
        names.push_back(spec::capability_name(number));
    return names;
}

Json cgroups() {
    const bool systemd = has_systemd_driver();
    Json json{{"v1", false},
              {"v2", false},
              {"systemd", systemd},
              {"systemdUser", systemd},
              {"rdma", false}};
    try {
        const auto host = cgroup::detect();
        json["v1"] = !host.v1.empty();
        json["v2"] = !host.unified.empty();
        json["rdma"] = host.v1.contains("rdma") ||
                       std::find(host.unified_controllers.begin(), host.unified_controllers.end(),
                                 "rdma") != host.unified_controllers.end();
    } catch (const Error&) {
        // No hierarchy at all: nothing of it can be asked for.
    }
    return json;
}

using Named = std::pair<const char*, std::uint32_t>;

Json seccomp_actions() {
    static constexpr std::array<Named, 9> kActions{
        {{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
         {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
         {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
         {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
         {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
         {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
         {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
         {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
         {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP}}};
    auto names = Json::array();
    for (const auto& [name, action] : kActions)
        if (sys::has_seccomp_action(action)) names.push_back(name);
    return names;
}

/// features-linux.md: the flags that the runtime knows, and those of them that the kernel has.
Json seccomp_flags(bool of_kernel) {
    static constexpr std::array<Named, 4> kFlags{
        {{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
         {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
         {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
         // The kernel knows it only together with a listener.
         {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
          SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER}}};
    auto names = Json::array();
    for (const auto& [name, flag] : kFlags)
        if (!of_kernel || sys::has_seccomp_flag(flag)) names.push_back(name);
    return names;
}

Json seccomp() {
    return {
        {"enabled", sys::stat_at(sys::kCwd, "/proc/sys/kernel/seccomp").has_value()},
        {"actions", seccomp_actions()},
        {"operators",
         {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
          "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"}},
        {"archs", {"SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"}},
        {"knownFlags", seccomp_flags(false)},
        {"supportedFlags", seccomp_flags(true)},
    };
}

/// What this kernel takes, tried on this process: one node, where the mode has any.
bool has_memory_policy(int mode) {
    const std::array<unsigned, 1> first_node{0};
    constexpr int kDefault = 0, kLocal = 4;
    const bool has_nodes = mode != kDefault && mode != kLocal;
    const auto set = sys::set_memory_policy(
        mode, has_nodes ? std::span<const unsigned>{first_node} : std::span<const unsigned>{});
    (void)sys::set_memory_policy(kDefault, {});
    return set.has_value();
}

Json memory_policy() {
    constexpr int kBind = 2;
    auto modes = Json::array(), flags = Json::array();
    for (const auto& [name, mode] : spec::memory_policy_modes())
        if (has_memory_policy(mode)) modes.push_back(name);
    for (const auto& [name, flag] : spec::memory_policy_flags())
        if (has_memory_policy(kBind | flag)) flags.push_back(name);
    return {{"modes", modes}, {"flags", flags}};
}

}  // namespace

std::string describe_features() {
    // features-linux.md: "enabled" of apparmor, selinux and intelRdt is about the runtime alone;
    // what the kernel has stands in the annotations.
    const auto options = plan::mount_option_names();
    const bool idmap = std::find(options.begin(), options.end(), "idmap") != options.end();
    const Json json{
        {"ociVersionMin", "1.0.0"},
        {"ociVersionMax", kOciVersion},
        {"hooks",
         {"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
          "poststop"}},
        {"mountOptions", options},
        {"linux",
         {{"namespaces", namespaces()},
          {"capabilities", capabilities()},
          {"cgroup", cgroups()},
          {"seccomp", seccomp()},
          {"apparmor", {{"enabled", true}}},
          {"selinux", {{"enabled", true}}},
          {"intelRdt", {{"enabled", true}, {"schemata", true}, {"monitoring", true}}},
          {"netDevices", {{"enabled", true}}},
          {"memoryPolicy", memory_policy()},
          {"mountExtensions", {{"idmap", {{"enabled", idmap}}}}}}},
        {"annotations",
         {{"org.opencontainers.runc.checkpoint.enabled", "false"},
          {"dev.covey.kernel.apparmor", launch::has_apparmor() ? "true" : "false"},
          {"dev.covey.kernel.selinux", launch::has_selinux() ? "true" : "false"},
          {"dev.covey.version", COVEY_VERSION}}},
        // A name that ends with a dot stands for all that begin with it.
        {"potentiallyUnsafeConfigAnnotations",
         {"covey.dev/access", "covey.dev/access.", "covey.dev/pid", "covey.dev/pid.",
          "org.systemd.property."}},
    };
    constexpr int kIndent = 4;
    return json.dump(kIndent);
}

}  // namespace covey::runtime
