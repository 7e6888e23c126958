#include "support/bundle.hpp"

#include "base/json.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace covey::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// As runc 1.1 writes it, but for `terminal` and `args`.
constexpr const char* kConfig = R"({
  "ociVersion": "1.0.2-dev",
  "process": {
    "terminal": false, "user": {"uid": 0, "gid": 0}, "args": [], "cwd": "/",
    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    "capabilities": {
      "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "ambient": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
    "noNewPrivileges": true},
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "runc",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
     "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
     "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs",
     "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
     "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}],
  "linux": {
    "resources": {"devices": [{"allow": false, "access": "rwm"}]},
    "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                   {"type": "mount"}],
    "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
      "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
      "/sys/firmware", "/proc/scsi"],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}
})";

fs::path tests_folder() {
    return fs::read_symlink("/proc/self/exe").parent_path();
}

void make_rootfs(const fs::path& root) {
    for (const char* name : {"bin", "dev", "etc", "proc", "sys", "tmp", "run"})
        fs::create_directories(root / name);
    fs::copy_file(tests_folder() / "probe", root / "bin/probe");
    std::error_code none;
    if (!fs::copy_file("/bin/busybox", root / "bin/busybox", none)) return;
    for (const char* name : {"sh", "cat", "echo", "id", "kill", "ls", "ps", "sleep", "true", "wc"})
        fs::create_symlink("busybox", root / "bin" / name);
}

}  // namespace

Bundle::Bundle(const BundleOptions& options) {
    make_rootfs(rootfs());
    configure(options);
}

Bundle Bundle::probe(const std::vector<std::string>& words) {
    BundleOptions options;
    options.args = {"/bin/probe"};
    options.args.insert(options.args.end(), words.begin(), words.end());
    return Bundle{options};
}

void Bundle::configure(const BundleOptions& options) const {
    Json config = Json::parse(kConfig);
    config["process"]["args"] = options.args;
    config.merge_patch(Json::parse(options.patch));
    std::ofstream file{path() + "/config.json"};
    file << config.dump(2) << "\n";
    if (!file.flush()) throw std::runtime_error("cannot write " + path() + "/config.json");
}

std::string programs_folder() {
    return (tests_folder().parent_path() / "bin").string();
}

std::string runtime_program() {
    const char* other = std::getenv("COVEY_RUNTIME");
    return other != nullptr ? other : programs_folder() + "/covey-runtime";
}

void use_built_programs() {
    ::setenv("COVEY_LIBEXEC", programs_folder().c_str(), 1);
}

}  // namespace covey::test
