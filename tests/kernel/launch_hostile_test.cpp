// Images that try to lead the launcher out of their root: symlinks, files and FIFOs where it is to
// mount, make or hide something. Whatever the launch comes to, the host is as it was.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"

#include <cstdio>
#include <filesystem>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

/// A folder of the host with a file in it, which must stay exactly so.
class Canary {
  public:
    explicit Canary(const Lab& lab) : path_(lab.folder() + "/canary") {
        fs::create_directory(path_);
        write_text(path_ + "/file", "of the host");
    }
    void check() const {
        CHECK(std::distance(fs::directory_iterator{path_}, fs::directory_iterator{}) == 1);
        struct stat status {};
        REQUIRE(::lstat((path_ + "/file").c_str(), &status) == 0);
        CHECK(S_ISREG(status.st_mode));
        CHECK(status.st_uid == 0);
        CHECK(text_of(path_ + "/file") == "of the host");
        CHECK(text_of("/proc/self/mountinfo").find(path_) == std::string::npos);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// Where a symlink three folders deep must point to reach it, if ".." is let out of the root.
    [[nodiscard]] std::string climbing() const { return "../../../../../../../../.." + path_; }

  private:
    std::string path_;
};

/// What stands at `place` of the image instead of what should be there.
void put_symlink(const std::string& place, const std::string& target) {
    fs::remove_all(place);
    fs::create_directories(fs::path{place}.parent_path());
    fs::create_symlink(target, place);
}
void put_file(const std::string& place) {
    fs::remove_all(place);
    write_text(place, "a file");
}
void put_fifo(const std::string& place) {
    fs::remove_all(place);
    REQUIRE(::mkfifo(place.c_str(), 0600) == 0);
}
void put_folder(const std::string& place) {
    fs::remove_all(place);
    fs::create_directories(place);
}

/// Launches from the image as it is. True if it ran.
bool launch(Lab& lab, const BundleOptions& options, PidMode mode) {
    try {
        const auto done = lab.run(options, in_mode(mode));
        CHECK(done.out.find("of the host") == std::string::npos);
        return true;
    } catch (const Error& error) {
        INFO(error.detail());
        // A clear refusal: not a time-out, not a crash of the launcher.
        CHECK(error.code() != Code::timeout);
        CHECK(error.detail().find("without a word") == std::string::npos);
        CHECK(fs::is_empty(lab.state() + "/containers"));
        return false;
    }
}

std::string bind_patch(const std::string& source, const std::string& target) {
    return R"({"root":{"readonly":false},"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/dev","type":"tmpfs","source":"tmpfs"},
        {"destination":")" +
           target + R"(","type":"none","source":")" + source + R"(","options":["rbind"]}]})";
}

}  // namespace

TEST_CASE("an image whose /dev, /proc or /sys leads elsewhere reaches nothing of the host") {
    COVEY_REQUIRES("root");
    Lab lab;
    const Canary canary{lab};
    const auto& root = lab.bundle().rootfs();
    const auto state = probe_bundle({"ls", "/"}, R"({"root":{"readonly":false}})");
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        for (const char* name : {"dev", "proc", "sys"}) {
            const auto place = root + "/" + name;
            for (const auto& target : {canary.path(), canary.climbing(), std::string{"/"},
                                       std::string{".."}, std::string{"loop"}, std::string{"etc"},
                                       std::string{"/proc/1/root"}, canary.path() + "/missing"}) {
                INFO(name << " → " << target);
                put_symlink(place, target);
                (void)launch(lab, state, mode);
                canary.check();
            }
            put_file(place);
            CHECK_FALSE(launch(lab, state, mode));
            put_fifo(place);
            CHECK_FALSE(launch(lab, state, mode));
            put_folder(place);
            CHECK(launch(lab, state, mode));
            canary.check();
        }
    }
}

TEST_CASE("mount targets of the spec that are symlinks in the image stay in the image") {
    COVEY_REQUIRES("root");
    Lab lab;
    const Canary canary{lab};
    const auto& root = lab.bundle().rootfs();
    const auto source = lab.folder() + "/source";
    fs::create_directory(source);
    write_text(source + "/file", "bound");
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        for (const auto& target : {canary.path(), canary.climbing()}) {
            INFO(target);
            // The last component, one on the way, and one that exists inside the image too.
            put_symlink(root + "/data/target", target);
            (void)launch(lab, probe_bundle({"ls", "/data"}, bind_patch(source, "/data/target")),
                         mode);
            canary.check();
            put_symlink(root + "/way", target);
            (void)launch(lab, probe_bundle({"ls", "/"}, bind_patch(source, "/way/new/folder")),
                         mode);
            canary.check();
            put_symlink(root + "/etc/hosts", target + "/file");
            (void)launch(
                lab,
                probe_bundle({"read", "/etc/hosts"}, bind_patch(source + "/file", "/etc/hosts")),
                mode);
            canary.check();
            put_folder(root + canary.path());
            CHECK(launch(
                lab,
                probe_bundle({"read", canary.path() + "/file"}, bind_patch(source, "/data/target")),
                mode));
            canary.check();
            fs::remove_all(root + canary.path());
        }
    }
    // A file where a folder is to be mounted, and the other way round.
    put_file(root + "/data/target");
    CHECK_FALSE(
        launch(lab, probe_bundle({"ls", "/"}, bind_patch(source, "/data/target")), PidMode::pod));
    put_folder(root + "/data/target");
    CHECK_FALSE(launch(lab, probe_bundle({"ls", "/"}, bind_patch(source + "/file", "/data/target")),
                       PidMode::pod));
    put_fifo(root + "/data/target");
    (void)launch(lab, probe_bundle({"ls", "/"}, bind_patch(source + "/file", "/data/target")),
                 PidMode::pod);
    canary.check();
}

