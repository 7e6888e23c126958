// The configuration that `covey run --rootfs` writes, and the options that go into it.
#include "base/json.hpp"
#include "bundle/seccomp_profile.hpp"
#include "catch.hpp"
#include "covey/error.hpp"
#include "ctl/run_words.hpp"

using namespace covey::bundle;
using namespace covey::ctl;
using covey::Error;
using Json = nlohmann::json;

namespace {

SpecWish wish() {
    SpecWish one;
    one.rootfs = "/srv/nginx";
    one.args = {"nginx", "-g", "daemon off;"};
    return one;
}

const Json* mount_at(const Json& spec, const std::string& destination) {
    for (const Json& mount : spec["mounts"])
        if (mount["destination"] == destination) return &mount;
    return nullptr;
}

}  // namespace

TEST_CASE("the default configuration is what runc spec says, with the command in it") {
    const Json spec = Json::parse(default_spec(wish()));
    CHECK(spec["ociVersion"] == "1.2.0");
    CHECK(spec["root"] == Json{{"path", "/srv/nginx"}, {"readonly", false}});
    CHECK(spec["process"]["args"] == Json({"nginx", "-g", "daemon off;"}));
    CHECK(spec["process"]["cwd"] == "/");
    CHECK(spec["process"]["terminal"] == false);
    CHECK(spec["process"]["noNewPrivileges"] == false);
    CHECK(spec["process"]["user"] == Json{{"uid", 0}, {"gid", 0}});
    for (const char* path :
         {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"})
        CHECK(mount_at(spec, path) != nullptr);
    CHECK(spec["linux"]["maskedPaths"].size() == 10);
    CHECK(spec["linux"]["readonlyPaths"].size() == 5);
}

TEST_CASE("nothing of the host can be written through the default mounts") {
    const Json spec = Json::parse(default_spec(wish()));
    for (const char* path : {"/sys", "/sys/fs/cgroup"}) {
        const auto& options = (*mount_at(spec, path))["options"];
        CHECK(std::find(options.begin(), options.end(), "ro") != options.end());
    }
}

namespace {

Json default_filter(const std::vector<std::string>& capabilities) {
    return Json::parse(resolve_seccomp(default_profile(), capabilities, "it"));
}

/// What the filter does with a call whose arguments do not matter; the default where nothing does.
std::string action_of(const Json& filter, const std::string& call) {
    std::string action;
    for (const auto& rule : filter["syscalls"]) {
        const auto& names = rule["names"];
        if (std::find(names.begin(), names.end(), call) == names.end()) continue;
        if (rule.contains("args")) return "some arguments";
        CHECK(action.empty());  // named once
        action = rule["action"];
    }
    return action.empty() ? filter["defaultAction"].get<std::string>() : action;
}

}  // namespace

TEST_CASE("the default seccomp profile refuses namespaces, mounts, keys and what is the host's") {
    const auto filter = default_filter(capabilities_with({}, {}));
    CHECK(filter["defaultAction"] == "SCMP_ACT_ERRNO");
    for (const char* call : {"unshare",
                             "setns",
                             "clone3",
                             "mount",
                             "umount2",
                             "move_mount",
                             "fsopen",
                             "open_tree",
                             "pivot_root",
                             "add_key",
                             "keyctl",
                             "request_key",
                             "bpf",
                             "perf_event_open",
                             "userfaultfd",
                             "kexec_load",
                             "init_module",
                             "finit_module",
                             "open_by_handle_at",
                             "reboot",
                             "swapon",
                             "iopl",
                             "syslog",
                             "settimeofday",
                             "process_vm_readv",
                             "pidfd_getfd",
                             "kcmp",
                             "io_uring_setup",
                             "a_call_of_tomorrow"})
        CHECK((action_of(filter, call) == "SCMP_ACT_ERRNO") == true);
    for (const char* call : {"read", "openat", "execve", "fork", "ptrace", "chroot", "futex",
                             "socketpair", "epoll_wait", "landlock_restrict_self"})
        CHECK(action_of(filter, call) == "SCMP_ACT_ALLOW");
    for (const char* call : {"clone", "personality", "socket"})
        CHECK(action_of(filter, call) == "some arguments");
}

TEST_CASE("a capability opens what it is for, as in Docker's profile") {
    const auto with = [](const std::string& name) {
        return default_filter(capabilities_with({name}, {}));
    };
    for (const char* call : {"unshare", "setns", "mount", "clone3", "clone", "bpf", "syslog"})
        CHECK(action_of(with("sys_admin"), call) == "SCMP_ACT_ALLOW");
    CHECK(action_of(with("sys_admin"), "keyctl") == "SCMP_ACT_ERRNO");
    for (const char* call : {"process_vm_readv", "pidfd_getfd", "kcmp"})
        CHECK(action_of(with("CAP_SYS_PTRACE"), call) == "SCMP_ACT_ALLOW");
    CHECK(action_of(with("bpf"), "bpf") == "SCMP_ACT_ALLOW");
    CHECK(action_of(with("bpf"), "mount") == "SCMP_ACT_ERRNO");
    const auto less = default_filter(capabilities_with({}, {"sys_chroot"}));
    CHECK(action_of(less, "chroot") == "SCMP_ACT_ERRNO");
}

TEST_CASE("a profile of OCI's form comes out as it is, Docker's for this machine, nonsense not") {
    const std::string oci =
        R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[)"
        R"({"names":["kill"],"action":"SCMP_ACT_ERRNO","errnoRet":5,"args":[{"index":1,"value":9,)"
        R"("op":"SCMP_CMP_EQ"}]}]})";
    CHECK(Json::parse(resolve_seccomp(oci, {}, "p")) == Json::parse(oci));
    const auto docker = Json::parse(resolve_seccomp(
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)"
        R"({"name":"a","action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},)"
        R"({"names":["b"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"999.0"}},)"
        R"({"names":["c"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["vax"]}},)"
        R"({"names":["d"],"action":"SCMP_ACT_ALLOW","excludes":{"arches":["vax"]}}]})",
        {}, "p"));
    REQUIRE(docker["syscalls"].size() == 2);
    CHECK(docker["syscalls"][0]["names"] == Json({"a"}));
    CHECK(docker["syscalls"][1]["names"] == Json({"d"}));
    for (const char* text : {"", "[]", "{}", R"({"defaultAction":"x","syscalls":[{"names":7}]})"})
        CHECK_THROWS_AS(resolve_seccomp(text, {}, "p"), Error);
    CHECK_THROWS_AS(choose_seccomp({"apparmor=x"}, {}), Error);
    CHECK_THROWS_AS(choose_seccomp({"seccomp=/no/such/file"}, {}), Error);
    CHECK(choose_seccomp({"seccomp=unconfined"}, {}).filter.empty());
    CHECK(choose_seccomp({}, {}).name == "default");
}

