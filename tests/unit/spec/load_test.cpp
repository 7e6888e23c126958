#include "spec/load.hpp"

#include "base/json.hpp"
#include "catch.hpp"
#include "unit/spec/bad_case.hpp"

#include <algorithm>
#include <string>

using namespace covey;
using namespace covey::spec;
using nlohmann::json;

namespace {

std::vector<Problem> load_problems(const std::string& text) {
    try {
        (void)load(text);
    } catch (const SpecError& error) {
        return error.problems();
    }
    return {};
}

bool has(const std::vector<Problem>& problems, std::string_view pointer) {
    return std::any_of(problems.begin(), problems.end(),
                       [&](const Problem& problem) { return problem.pointer == pointer; });
}

}  // namespace

TEST_CASE("what runc spec writes is a good configuration") {
    const Spec spec = load(test::runc_config());
    CHECK(spec.oci_version == "1.0.2-dev");
    REQUIRE(spec.process);
    CHECK(spec.process->terminal);
    CHECK(spec.process->args == std::vector<std::string>{"sh"});
    REQUIRE(spec.process->capabilities);
    CHECK(spec.process->capabilities->bounding == ((1ULL << 29U) | (1ULL << 5U) | (1ULL << 10U)));
    CHECK(spec.process->capabilities->inheritable == 0);
    CHECK(spec.mounts.size() == 7);
    CHECK(spec.linux.namespaces.size() == 5);
    CHECK(spec.linux.masked_paths.size() == 10);
    const Spec rootless = load(test::runc_rootless_config());
    REQUIRE(rootless.linux.uid_mappings.size() == 1);
    CHECK(rootless.linux.uid_mappings.front().size == 1);
    CHECK_FALSE(rootless.linux.resources);
}

TEST_CASE("every property of the process reaches the model") {
    const Spec spec = load(test::full_config());
    REQUIRE(spec.root);
    CHECK(spec.root->path == "rootfs");
    CHECK(spec.root->readonly);
    CHECK(spec.hostname == "pod");
    CHECK(spec.domainname == "example.org");
    CHECK(spec.annotations.at("org.example/key") == "value");
    REQUIRE(spec.process);
    const Process& process = *spec.process;
    REQUIRE(process.console_size);
    CHECK(process.console_size->height == 25);
    CHECK(process.console_size->width == 80);
    CHECK(process.cwd == "/work");
    CHECK(process.env == std::vector<std::string>{"PATH=/bin", "EMPTY="});
    CHECK(process.args == std::vector<std::string>{"sh", "-c", ""});
    REQUIRE(process.rlimits.size() == 2);
    CHECK(process.rlimits[0].resource == 7);
    CHECK(process.rlimits[0].soft == 1024);
    CHECK(process.rlimits[0].hard == UINT64_MAX);
    REQUIRE(process.capabilities);
    CHECK(process.capabilities->bounding == ((1ULL << 0U) | (1ULL << 40U)));
    CHECK(process.capabilities->effective == 1ULL << 5U);
    CHECK(process.capabilities->inheritable == 0);
    CHECK(process.capabilities->permitted == 1ULL << 5U);
    CHECK(process.capabilities->ambient == 1ULL << 19U);
    CHECK(process.no_new_privileges);
    CHECK(process.oom_score_adj == -500);
    CHECK(process.user.uid == 1);
    CHECK(process.user.gid == 2);
    CHECK(process.user.umask == 022U);
    CHECK(process.user.additional_gids == std::vector<gid_t>{3, 4294967294});
    CHECK(process.apparmor_profile == "profile");
    CHECK(process.selinux_label == "u:r:t:s0");
    REQUIRE(process.scheduler);
    CHECK(process.scheduler->policy == "SCHED_FIFO");
    CHECK(process.scheduler->priority == 50);
    CHECK(process.scheduler->flags.size() == 1);
    REQUIRE(process.io_priority);
    CHECK(process.io_priority->io_class == "IOPRIO_CLASS_BE");
    CHECK(process.io_priority->priority == 7);
    REQUIRE(process.exec_cpu_affinity);
    CHECK(process.exec_cpu_affinity->initial == "7");
    CHECK(process.exec_cpu_affinity->final == "0-3,7");
}