TEST_CASE("masked and read-only paths and the working directory stay in the image") {
    COVEY_REQUIRES("root");
    Lab lab;
    const Canary canary{lab};
    const auto& root = lab.bundle().rootfs();
    const std::string patch = R"({"root":{"readonly":false},"process":{"cwd":"/cwd"},
        "linux":{"maskedPaths":["/masked","/masked/file"],"readonlyPaths":["/protected"]}})";
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        for (const auto& target : {canary.path(), canary.climbing(), std::string{"/"}}) {
            for (const char* name : {"masked", "protected", "cwd"})
                put_symlink(root + "/" + name, target);
            INFO(target);
            (void)launch(lab, probe_bundle({"ls", "."}, patch), mode);
            canary.check();
            for (const char* name : {"masked", "protected", "cwd"})
                fs::remove_all(root + "/" + name);
        }
        // RESOLVE_IN_ROOT: the canary's path, made inside the image.
        put_symlink(root + "/cwd", canary.climbing());
        put_folder(root + canary.path());
        const auto done = lab.run(probe_bundle({"state"}, patch), in_mode(mode));
        CHECK(done.at("/cwd") == canary.path());
        fs::remove_all(root + canary.path());
        fs::remove(root + "/cwd");
        canary.check();
    }
}

TEST_CASE("a program that is a symlink is looked for in the image") {
    COVEY_REQUIRES("root");
    Lab lab;
    const Canary canary{lab};
    const auto& root = lab.bundle().rootfs();
    fs::copy_file(root + "/bin/probe", canary.path() + "/program");
    for (const auto& target : {canary.path(), canary.climbing()}) {
        put_symlink(root + "/etc/program", target + "/program");
        CHECK(lab.refused({.args = {"/etc/program", "exit", "0"}}).code() == Code::not_found);
    }
    fs::remove(canary.path() + "/program");
    canary.check();
}

TEST_CASE("a script that names the launcher's own program as its interpreter gets nothing") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto& root = lab.bundle().rootfs();
    const auto shim = programs_folder() + "/covey-shim";
    struct stat before {};
    REQUIRE(::stat(shim.c_str(), &before) == 0);
    write_text(root + "/etc/script", "#!/proc/self/exe\n");
    fs::permissions(root + "/etc/script", fs::perms{0755});
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        // Refused, or it is covey-shim that runs in the container and has nothing to work with.
        auto container = lab.create("app", {.args = {"/etc/script"}}, in_mode(mode));
        const auto error = error_of([&] { container.start(); });
        INFO(error.detail());
        CHECK(error.code() != Code::timeout);
        CHECK(container.wait(kLong)->exit_code != 0);
        container.remove();
    }
    struct stat after {};
    REQUIRE(::stat(shim.c_str(), &after) == 0);
    CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
    CHECK(after.st_ino == before.st_ino);
}

// Seen failing before pivot_into looked at what umount2(2) had left: the host's root was there.
TEST_CASE("no container sees the root of a host that has something mounted over it") {
    COVEY_REQUIRES("root");
    const int status = in_new_namespaces(CLONE_NEWNS, [] {
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 100;
        for (int layer = 0; layer < 2; ++layer)
            if (::mount("over", "/", "tmpfs", 0, nullptr) != 0) return 101;
        const auto run = run_self("[over-mounted]");
        if (run.status != 0) std::fputs(run.output.c_str(), stderr);
        return run.status;
    });
    CHECK(status == 0);
}

TEST_CASE("runs where something is mounted over the root", "[.][over-mounted]") {
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        const auto own = lab.run({"ls", "/"}, "{}", in_mode(mode)).out;
        CHECK(own.find("\"proc\"") != std::string::npos);
        CHECK(lab.run({"ls", "/.."}, "{}", in_mode(mode)).out == own);
        CHECK(lab.run({"ls", "/proc/self/root/.."}, "{}", in_mode(mode)).out == own);
        auto container = lab.start("app", probe_bundle({"sleep", "forever"}), in_mode(mode));
        CHECK(exec(container, {"ls", "/"}).out == own);
        CHECK(exec(container, {"ls", "/.."}).out == own);
        container.remove(true);
    }
}