TEST_CASE("a container gets Podman's eleven capabilities, neither inheritable nor ambient") {
    const auto capabilities = Json::parse(default_spec(wish()))["process"]["capabilities"];
    CHECK(capabilities.size() == 3);
    for (const char* set : {"bounding", "effective", "permitted"}) {
        CHECK(capabilities[set].size() == 11);
        CHECK(capabilities[set] == Json(kDefaultCapabilities));
        for (const char* refused : {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_MKNOD", "CAP_NET_RAW"})
            CHECK_FALSE(capabilities[set].contains(refused));
    }
}

TEST_CASE("every wish of the command line reaches the configuration") {
    SpecWish all = wish();
    all.read_only = true;
    all.terminal = true;
    all.cwd = "/srv";
    all.uid = 101;
    all.gid = 102;
    all.env = {"A=b"};
    all.mounts = {parse_mount("type=bind,src=/data,dst=/mnt,ro")};
    const Json spec = Json::parse(default_spec(all));
    CHECK(spec["root"]["readonly"] == true);
    CHECK(spec["process"]["terminal"] == true);
    CHECK(spec["process"]["cwd"] == "/srv");
    CHECK(spec["process"]["user"] == Json{{"uid", 101}, {"gid", 102}});
    CHECK(spec["process"]["env"].back() == "A=b");
    CHECK(spec["mounts"].back() == Json{{"destination", "/mnt"},
                                        {"type", "bind"},
                                        {"source", "/data"},
                                        {"options", {"rbind", "ro"}}});
}

TEST_CASE("a command that is not UTF-8 is refused, not mangled") {
    SpecWish bytes = wish();
    bytes.args = {"echo", "\xff"};
    CHECK_THROWS_AS(default_spec(bytes), Error);
}

TEST_CASE("mounts are understood in every usual spelling") {
    const ExtraMount bind = parse_mount("source=/a,target=/b,readonly");
    CHECK(bind.type == "bind");
    CHECK(bind.source == "/a");
    CHECK(bind.destination == "/b");
    CHECK(bind.options == std::vector<std::string>{"rbind", "ro"});
    const ExtraMount tmpfs = parse_mount("type=tmpfs,destination=/tmp,size=64m,mode=1777");
    CHECK(tmpfs.source == "tmpfs");
    CHECK(tmpfs.options == std::vector<std::string>{"size=64m", "mode=1777"});
}

TEST_CASE("a mount that makes no sense is refused with what is wrong") {
    for (const char* text :
         {"", "type=nfs,dst=/a", "type=bind,src=/a", "type=bind,dst=/a", "src=a,dst=/b",
          "src=/a,dst=b", "type=tmpfs,src=/a,dst=/b", "src=/a,dst=/b,ro=1"})
        CHECK_THROWS_AS(parse_mount(text), Error);
    try {
        static_cast<void>(parse_mount("src=/a,dsst=/b"));
        FAIL("a key that does not exist was taken");
    } catch (const Error& error) {
        CHECK(error.detail() ==
              "--mount 'src=/a,dsst=/b': unknown key 'dsst' (did you mean 'dst'?)");
        CHECK_FALSE(error.fix().empty());
    }
}

TEST_CASE("a time is seconds, or numbers with units") {
    CHECK(parse_duration("90") == 90);
    CHECK(parse_duration("0") == 0);  // coveyd says what is too short
    CHECK(parse_duration("90s") == 90);
    CHECK(parse_duration("15m") == 900);
    CHECK(parse_duration("1h30m5s") == 5405);
    for (const char* text : {"", "h", "1x", "-1", "1h-5m", "1 h", "1.5h", "4294967296"})
        CHECK_THROWS_AS(parse_duration(text), Error);
}

TEST_CASE("a user is numbers, with or without a group") {
    CHECK(parse_user("101").uid == 101);
    CHECK(parse_user("101").gid == 0);
    CHECK(parse_user("101:102").gid == 102);
    for (const char* text : {"", ":", "1:", ":1", "www-data", "-1", "1:2:3", "4294967296"})
        CHECK_THROWS_AS(parse_user(text), Error);
}