TEST_CASE("every mount and hook reaches the model") {
    const Spec spec = load(test::full_config());
    REQUIRE(spec.mounts.size() == 2);
    CHECK(spec.mounts[1].destination == "/data");
    CHECK(spec.mounts[1].type == "none");
    CHECK(spec.mounts[1].source == "/srv");
    CHECK(spec.mounts[1].options == std::vector<std::string>{"rbind", "idmap"});
    CHECK(spec.mounts[1].uid_mappings.at(0).host_id == 1000);
    CHECK(spec.mounts[1].gid_mappings.at(0).size == 20);
    const Hook& hook = spec.hooks.prestart.at(0);
    CHECK(hook.path == "/h/a");
    CHECK(hook.args == std::vector<std::string>{"a"});
    CHECK(hook.env == std::vector<std::string>{"A=b"});
    CHECK(hook.timeout == 5);
    CHECK(spec.hooks.create_runtime.at(0).path == "/h/b");
    CHECK(spec.hooks.create_container.at(0).path == "/h/c");
    CHECK(spec.hooks.start_container.at(0).path == "/h/d");
    CHECK(spec.hooks.poststart.at(0).path == "/h/e");
    CHECK(spec.hooks.poststop.at(0).path == "/h/f");
    CHECK_FALSE(spec.hooks.poststop.at(0).timeout);
}

TEST_CASE("every property of the linux object reaches the model") {
    const Linux linux_part = load(test::full_config()).linux;
    REQUIRE(linux_part.namespaces.size() == 8);
    CHECK(linux_part.namespaces[0].type == NamespaceType::pid);
    CHECK(linux_part.namespaces[0].path == "/proc/1/ns/pid");
    CHECK(linux_part.namespaces[7].type == NamespaceType::time);
    CHECK(linux_part.uid_mappings.at(1).container_id == 100);
    CHECK(linux_part.gid_mappings.at(0).size == 4294967295);
    CHECK(linux_part.time_offsets.at("boottime").secs == -5);
    CHECK(linux_part.time_offsets.at("boottime").nanosecs == 999999999);
    CHECK(linux_part.time_offsets.at("monotonic").secs == 6);
    REQUIRE(linux_part.devices.size() == 2);
    CHECK(linux_part.devices[0].minor == 229);
    CHECK(linux_part.devices[0].file_mode == 0666U);  // without the file type's bits
    CHECK(linux_part.devices[0].gid == 7U);
    CHECK(linux_part.devices[1].type == 'p');
    CHECK(linux_part.cgroups_path == "/covey/x");
    CHECK(linux_part.rootfs_propagation == Propagation::rslave);
    CHECK(linux_part.sysctl.at("net.ipv4.ip_forward") == "1");
    CHECK(linux_part.masked_paths == std::vector<std::string>{"/proc/kcore"});
    CHECK(linux_part.readonly_paths == std::vector<std::string>{"/proc/sys"});
    CHECK(linux_part.mount_label == "system_u:object_r:t:s0");
    REQUIRE(linux_part.personality);
    CHECK(linux_part.personality->domain == "LINUX32");
    REQUIRE(linux_part.intel_rdt);
    CHECK(linux_part.intel_rdt->clos_id == "guaranteed");
    CHECK(linux_part.intel_rdt->l3_cache_schema == "L3:0=ff0");
    CHECK(linux_part.intel_rdt->mem_bw_schema == "MB:0=20");
    CHECK(linux_part.intel_rdt->enable_cmt);
    CHECK(linux_part.intel_rdt->enable_mbm);
    REQUIRE(linux_part.seccomp);
    const Seccomp& seccomp = *linux_part.seccomp;
    CHECK(seccomp.default_errno_ret == 38U);
    CHECK(seccomp.listener_path == "/run/agent.sock");
    CHECK(seccomp.listener_metadata == "m");
    REQUIRE(seccomp.syscalls.size() == 3);
    CHECK(seccomp.syscalls[0].names == std::vector<std::string>{"read", "write"});
    CHECK(seccomp.syscalls[1].errno_ret == 65535U);
    const SeccompArg& argument = seccomp.syscalls[1].args.at(0);
    CHECK(argument.index == 5);
    CHECK(argument.value == UINT64_MAX);
    CHECK(argument.value_two == 1);
    CHECK(argument.op == "SCMP_CMP_MASKED_EQ");
}

