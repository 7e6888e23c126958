// The classes of holes that other runtimes had with paths and mounts, each by its CVE: an image or
// a spec of that kind is launched, and the host is as it was. "Seen failing": with the named line
// changed so, in a scratch build, the case failed.
#include "catch.hpp"
#include "kernel/racer.hpp"
#include "kernel/spec_lab.hpp"
#include "support/requires.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

/// A folder of the host that must stay as it is, with a file in it.
struct HostLab : SpecLab {
    HostLab() : canary(folder() + "/canary") {
        fs::create_directory(canary);
        write_text(canary + "/file", "of the host");
    }
    [[nodiscard]] bool untouched() const {
        struct stat status {};
        return std::distance(fs::directory_iterator{canary}, fs::directory_iterator{}) == 1 &&
               text_of(canary + "/file") == "of the host" &&
               ::stat((canary + "/file").c_str(), &status) == 0 && status.st_uid == 0;
    }
    [[nodiscard]] std::string image(const std::string& path) const {
        return bundle().rootfs() + path;
    }
    void link(const std::string& place, const std::string& target) const {
        fs::remove_all(image(place));
        fs::create_directories(fs::path{image(place)}.parent_path());
        fs::create_symlink(target, image(place));
    }
    /// Launched, or refused with an error; either is well.
    void attempt(const Words& words, const std::string& patch) {
        (void)error_of([&] { (void)run(words, patch); });
        CHECK(untouched());
    }
    std::string canary;
};

std::string plain(const std::string& mounts = "", const std::string& linux_part = "",
                  const std::string& process = "{}") {
    return R"({"root":{"readonly":false},"hostname":null,"process":)" + process +
           R"(,"linux":{"maskedPaths":[],"readonlyPaths":[],"namespaces":[{"type":"mount"},
        {"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"}])" +
           linux_part + R"(},"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]},
        {"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance",
         "ptmxmode=0666","mode=0620"]})" +
           (mounts.empty() ? "" : "," + mounts) + "]}";
}

}  // namespace

TEST_CASE("CVE-2019-18837, CVE-2021-30465: a mount target that is a symlink stays in the image") {
    // Seen failing: open_in_root() (sys/path.cpp) without RESOLVE_IN_ROOT.
    COVEY_REQUIRES("root");
    HostLab lab;
    fs::create_directories(lab.image(lab.canary));
    lab.link("/data", lab.canary);
    lab.attempt({"write", "/data/new", "x"},
                plain(R"({"destination":"/data","type":"tmpfs","source":"tmpfs"})"));
    lab.link("/up", "../../../../../../../.." + lab.canary);
    lab.attempt({"write", "/up/new", "x"},
                plain(R"({"destination":"/up/deep","type":"tmpfs","source":"tmpfs"})"));
    lab.attempt({"write", "/data/new", "x"},
                plain(R"({"destination":"/data/deep","type":"tmpfs","source":"tmpfs"})"));
    CHECK(fs::exists(lab.image(lab.canary + "/deep")));
}

namespace {

void race_volume(std::chrono::seconds time, std::uint64_t rounds) {
    HostLab lab;
    const auto volume = lab.folder() + "/volume";
    fs::create_directories(volume + "/a");
    fs::create_symlink(lab.canary, volume + "/b");
    fs::create_directories(lab.image(lab.canary));
    const auto mounts = R"({"destination":"/v","type":"bind","source":")" + volume +
                        R"(","options":["rbind"]},
        {"destination":"/v/a/made/here","type":"tmpfs","source":"tmpfs"})";
    const Racer racer{volume + "/a", volume + "/b"};
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end || racer.rounds() < rounds)
        lab.attempt({"exit", "0"}, plain(mounts));
    CHECK(racer.rounds() > 1000);
}

}  // namespace

TEST_CASE(
    "CVE-2021-30465, CVE-2024-45310: a volume whose path is exchanged all the time leads nowhere") {
    // Seen failing: open_in_root() (sys/path.cpp) without RESOLVE_IN_ROOT: in nearly every launch.
    COVEY_REQUIRES("root");
    race_volume(std::chrono::seconds{20}, 0);
}

