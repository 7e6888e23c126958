#include "kernel/pod_lab.hpp"

#include "base/json.hpp"
#include "catch.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace covey::test {
namespace {

std::string text_of_descriptor(int fd) {
    std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(fd, text.data(), text.size(), 0))));
    return text;
}

}  // namespace

std::string Outcome::at(const std::string& pointer) const {
    try {
        const auto value = nlohmann::json::parse(out).at(nlohmann::json::json_pointer{pointer});
        return value.is_string() ? value.get<std::string>() : value.dump();
    } catch (const nlohmann::json::exception& error) {
        return "(no " + pointer + " in '" + out + "': " + error.what() + ")";
    }
}

ContainerOptions in_mode(PidMode mode) {
    ContainerOptions options;
    options.pid_mode = mode;
    return options;
}

BundleOptions probe_bundle(const Words& words, const std::string& patch) {
    BundleOptions options;
    options.args = {"/bin/probe"};
    options.args.insert(options.args.end(), words.begin(), words.end());
    options.patch = patch;
    return options;
}

Lab::Lab(const std::function<void(SandboxOptions&)>& change) {
    if (change) change(pod_.options());
    sandbox_ = pod_.create("lab");
}

Lab::~Lab() {
    try {
        sandbox_->remove();
    } catch (const std::exception& error) {
        WARN("cannot remove the sandbox: " << error.what());
    }
}

Container Lab::create(const std::string& id, const BundleOptions& options,
                      const ContainerOptions& container) {
    bundle_.configure(options);
    return sandbox_->create_container(id, bundle_.path(), container);
}

Container Lab::start(const std::string& id, const BundleOptions& options,
                     const ContainerOptions& container) {
    auto made = create(id, options, container);
    made.start();
    return made;
}

Outcome Lab::run(const BundleOptions& options, ContainerOptions container) {
    const auto out = folder() + "/run.out";
    const auto err = folder() + "/run.err";
    for (const auto& path : {out, err})
        ::unlink(path.c_str());
    if (container.stdout_ == "null") container.stdout_ = "file:" + out;
    if (container.stderr_ == "null") container.stderr_ = "file:" + err;
    auto made = start("run", options, container);
    const auto status = made.wait(kLong);
    if (!status) {
        made.remove(true);
        FAIL("the container did not end");
    }
    made.remove();
    return {*status, text_of(out), text_of(err)};
}

Outcome Lab::run(const Words& words, const std::string& patch, const ContainerOptions& container) {
    return run(probe_bundle(words, patch), container);
}

Error Lab::refused(const BundleOptions& options, const ContainerOptions& container) {
    return error_of([&] { create("refused", options, container).remove(true); });
}

Code Lab::refused_cleanly(const BundleOptions& options, const ContainerOptions& container) {
    const auto error = refused(options, container);
    INFO(error.detail());
    CHECK_FALSE(error.fix().empty());
    CHECK(processes_of("refused.ctr").empty());
    CHECK_FALSE(std::filesystem::exists(state() + "/containers/refused"));
    return error.code();
}

Outcome exec(Container& container, const Words& words, ExecOptions options) {
    const UniqueFd out{::memfd_create("test-out", MFD_CLOEXEC)};
    options.args = {"/bin/probe"};
    options.args.insert(options.args.end(), words.begin(), words.end());
    options.stdout_fd = out.get();
    const auto status = container.exec(options);
    return {status, text_of_descriptor(out.get()), {}};
}

Error error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return Error(Code::internal, "nothing was thrown");
}

std::string text_of(const std::string& path) {
    std::ifstream file{path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream file{path};
    file << text;
    REQUIRE(file.flush().good());
}

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kLong;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        ::poll(nullptr, 0, 5);
    }
    return true;
}

std::vector<pid_t> processes_of(const std::string& part) {
    std::vector<pid_t> found;
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    for (const auto pid : sys::list_processes(proc).or_throw("list", "/proc"))
        if (text_of("/proc/" + std::to_string(pid) + "/cgroup").find(part) != std::string::npos)
            found.push_back(pid);
    return found;
}

pid_t shim_of(const Sandbox& sandbox) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    return sys::read_stat(proc, sandbox.pid()).or_throw("read stat", "pause").ppid;
}

std::uint64_t namespace_of(pid_t pid, const std::string& type) {
    struct stat status {};
    const auto path = "/proc/" + std::to_string(pid) + "/ns/" + type;
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

int in_new_namespaces(int flags, const std::function<int()>& action) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::unshare(flags) == 0 ? action() : 255);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

}  // namespace covey::test
