// The container's root: what is mounted, hidden, read-only, and who sees a mount that is made
// inside.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"

#include <filesystem>
#include <sstream>

#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

using namespace covey;
using namespace covey::test;

namespace {

namespace fs = std::filesystem;

constexpr const char* kWritableRoot = R"({"root":{"readonly":false}})";

/// A mount of the test's own on the host.
class HostMount {
  public:
    explicit HostMount(std::string path) : path_(std::move(path)) {
        fs::create_directories(path_);
        REQUIRE(::mount("test", path_.c_str(), "tmpfs", 0, "size=1m") == 0);
    }
    HostMount(const HostMount&) = delete;
    HostMount& operator=(const HostMount&) = delete;
    ~HostMount() { ::umount2(path_.c_str(), MNT_DETACH); }
    void share() const {
        REQUIRE(::mount(nullptr, path_.c_str(), nullptr, MS_SHARED, nullptr) == 0);
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::string patch_with_mount(const std::string& source, const std::string& target,
                             const std::string& options, const std::string& rest = "") {
    return R"({"root":{"readonly":false},"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":")" +
           target + R"(","type":"none","source":")" + source + R"(","options":[)" + options +
           "]}]" + rest + "}";
}

/// mount(2) of a tmpfs, by number as the probe has no such command.
Words mount_tmpfs_on(const std::string& path) {
    return {"syscall", std::to_string(SYS_mount), "@none", "@" + path, "@tmpfs", "0", "0"};
}

ContainerOptions with(const char* capability) {
    auto options = in_pod();
    options.add_capabilities = {capability};
    return options;
}

bool is_mount_point(const std::string& path) {
    return text_of("/proc/self/mountinfo").find(" " + path + " ") != std::string::npos;
}

}  // namespace

TEST_CASE("the root is read-only when the spec says so, and its working directory is made") {
    COVEY_REQUIRES("root");
    Lab lab;
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        const std::string cwd = R"({"process":{"cwd":"/new/folder"}})";
        const auto state = lab.run({"state"}, cwd, in_mode(mode));
        CHECK(state.at("/cwd") == "/new/folder");
        CHECK(lab.run({"write", "/file", "x"}, cwd, in_mode(mode)).out == "EROFS\n");
        CHECK(lab.run({"mkdir", "/tmp/folder"}, cwd, in_mode(mode)).out == "EROFS\n");
        CHECK(lab.run({"write", "/dev/file", "x"}, cwd, in_mode(mode)).out == "ok\n");
        CHECK(lab.run({"write", "/file", "x"}, kWritableRoot, in_mode(mode)).out == "ok\n");
        fs::remove_all(lab.bundle().rootfs() + "/new");
    }
    CHECK(text_of(lab.bundle().rootfs() + "/file") == "x");
}

TEST_CASE("masked paths show nothing, whatever they are") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto& root = lab.bundle().rootfs();
    fs::create_directories(root + "/etc/folder/inner");
    write_text(root + "/etc/folder/file", "secret");
    write_text(root + "/etc/file", "secret");
    write_text(root + "/etc/reached-by-link", "secret");
    fs::create_symlink("reached-by-link", root + "/etc/link");
    const std::string patch = R"({"root":{"readonly":false},"linux":{"maskedPaths":
        ["/etc/folder","/etc/file","/etc/link","/proc/version","/proc/irq","/sys/kernel","/not/there"]}})";
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        auto container = lab.start("app", probe_bundle({"sleep", "forever"}, patch), in_mode(mode));
        for (const char* folder : {"/etc/folder", "/proc/irq", "/sys/kernel"}) {
            CHECK(exec(container, {"ls", folder}).out == "[]\n");
            CHECK(exec(container, {"write", std::string{folder} + "/x", "x"}).out == "EROFS\n");
        }
        for (const char* file : {"/etc/file", "/etc/reached-by-link", "/proc/version"}) {
            INFO(file);
            CHECK(exec(container, {"read", file}).out == "");
            CHECK(exec(container, {"stat", file}).at("/mode") == "020666");  // character device
        }
        CHECK(exec(container, {"read", "/etc/link"}).out.empty());
        container.remove(true);
    }
    CHECK(text_of(root + "/etc/file") == "secret");
    CHECK_FALSE(fs::exists(root + "/not"));
}