TEST_CASE("every resource limit reaches the model") {
    const Spec spec = load(test::full_config());
    REQUIRE(spec.linux.resources);
    const Resources& resources = *spec.linux.resources;
    REQUIRE(resources.devices.size() == 2);
    CHECK(resources.devices[0].type == 'a');
    CHECK_FALSE(resources.devices[0].major);
    CHECK(resources.devices[1].allow);
    CHECK(resources.devices[1].major == 10);
    CHECK_FALSE(resources.devices[1].minor);  // -1 is "all"
    CHECK(resources.devices[1].access == "mr");
    REQUIRE(resources.memory);
    CHECK(resources.memory->limit == 1000);
    CHECK(resources.memory->reservation == -1);
    CHECK(resources.memory->swap == 2000);
    CHECK(resources.memory->kernel == -1);
    CHECK(resources.memory->kernel_tcp == -1);
    CHECK(resources.memory->swappiness == 100U);
    CHECK(resources.memory->disable_oom_killer == false);
    CHECK(resources.memory->use_hierarchy == true);
    CHECK(resources.memory->check_before_update == true);
    REQUIRE(resources.cpu);
    CHECK(resources.cpu->shares == 1024U);
    CHECK(resources.cpu->period == 100000U);
    CHECK(resources.cpu->quota == 50000);
    CHECK(resources.cpu->burst == 1000U);
    CHECK(resources.cpu->realtime_period == 1000000U);
    CHECK(resources.cpu->realtime_runtime == 950000);
    CHECK(resources.cpu->idle == 1);
    CHECK(resources.cpu->cpus == "0-3,7");
    CHECK(resources.cpu->mems == "0");
    CHECK(resources.pids_limit == -1);
    REQUIRE(resources.block_io);
    CHECK(resources.block_io->weight == 10U);
    CHECK(resources.block_io->leaf_weight == 1000U);
    CHECK(resources.block_io->weight_device.at(0).leaf_weight == 300U);
    CHECK(resources.block_io->throttle_read_bps.at(0).rate == 600);
    CHECK(resources.block_io->throttle_write_bps.at(0).rate == 601);
    CHECK(resources.block_io->throttle_read_iops.at(0).rate == 602);
    CHECK(resources.block_io->throttle_write_iops.at(0).minor == 4);
    CHECK(resources.hugepage_limits.at(0).page_size == "2MB");
    CHECK(resources.hugepage_limits.at(0).limit == 9223372036854772000U);
    REQUIRE(resources.network);
    CHECK(resources.network->class_id == 1048577U);
    CHECK(resources.network->priorities.at(0).priority == 500);
    CHECK(resources.rdma.at("mlx5_1").hca_handles == 3U);
    CHECK(resources.rdma.at("mlx5_1").hca_objects == 10000U);
    CHECK(resources.unified.at("memory.high") == "1000");
}

TEST_CASE("a value of the wrong type is a problem at its own place, whatever the property") {
    const json flat = json::parse(test::full_config()).flatten();
    CHECK(flat.size() > 150);
    for (const auto& [pointer, value] : flat.items()) {
        if (value.is_array() || value.is_object()) continue;  // empty lists have no leaves
        const char* const wrong = value.is_string() ? "17" : R"("17")";
        INFO(pointer);
        CHECK(has(load_problems(test::changed(pointer, wrong)), pointer));
    }
}

TEST_CASE("several faults in one document give several problems") {
    json document = json::parse(test::full_config());
    document.erase("ociVersion");
    document["process"]["cwd"] = "x";
    document["process"]["env"].push_back("NOVALUE");
    document["linux"]["namespaces"][0]["type"] = "pids";
    document["mounts"][0].erase("destination");
    try {
        (void)load(document.dump());
        FAIL("loaded");
    } catch (const SpecError& error) {
        CHECK(error.code() == Code::invalid_spec);
        CHECK(error.problems().size() == 5);
        CHECK(error.causes().size() == 5);
        CHECK(has(error.problems(), "/ociVersion"));
        CHECK(has(error.problems(), "/mounts/0/destination"));
        CHECK(has(error.problems(), "/process/cwd"));
        CHECK(has(error.problems(), "/process/env/2"));
        CHECK(has(error.problems(), "/linux/namespaces/0/type"));
        CHECK(error.detail().starts_with("config.json: 5 problems: /ociVersion: is missing; "));
        CHECK_FALSE(error.fix().empty());
    }
}