// By hand: kernel_spec "[long]".
TEST_CASE("CVE-2021-30465, CVE-2024-45310: the same over a million exchanges", "[.][long]") {
    COVEY_REQUIRES("root");
    race_volume(std::chrono::seconds{0}, 1'000'000);
}

TEST_CASE("CVE-2025-54867, CVE-2019-19921: /proc and /sys that are symlinks in the image") {
    // Seen failing: open_in_root() (sys/path.cpp) without RESOLVE_IN_ROOT.
    COVEY_REQUIRES("root");
    HostLab lab;
    for (const char* place : {"/proc", "/sys"})
        lab.link(place, lab.canary);
    lab.attempt(
        {"exit", "0"},
        plain(R"({"destination":"/sys","type":"sysfs","source":"sysfs","options":["ro"]})"));
    for (const char* place : {"/proc", "/sys"})
        lab.link(place, "/etc");
    lab.attempt(
        {"exit", "0"},
        plain(R"({"destination":"/sys","type":"sysfs","source":"sysfs","options":["ro"]})"));
    // What was mounted is what the image's own link leads to.
    CHECK(lab.run({"read", "/proc/self/comm"}, plain()).out == "probe\n");
}

TEST_CASE("CVE-2025-52565, CVE-2026-41579: a name of /dev that leads out makes nothing there") {
    // Seen failing: make_target_in_root() without O_EXCL and O_NOFOLLOW (console).
    COVEY_REQUIRES("root");
    for (const std::string name :
         {"ptmx", "pts", "null", "tty", "console", "fd", "stdout", "shm"}) {
        CAPTURE(name);
        HostLab lab;
        const auto volume = lab.folder() + "/dev";
        fs::create_directories(volume);
        fs::create_directories(lab.image(lab.canary));
        fs::create_symlink(lab.canary + "/made", volume + "/" + name);
        for (const bool terminal : {false, true})
            lab.attempt({"write", "/dev/ptmx", "x", "--", "write", "/dev/null", "x"},
                        R"({"root":{"readonly":false},"hostname":null,"process":{"terminal":)" +
                            std::string{terminal ? "true" : "false"} +
                            R"(},"linux":{"maskedPaths":[],"readonlyPaths":[],"namespaces":[
            {"type":"mount"},{"type":"pid"}]},"mounts":[
            {"destination":"/proc","type":"proc","source":"proc"},
            {"destination":"/dev","type":"bind","source":")" +
                            volume + R"(","options":["rbind"]},
            {"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance",
             "ptmxmode=0666","mode=0620"]},
            {"destination":"/dev/shm","type":"tmpfs","source":"shm"}]})");
        CHECK_FALSE(fs::exists(lab.canary + "/made"));
    }
}

TEST_CASE("CVE-2026-88265: streams that go nowhere are the host's null device, not the image's") {
    // Seen failing: open_null() (launch/stdio.cpp) with the image's /dev/null.
    COVEY_REQUIRES("root");
    HostLab lab;
    lab.link("/dev/null", lab.canary + "/file");
    lab.input().stdio = {"null", "file:" + lab.folder() + "/out", "null"};
    lab.attempt({"echo-error", "written"}, plain());
}

TEST_CASE("CVE-2019-19921, CVE-2023-27561: what is masked or read-only is so from inside") {
    // Seen failing: RootBuilder::mask() that does nothing, and make_readonly() that does nothing.
    COVEY_REQUIRES("root");
    HostLab lab;
    fs::create_directories(lab.image("/etc/masked"));
    write_text(lab.image("/etc/masked/file"), "secret");
    write_text(lab.image("/etc/secret"), "secret");
    fs::create_directories(lab.image("/etc/fixed/deep"));
    const auto seen = lab.run({"ls", "/etc/masked", "--", "read", "/etc/secret", "--", "mkdir",
                               "/etc/masked/x", "--", "write", "/etc/fixed/deep/x", "x"},
                              R"({"root":{"readonly":false},"linux":{"maskedPaths":["/etc/masked",
        "/etc/secret"],"readonlyPaths":["/etc/fixed"]}})");
    CHECK(seen.out == "[]\nEROFS\nEROFS\n");
    CHECK(text_of(lab.image("/etc/secret")) == "secret");
}

