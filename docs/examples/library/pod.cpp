// A pod with a shared process namespace by Covey's C++ library, without a daemon:
//
//     sudo ./pod STATE-ROOT BUNDLE
//
// runs the bundle as a container `app`, then lists the pod's processes from within, waits for its
// end and prints its exit code. BUNDLE is an OCI bundle whose root filesystem has /bin/busybox
// (docs/examples/library/make_bundle.sh makes one).
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>

#include <unistd.h>

#include <covey/sandbox.hpp>
#include <covey/version.hpp>

namespace {

/// Whatever happens to us, the pod is gone afterwards.
class Owned {
  public:
    explicit Owned(covey::Sandbox sandbox) : sandbox_(std::move(sandbox)) {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() {
        try {
            sandbox_.remove();
        } catch (const covey::Error& error) {
            std::fprintf(stderr, "pod: %s\n", error.what());
        }
    }
    covey::Sandbox* operator->() { return &sandbox_; }

  private:
    covey::Sandbox sandbox_;
};

int run(const std::string& state_root, const std::string& bundle) {
    covey::SandboxOptions sandbox_options;
    sandbox_options.state_root = state_root;
    Owned sandbox{covey::Sandbox::create("example", sandbox_options)};
    std::printf("pause is process %d, its PID namespace is %s\n", sandbox->pid(),
                sandbox->namespace_path("pid").c_str());

    covey::ContainerOptions options;
    options.pid_mode = covey::PidMode::pod;  // as shareProcessNamespace: true
    auto app = sandbox->create_container("app", bundle, options);
    app.start();
    std::printf("app is process %d, in the pod it is %d\n", app.pid(), app.pod_pid());
    std::fflush(stdout);

    covey::ExecOptions ps;
    ps.args = {"/bin/busybox", "ps"};
    ps.stdout_fd = STDOUT_FILENO;
    ps.stderr_fd = STDERR_FILENO;
    app.exec(ps);

    app.kill(SIGTERM);
    const auto status = app.wait(std::chrono::seconds{10});
    if (!status) return 1;
    std::printf("app ended with exit code %d\n", status->exit_code);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: pod STATE-ROOT BUNDLE    (libcovey " COVEY_VERSION ")\n");
        return 2;
    }
    try {
        return run(argv[1], argv[2]);
    } catch (const covey::Error& error) {
        std::fprintf(stderr, "pod: %s\n", error.what());
        if (!error.fix().empty()) std::fprintf(stderr, "pod: fix: %s\n", error.fix().c_str());
        return 1;
    }
}
