// What a container's process is: ids, capabilities, limits and the rest exactly as the spec says,
// or an error that names what cannot be.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <filesystem>

#include <sys/stat.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

constexpr const char* kNone = "0000000000000000";

/// AUDIT_WRITE, KILL and NET_BIND_SERVICE: bits 29, 5 and 10.
constexpr const char* kSpecSet = "0000000020000420";

constexpr const char* kEverything = R"({"process": {
    "user": {"uid": @UID@, "gid": @GID@, "additionalGids": [5, 7], "umask": 63},
    "cwd": "/made/for/it", "oomScoreAdj": 300, "noNewPrivileges": false,
    "env": ["PATH=/bin", "ONE=1", "TWO=a b"],
    "capabilities": {"bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                     "permitted": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
                     "effective": ["CAP_KILL"],
                     "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]}})";

std::string everything(const std::string& uid, const std::string& gid) {
    std::string text = kEverything;
    text.replace(text.find("@UID@"), 5, uid);
    return text.replace(text.find("@GID@"), 5, gid);
}

void check_common(const Outcome& state) {
    CHECK(state.at("/umask") == "0077");
    CHECK(state.at("/cwd") == "/made/for/it");
    CHECK(state.at("/oomScoreAdj") == "300");
    CHECK(state.at("/noNewPrivs") == "false");
    CHECK(state.at("/seccomp") == "0");
    CHECK(state.at("/env") == R"(["PATH=/bin","ONE=1","TWO=a b","HOME=/"])");
    CHECK(state.at("/groups") == "[5,7]");
    CHECK(state.at("/rlimits/RLIMIT_NOFILE") == R"({"hard":200,"soft":100})");
    CHECK(state.at("/rlimits/RLIMIT_CORE") == R"({"hard":0,"soft":0})");
    CHECK(state.at("/caps/bounding") == kSpecSet);
    CHECK(state.at("/fds/2/fd") == "2");
    CHECK(state.at("/fds/3").starts_with("(no "));  // three descriptors and no more
    CHECK(state.at("/sid") == state.at("/pid"));
}

}  // namespace

TEST_CASE("a process of uid 0 is what the spec says, in every mode") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::node}) {
        const auto state = lab.run({"state"}, everything("0", "3"), in_mode(mode));
        INFO(state.out << state.err);
        check_common(state);
        CHECK(state.at("/uid") == "0");
        CHECK(state.at("/gid") == "3");
        CHECK(state.at("/caps/inheritable") == "0000000000000020");
        CHECK(state.at("/caps/ambient") == "0000000000000020");
        // capabilities(7): without no_new_privs, exec by uid 0 fills the permitted set again from
        // the bounding set. That is why the bounding set is cut.
        CHECK(state.at("/caps/permitted") == kSpecSet);
        CHECK((state.at("/pid") == "1") == (mode == PidMode::container));
    }
}

TEST_CASE("a process of uid 1000 is what the spec says, in every mode") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::node}) {
        const auto state = lab.run({"state"}, everything("1000", "1001"), in_mode(mode));
        INFO(state.out << state.err);
        check_common(state);
        CHECK(state.at("/uid") == "1000");
        CHECK(state.at("/euid") == "1000");
        CHECK(state.at("/gid") == "1001");
        CHECK(state.at("/egid") == "1001");
        // Ambient capabilities alone survive the exec of a program without file capabilities.
        for (const char* set : {"permitted", "effective", "ambient", "inheritable"})
            CHECK(state.at(std::string{"/caps/"} + set) == "0000000000000020");
    }
}

TEST_CASE("a process without capabilities in the spec has none") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto state = lab.run(
        {"state"}, R"({"process":{"capabilities":null,"noNewPrivileges":true,"rlimits":null}})");
    for (const char* set : {"bounding", "permitted", "effective", "inheritable", "ambient"})
        CHECK(state.at(std::string{"/caps/"} + set) == kNone);
    CHECK(state.at("/noNewPrivs") == "true");
    CHECK(state.at("/umask") == "0022");
    CHECK(state.at("/oomScoreAdj") == text_of("/proc/self/oom_score_adj").substr(0, 1));
}