TEST_CASE("read-only paths are read-only with all that is mounted below them") {
    COVEY_REQUIRES("root");
    Lab lab;
    fs::create_directories(lab.bundle().rootfs() + "/data/below");
    const std::string patch =
        patch_with_mount("tmpfs", "/data/below", R"("size=64k")",
                         R"(,"linux":{"readonlyPaths":["/data","/proc/sys","/not/there"]})");
    auto tmpfs = patch;
    tmpfs.replace(tmpfs.find("\"none\""), 6, "\"tmpfs\"");
    for (const auto mode : {PidMode::pod, PidMode::container}) {
        auto container = lab.start("app", probe_bundle({"sleep", "forever"}, tmpfs), in_mode(mode));
        CHECK(exec(container, {"write", "/data/file", "x"}).out == "EROFS\n");
        CHECK(exec(container, {"write", "/data/below/file", "x"}).out == "EROFS\n");
        CHECK(exec(container, {"write", "/proc/sys/kernel/domainname", "x"}).out == "EROFS\n");
        CHECK(exec(container, {"write", "/file", "x"}).out == "ok\n");
        container.remove(true);
    }
}

TEST_CASE("/dev has the default nodes, with the right numbers, and no others") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}));
    struct Node {
        const char *path, *major, *minor;
    };
    for (const auto& node :
         {Node{"/dev/null", "1", "3"}, Node{"/dev/zero", "1", "5"}, Node{"/dev/full", "1", "7"},
          Node{"/dev/random", "1", "8"}, Node{"/dev/urandom", "1", "9"}, Node{"/dev/tty", "5", "0"},
          Node{"/dev/pts/ptmx", "5", "2"}}) {
        const auto found = exec(container, {"stat", node.path});
        INFO(node.path << ": " << found.out);
        CHECK(found.at("/mode") == "020666");
        CHECK(found.at("/major") == node.major);
        CHECK(found.at("/minor") == node.minor);
        CHECK(found.at("/uid") == "0");
    }
    CHECK(exec(container, {"readlink", "/dev/ptmx"}).out == "pts/ptmx\n");
    CHECK(exec(container, {"readlink", "/dev/fd"}).out == "/proc/self/fd\n");
    CHECK(exec(container, {"readlink", "/dev/stdout"}).out == "/proc/self/fd/1\n");
    auto listing = exec(container, {"ls", "/dev"}).out;
    for (const char* name : {"fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm",
                             "stderr", "stdin", "stdout", "tty", "urandom", "zero"}) {
        const auto word = '"' + std::string{name} + '"';
        REQUIRE(listing.find(word) != std::string::npos);
        listing.erase(listing.find(word), word.size());
    }
    CHECK(listing.find('"') == std::string::npos);
    CHECK(fs::is_empty(lab.bundle().rootfs() + "/dev"));
}

TEST_CASE("bind mounts are read-only, writable or recursive as the spec says") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto source = lab.folder() + "/source";
    const HostMount below{source + "/below"};
    write_text(source + "/file", "of the host");
    write_text(below.path() + "/deep", "deep");
    const auto in = [&](const std::string& options, const Words& words) {
        return lab.run(words, patch_with_mount(source, "/data", options)).out;
    };
    CHECK(in(R"("bind","ro")", {"read", "/data/file"}) == "of the host");
    CHECK(in(R"("bind","ro")", {"write", "/data/file", "x"}) == "EROFS\n");
    CHECK(in(R"("bind")", {"ls", "/data/below"}) == "[]\n");
    CHECK(in(R"("rbind")", {"read", "/data/below/deep"}) == "deep");
    CHECK(in(R"("rbind","ro")", {"write", "/data/below/deep", "x"}) == "ok\n");  // mount(8)'s ro
    CHECK(in(R"("rbind","rro")", {"write", "/data/below/deep", "x"}) == "EROFS\n");
    CHECK(in(R"("rbind","rw")", {"write", "/data/new", "by the container"}) == "ok\n");
    CHECK(text_of(source + "/new") == "by the container");
    // A file, over one that the image has and over nothing.
    const auto on = [&](const std::string& target) {
        return lab.run({"read", target}, patch_with_mount(source + "/file", target, R"("bind")"))
            .out;
    };
    write_text(lab.bundle().rootfs() + "/etc/there", "of the image");
    CHECK(on("/etc/there") == "of the host");
    CHECK(on("/etc/new/deep/file") == "of the host");
    const auto error = lab.refused(
        probe_bundle({"exit", "0"}, patch_with_mount("/no/such", "/data", R"("bind")")));
    CHECK(error.code() == Code::not_found);
    CHECK(error.detail().find("/no/such") != std::string::npos);
}