TEST_CASE("CVE-2025-31133: a mask is the null device, whatever the image has at /dev/null") {
    // Seen failing: RootBuilder::mask() with the null device of the image's /dev.
    COVEY_REQUIRES("root");
    HostLab lab;
    lab.link("/dev/null", lab.canary + "/file");
    write_text(lab.image("/etc/secret"), "secret");
    const auto without_dev =
        R"({"root":{"readonly":false},"hostname":null,"linux":{"maskedPaths":["/etc/secret"],
        "readonlyPaths":[],"namespaces":[{"type":"mount"},{"type":"pid"}]},"mounts":[
        {"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["mode=755"]}]})";
    const auto seen =
        lab.run({"stat", "/etc/secret", "--", "write", "/etc/secret", "x"}, without_dev);
    CHECK(seen.out.find(R"("major":1,"minor":3)") != std::string::npos);
    CHECK(lab.untouched());
    CHECK(text_of(lab.image("/etc/secret")) == "secret");
}

TEST_CASE(
    "CVE-2025-52881, CVE-2019-16884: a /proc of the image's own gets no write of the launcher") {
    // Seen failing: apply_sysctls() with the image's /proc/sys, unchecked.
    COVEY_REQUIRES("root");
    HostLab lab;
    fs::create_directories(lab.image("/proc/sys/net/ipv4"));
    fs::create_directories(lab.image("/proc/self/attr"));
    for (const char* name : {"/proc/sys/net/ipv4/ip_forward", "/proc/self/attr/exec",
                             "/proc/self/oom_score_adj", "/proc/self/timens_offsets"})
        write_text(lab.image(name), "as it was");
    const auto seen =
        lab.run({"read", "/proc/sys/net/ipv4/ip_forward"},
                plain("", R"(,"sysctl":{"net.ipv4.ip_forward":"1"})", R"({"oomScoreAdj":700})"));
    CHECK(seen.out == "1\n");
    for (const char* name : {"/proc/sys/net/ipv4/ip_forward", "/proc/self/attr/exec",
                             "/proc/self/oom_score_adj", "/proc/self/timens_offsets"})
        CHECK(text_of(lab.image(name)) == "as it was");
    // A sysctl that climbs out of its namespace's folder is no sysctl.
    for (const char* key : {"net/../kernel/core_pattern", "net.ipv4/../../kernel/core_pattern"}) {
        const auto before = text_of("/proc/sys/kernel/core_pattern");
        CHECK(lab.refused(plain("", R"(,"sysctl":{")" + std::string{key} + R"(":"|/x"})")).code() ==
              Code::invalid_spec);
        CHECK(text_of("/proc/sys/kernel/core_pattern") == before);
    }
}

TEST_CASE("CVE-2026-41579, CVE-2026-47766: a /dev that is a symlink gets no device of the host's") {
    // Seen failing: open_in_root() (sys/path.cpp) without RESOLVE_IN_ROOT.
    COVEY_REQUIRES("root");
    HostLab lab;
    fs::create_directories(lab.image(lab.canary));
    lab.link("/dev", lab.canary);
    lab.attempt({"exit", "0"}, plain());
    // And without a mount on /dev the nodes are made in the image.
    const auto no_dev = R"({"root":{"readonly":false},"hostname":null,"linux":{"maskedPaths":[],
        "readonlyPaths":[],"namespaces":[{"type":"mount"},{"type":"pid"}]},"mounts":[
        {"destination":"/proc","type":"proc","source":"proc"}]})";
    lab.attempt({"exit", "0"}, no_dev);
    CHECK(fs::is_character_file(lab.image(lab.canary + "/null")));
}

TEST_CASE(
    "CVE-2025-52565, CVE-2026-88264: a /dev/console that is a symlink makes no file of the host") {
    // Seen failing: make_target_in_root() without O_EXCL and O_NOFOLLOW.
    COVEY_REQUIRES("root");
    HostLab lab;
    const auto volume = lab.folder() + "/dev";
    fs::create_directories(volume + "/pts");
    fs::create_symlink(lab.canary + "/console", volume + "/console");
    fs::create_directories(lab.image(lab.canary));
    const auto bound = R"({"root":{"readonly":false},"hostname":null,"process":{"terminal":true},
        "linux":{"maskedPaths":[],"readonlyPaths":[],"namespaces":[{"type":"mount"},{"type":"pid"}]},
        "mounts":[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/dev","type":"bind","source":")" +
                       volume + R"(","options":["rbind"]},
        {"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance",
         "ptmxmode=0666","mode=0620"]}]})";
    lab.attempt({"exit", "0"}, bound);
    CHECK_FALSE(fs::exists(lab.canary + "/console"));
}