TEST_CASE("an exec is what the spec says, and what it asks for itself") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::node}) {
        auto container = lab.start(
            "app", probe_bundle({"sleep", "forever"}, everything("1000", "1001")), in_mode(mode));
        const auto same = exec(container, {"state"});
        INFO(same.out);
        check_common(same);
        CHECK(same.at("/uid") == "1000");
        CHECK(same.at("/caps/effective") == "0000000000000020");
        ExecOptions options;
        options.uid = 0;
        options.gid = 9;
        options.cwd = "/tmp";
        options.env = {"ONE=other"};
        const auto other = exec(container, {"state"}, options);
        CHECK(other.at("/uid") == "0");
        CHECK(other.at("/gid") == "9");
        CHECK(other.at("/cwd") == "/tmp");
        CHECK(other.at("/env") == R"(["PATH=/bin","TWO=a b","ONE=other","HOME=/"])");
        CHECK(other.at("/caps/bounding") == kSpecSet);
        container.remove(true);
    }
}

TEST_CASE("added and dropped capabilities act, for a uid that is not 0 too") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto victim = lab.start("victim", probe_bundle({"sleep", "forever"}));
    const Words look{"ls", "/proc/" + std::to_string(victim.pod_pid()) + "/root"};
    const std::string uid_101 = R"({"process":{"user":{"uid":101,"gid":101}}})";
    CHECK(lab.run(look, uid_101).out == "EACCES\n");
    auto options = in_pod();
    options.add_capabilities = {"SYS_PTRACE"};
    CHECK(lab.run(look, uid_101, options).out.find("\"proc\"") != std::string::npos);
    const auto state = lab.run({"state"}, uid_101, options);
    CHECK(state.at("/caps/effective") == "0000000000080000");
    options.drop_capabilities = {"CAP_KILL", "audit_write"};
    CHECK(lab.run({"state"}, "{}", options).at("/caps/permitted") == "0000000000080400");
    // An exec into a container has the container's additions.
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}, uid_101), options);
    CHECK(exec(container, look).out.find("\"proc\"") != std::string::npos);
}

TEST_CASE("a program that cannot be executed is refused in words") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto& root = lab.bundle().rootfs();
    write_text(root + "/etc/plain", "text");
    write_text(root + "/etc/script", "#!/no/interpreter\n");
    fs::permissions(root + "/etc/script", fs::perms{0755});
    write_text(root + "/etc/other-machine",
               "\x7f"
               "not an ELF file");
    fs::permissions(root + "/etc/other-machine", fs::perms{0755});
    fs::copy_file(root + "/bin/probe", root + "/etc/private");
    fs::permissions(root + "/etc/private", fs::perms{0700});

    const auto create = [&](const Words& args, Code code, const std::string& words) {
        const auto error = lab.refused({.args = args});
        INFO(error.detail());
        CHECK(error.code() == code);
        CHECK(error.detail().find(words) != std::string::npos);
        CHECK_FALSE(error.fix().empty());
    };
    create({"/bin/no-such"}, Code::not_found, "\"/bin/no-such\"");
    create({"no-such"}, Code::not_found, "\"no-such\": executable file not found in $PATH");
    create({"/bin"}, Code::permission_denied, "is a directory");
    create({"/etc/plain"}, Code::permission_denied, "permission denied");
    create({"/bin/probe/x"}, Code::permission_denied, "not a directory");
    CHECK(fs::is_empty(lab.state() + "/containers"));

    const auto start = [&](const std::string& program, Code code, int exit_code,
                           const std::string& patch = "{}") {
        auto container = lab.create("app", {.args = {program}, .patch = patch});
        const auto error = error_of([&] { container.start(); });
        INFO(error.detail());
        CHECK(error.code() == code);
        CHECK(error.detail().find(program) != std::string::npos);
        CHECK(container.wait(kLong)->exit_code == exit_code);
        container.remove();
    };
    start("/etc/script", Code::not_found, 127);
    start("/etc/other-machine", Code::invalid_argument, 126);
    start("/etc/private", Code::permission_denied, 126, R"({"process":{"user":{"uid":1000}}})");

    auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
    const auto run_exec = [&](const Words& args) {
        ExecOptions options;
        options.args = args;
        return error_of([&] { (void)container.exec(options); }).code();
    };
    CHECK(run_exec({"no-such"}) == Code::not_found);
    CHECK(run_exec({"/bin"}) == Code::permission_denied);
    CHECK(run_exec({"/etc/script"}) == Code::not_found);
    CHECK(container.state() == "running");
}

