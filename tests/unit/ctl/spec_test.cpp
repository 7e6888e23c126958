// The configuration that `covey run --rootfs` writes, and the options that go into it.
#include "base/json.hpp"
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