TEST_CASE("a mount that is made in a container is not seen on the host, unless the spec says so") {
    COVEY_REQUIRES("root");
    Lab lab;
    const HostMount shared{lab.folder() + "/shared"};
    shared.share();
    fs::create_directories(shared.path() + "/inner");
    const auto try_mount = [&](const std::string& options) {
        auto container = lab.start(
            "app",
            probe_bundle({"sleep", "forever"}, patch_with_mount(shared.path(), "/data", options)),
            with("SYS_ADMIN"));
        CHECK(exec(container, mount_tmpfs_on("/data/inner")).out == "0\n");
        CHECK(exec(container, mount_tmpfs_on("/tmp")).out == "0\n");
        const bool seen = is_mount_point(shared.path() + "/inner");
        container.remove(true);
        if (seen) ::umount2((shared.path() + "/inner").c_str(), MNT_DETACH);
        CHECK_FALSE(is_mount_point(lab.bundle().rootfs() + "/tmp"));
        return seen;
    };
    CHECK_FALSE(try_mount(R"("rbind")"));
    CHECK_FALSE(try_mount(R"("rbind","rslave")"));
    CHECK(try_mount(R"("rbind","rshared")"));  // and so the two above say something
}

TEST_CASE("options of a filesystem reach the kernel, and its refusal is told") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto patch = [](const std::string& option) {
        return R"({"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
            {"destination":"/tmp","type":"tmpfs","source":"small","options":["nosuid",")" +
               option + R"("]}]})";
    };
    const auto mounts = lab.run({"mounts"}, patch("size=64k")).out;
    std::istringstream lines{mounts};
    bool found = false;
    for (std::string line; std::getline(lines, line);)
        if (line.find(R"("mountPoint":"/tmp")") != std::string::npos) {
            found = true;
            INFO(line);
            CHECK(line.find("size=64k") != std::string::npos);
            CHECK(line.find("nosuid") != std::string::npos);
            CHECK(line.find(R"("source":"small")") != std::string::npos);
        }
    CHECK(found);
    const auto error = lab.refused(probe_bundle({"exit", "0"}, patch("no_such_option=1")));
    CHECK(error.detail().find("no_such_option=1") != std::string::npos);
    CHECK(error.detail().find("mount op 1") != std::string::npos);
}

TEST_CASE("tmpcopyup fills a tmpfs with what the image has there, and with nothing of the host") {
    COVEY_REQUIRES("root");
    Lab lab;
    const auto& root = lab.bundle().rootfs();
    const auto canary = lab.folder() + "/canary";
    write_text(canary, "of the host");
    fs::create_directories(root + "/data/folder");
    write_text(root + "/data/folder/file", "of the image");
    fs::permissions(root + "/data/folder/file", fs::perms{0640});
    fs::create_symlink(canary, root + "/data/link");
    const std::string patch = R"({"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/data","type":"tmpfs","source":"tmpfs","options":["tmpcopyup"]}]})";
    auto container = lab.start("app", probe_bundle({"sleep", "forever"}, patch));
    CHECK(exec(container, {"read", "/data/folder/file"}).out == "of the image");
    CHECK(exec(container, {"stat", "/data/folder/file"}).at("/mode") == "100640");
    CHECK(exec(container, {"readlink", "/data/link"}).out == canary + "\n");
    CHECK(exec(container, {"write", "/data/folder/file", "changed!!!!!"}).out == "ok\n");
    CHECK(text_of(root + "/data/folder/file") == "of the image");
    CHECK(text_of(canary) == "of the host");
}