TEST_CASE("a bundle that is none is refused by name") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto refused = [&](const std::string& bundle) {
        const auto error =
            error_of([&] { (void)lab.sandbox().create_container("app", bundle, in_pod()); });
        INFO(error.detail());
        CHECK(error.detail().find(bundle) != std::string::npos);
        CHECK_FALSE(error.fix().empty());
        CHECK(fs::is_empty(lab.state() + "/containers"));
        return error.code();
    };
    const auto bundle = lab.folder() + "/bundle";
    CHECK(refused(bundle) == Code::not_found);
    fs::create_directory(bundle);
    CHECK(refused(bundle) == Code::not_found);
    const auto config = bundle + "/config.json";
    REQUIRE(::mkfifo(config.c_str(), 0600) == 0);
    CHECK(refused(bundle) != Code::timeout);
    fs::remove(config);
    fs::create_directory(config);
    CHECK(refused(bundle) != Code::internal);
    fs::remove(config);

    lab.bundle().configure(probe_bundle({"exit", "0"}));
    fs::copy_file(lab.bundle().path() + "/config.json", config);
    CHECK(refused(bundle) == Code::not_found);  // no rootfs
    write_text(bundle + "/rootfs", "a file");
    CHECK(refused(bundle) != Code::internal);
    fs::remove(bundle + "/rootfs");
    fs::create_directory_symlink(lab.bundle().rootfs(), bundle + "/rootfs");
    CHECK(refused(bundle) == Code::invalid_spec);
}

TEST_CASE("no working directory leads out of the container") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto& root = lab.bundle().rootfs();
    fs::create_directory_symlink("/proc/self/fd/4", root + "/etc/link");
    fs::create_directory_symlink("/proc/self/cwd", root + "/etc/cwd");
    Words tricks{"/etc/link", "/etc/cwd", "/proc/1/cwd", "/proc/1/root", "/proc/self/cwd/../.."};
    for (int fd = 0; fd < 16; ++fd)
        tricks.push_back("/proc/self/fd/" + std::to_string(fd));
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        for (const auto& cwd : tricks) {
            // Refused, or a folder of the container's own.
            try {
                const auto state =
                    lab.run({"state"}, R"({"process":{"cwd":")" + cwd + R"("}})", in_mode(mode));
                INFO(cwd << " → " << state.at("/cwd"));
                CHECK(mode == PidMode::container);
                CHECK(state.at("/cwd").starts_with("/"));
            } catch (const Error& error) {
                CHECK(error.detail().find(cwd) != std::string::npos);
                CHECK(error.code() != Code::internal);
            }
        }
    }
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
    for (const auto& cwd : tricks) {
        ExecOptions options;
        options.cwd = cwd;
        try {
            const auto state = exec(container, {"state"}, options);
            INFO(cwd << " → " << state.at("/cwd"));
            CHECK(state.at("/cwd").starts_with("/"));
        } catch (const Error& error) {
            CHECK(error.detail().find(cwd) != std::string::npos);
        }
    }
}