TEST_CASE("mappings and offsets need their namespaces") {
    json document = json::parse(test::full_config());
    document["linux"]["namespaces"] = json::array({{{"type", "pid"}}});
    const auto problems = load_problems(document.dump());
    CHECK(problems.size() == 3);
    CHECK(has(problems, "/linux/uidMappings"));
    CHECK(has(problems, "/linux/gidMappings"));
    CHECK(has(problems, "/linux/timeOffsets"));
}

TEST_CASE("a notifying seccomp policy needs the socket of its agent") {
    json document = json::parse(test::full_config());
    document["linux"]["seccomp"].erase("listenerPath");
    CHECK(load_problems(document.dump()).size() == 2);  // the path, and metadata without a path
    document["linux"]["seccomp"].erase("listenerMetadata");
    const auto problems = load_problems(document.dump());
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().pointer == "/linux/seccomp/listenerPath");
    document["linux"]["seccomp"]["syscalls"].erase(2);
    CHECK(load_problems(document.dump()).empty());
    document["linux"]["seccomp"]["listenerPath"] = "relative";  // ignored: nothing notifies
    CHECK(load_problems(document.dump()).empty());
}

TEST_CASE("what the specification lets a runtime ignore is ignored") {
    json document = json::parse(test::full_config());
    document["unknown"] = {{"deep", {1, 2, 3}}};
    document["process"]["cmd"] = 1;
    document["linux"]["namespace"] = "near miss";
    document["process"]["terminal"] = false;
    document["process"]["consoleSize"] = "ignored without a terminal";
    document["linux"]["resources"]["memory"]["limit"] = nullptr;
    const Spec spec = load(document.dump());
    CHECK_FALSE(spec.process->console_size);
    CHECK_FALSE(spec.linux.resources->memory->limit);
}

TEST_CASE("the smallest configuration is enough") {
    const Spec spec = load(R"({"ociVersion":"1.0.0","root":{"path":"r"}})");
    CHECK_FALSE(spec.process);
    CHECK(spec.linux.namespaces.empty());
    CHECK(spec.hooks.empty());
}

TEST_CASE("ids are whole numbers from 0 to 2^32-2 and nothing else") {
    const auto uid = [](const std::string& text) {
        return load(test::changed("/process/user/uid", text)).process->user.uid;
    };
    for (const std::uint32_t id : {0U, 1U, 65534U, 65535U, 2147483647U, 2147483648U, 4294967294U}) {
        CHECK(uid(std::to_string(id)) == id);
    }
    for (const char* const bad : {"4294967295",
                                  "4294967296",
                                  "9223372036854775807",
                                  "9223372036854775808",
                                  "18446744073709551615",
                                  "18446744073709551616",
                                  "-1",
                                  "-0",
                                  "0.0",
                                  "1.0",
                                  "1e2",
                                  "1E2",
                                  R"("0")",
                                  R"("root")",
                                  R"("")",
                                  "true",
                                  "[]",
                                  "{}",
                                  "[0]",
                                  "0.5",
                                  "-2147483648"}) {
        // Written into the text, so that the reader and not this test's library sees the number.
        std::string text{test::full_config()};
        const std::string good = R"("uid": 1,)";
        text.replace(text.find(good), good.size(), std::string{R"("uid": )"} + bad + ",");
        const auto problems = load_problems(text);
        INFO(bad);
        REQUIRE(problems.size() == 1);
        CHECK(problems.front().pointer == "/process/user/uid");
    }
}

TEST_CASE("a garbage document gets a bounded answer") {
    json document = json::parse(test::full_config());
    document["process"]["env"] = json(std::vector<std::string>(5000, "x"));
    try {
        (void)load(document.dump());
        FAIL("loaded");
    } catch (const SpecError& error) {
        CHECK(error.problems().size() == 1001);
        CHECK(error.detail().size() < 2000);
        CHECK(error.detail().ends_with("; and 993 more"));
        CHECK(error.problems().back().message.find("more problems") != std::string::npos);
    }
}

TEST_CASE("a process document is read alone") {
    const json process = json::parse(test::full_config())["process"];
    CHECK(load_process(process.dump()).cwd == "/work");
    CHECK_THROWS_WITH(load_process(R"({"cwd":"/"})"), "process.json: 1 problem: /args: is missing");
    CHECK_THROWS_WITH(load_process("[]"), "process.json: 1 problem: must be an object, not array");
}
