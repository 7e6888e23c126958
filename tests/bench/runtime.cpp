// `run` of a no-op under a default configuration: covey-runtime, runc and crun side by side, wall
// time and peak memory of the command. Run as root: bench_runtime COVEY-RUNTIME PROBE [rounds].
// crun refuses a hybrid host: it gets a mount namespace with a tmpfs over the v2 tree.
#include "bench/table.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

struct Result {
    int status = 0;
    long peak_kib = 0;
};

Result run(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const auto& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    Result result;
    if (::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return {127, 0};
    rusage usage{};
    ::wait4(pid, &result.status, 0, &usage);
    result.peak_kib = usage.ru_maxrss;
    return result;
}

/// The default configuration with a program that does nothing.
void make_bundle(const std::string& runtime, const std::string& probe, const fs::path& folder) {
    fs::create_directories(folder / "rootfs");
    fs::copy_file(probe, folder / "rootfs/probe", fs::copy_options::overwrite_existing);
    run({runtime, "spec", "--bundle", folder});
    std::ifstream in{folder / "config.json"};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    const auto replace = [&](const std::string& from, const std::string& to) {
        if (const auto at = text.find(from); at != std::string::npos)
            text.replace(at, from.size(), to);
    };
    if (const auto at = text.find("\"ociVersion\": \"1.2"); at != std::string::npos)
        text[at + 17] = '0';  // crun 1.8 knows 1.0 only
    replace("\"terminal\": true", "\"terminal\": false");
    replace("\"sh\"", "\"/probe\", \"exit\", \"0\"");
    std::ofstream{folder / "config.json"} << text;
}

int measure(const std::string& name, const std::string& runtime, const fs::path& folder,
            int rounds) {
    covey::bench::Row row{"run: " + name};
    long peak = 0;
    for (int i = 0; i < rounds; ++i) {
        Result result;
        row.measure([&] {
            result = run({runtime, "--root", folder / ("state-" + name), "run", "--bundle", folder,
                          fmt::format("bench-{}-{}", name, i)});
        });
        if (result.status != 0) return 1;
        peak = std::max(peak, result.peak_kib);
    }
    row.print();
    fmt::print("{:<52} {:>9} KiB\n", "  its peak memory", peak);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print("usage: bench_runtime COVEY-RUNTIME PROBE [rounds]\n");
        return 2;
    }
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 50;
    const auto folder = fs::temp_directory_path() / fmt::format("covey-bench-{}", ::getpid());
    make_bundle(argv[1], argv[2], folder);
    covey::bench::Row::print_header();
    int failed = measure("covey-runtime", argv[1], folder, rounds);
    if (run({"runc", "--version"}).status == 0) failed |= measure("runc", "runc", folder, rounds);
    if (run({"crun", "--version"}).status == 0) {
        const bool hybrid = fs::exists("/sys/fs/cgroup/unified");
        if (hybrid && (::unshare(CLONE_NEWNS) != 0 ||
                       ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                       ::mount("none", "/sys/fs/cgroup/unified", "tmpfs", 0, nullptr) != 0))
            return 1;
        failed |= measure("crun", "crun", folder, rounds);
    }
    fs::remove_all(folder);
    return failed;
}