TEST_CASE("CVE-2024-21626: a working directory behind a descriptor of the launcher is refused") {
    // Seen failing: drop_host() without close_all_except(), and no look at getcwd(2).
    COVEY_REQUIRES("root");
    HostLab lab;
    const UniqueFd folder{::open(lab.canary.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const UniqueFd leaked{::dup(folder.get())};  // inheritable
    REQUIRE(leaked);
    for (const std::string place : {"/proc/self/fd/", "/proc/1/fd/", "/proc/self/cwd/../fd/"})
        for (int fd = 3; fd < 20; ++fd) {
            const auto cwd = place + std::to_string(fd);
            const auto error = error_of([&] {
                const auto seen = lab.run({"ls", "."}, plain("", "", R"({"cwd":")" + cwd + "\"}"));
                CHECK(seen.out.find("file") == std::string::npos);
            });
        }
    CHECK(lab.untouched());
    // And by a symlink of the image.
    lab.link("/work", "/proc/self/fd/" + std::to_string(leaked.get()));
    (void)error_of([&] {
        const auto seen = lab.run({"ls", "."}, plain("", "", R"({"cwd":"/work"})"));
        CHECK(seen.out.find("file") == std::string::npos);
    });
}

TEST_CASE("CVE-2026-115521: a read-only root is read-only whatever the image has in /proc") {
    // Seen failing: RootBuilder::execute() without plan::ReadonlyRoot.
    COVEY_REQUIRES("root");
    HostLab lab;
    fs::create_directories(lab.image("/proc/self"));
    fs::create_symlink("/tmp", lab.image("/proc/self/fd"));
    auto patch = plain();
    patch.replace(patch.find("false"), 5, "true");
    CHECK(lab.run({"write", "/file", "x"}, patch).out == "EROFS\n");
    CHECK(lab.run({"write", "/proc/../etc/file", "x"}, patch).out == "EROFS\n");
}

TEST_CASE("CVE-2023-25809: /sys/fs/cgroup shows the container's own group and nothing above it") {
    // Seen failing: open_group_folder() with the hierarchy's top.
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v2");
    SpecLab lab;
    // Where there are v1 hierarchies each has a folder there, the v2 tree "unified".
    const auto seen =
        lab.run({"ls", "/sys/fs/cgroup", "--", "mkdir", "/sys/fs/cgroup/mine", "--", "ls",
                 "/sys/fs/cgroup/unified", "--", "mkdir", "/sys/fs/cgroup/unified/mine"},
                R"({"hostname":null,"linux":{"namespaces":[{"type":"mount"},
        {"type":"pid"},{"type":"cgroup"}]}})");
    INFO(seen.out);
    CHECK(seen.out.find("covey") == std::string::npos);
    CHECK(seen.out.find("EROFS") != std::string::npos);
    CHECK(seen.out.find("ok") == std::string::npos);
}

TEST_CASE(
    "CVE-2015-3629, CVE-2024-9341: a bind source is the spec's, its symlinks the host's, its "
    "target the image's") {
    // Seen failing: open_bind() with the source looked up in the image.
    COVEY_REQUIRES("root");
    HostLab lab;
    // The image cannot make the launcher bind something else: sources are opened on the host.
    fs::create_directories(lab.folder() + "/source");
    write_text(lab.folder() + "/source/mine", "mine");
    lab.link(lab.folder() + "/source", lab.canary);
    const auto seen =
        lab.run({"ls", "/data"}, plain(R"({"destination":"/data","type":"bind","source":")" +
                                       lab.folder() + R"(/source","options":["bind"]})"));
    CHECK(seen.out == "[\"mine\"]\n");
    CHECK(lab.untouched());
}
