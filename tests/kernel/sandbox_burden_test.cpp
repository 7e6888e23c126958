// What a container without any capability puts on its shim, whose child its main process is: the
// shim bears it, and the pod ends as any other.
#include "catch.hpp"
#include "kernel/pod_lab.hpp"
#include "support/requires.hpp"
#include "support/temporary_folder.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey;
using namespace covey::test;

namespace {

constexpr auto kNoCapabilities = R"({"process":{"capabilities":
    {"bounding":[],"effective":[],"permitted":[],"inheritable":[],"ambient":[]}}})";

std::size_t zombies_of(pid_t parent) {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    const auto all = sys::list_processes(proc).or_throw("list", "/proc");
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](pid_t pid) {
        const auto stat = sys::read_stat(proc, pid);
        return stat && stat.value().ppid == parent && stat.value().state == 'Z';
    }));
}

double seconds_of(const std::function<void()>& action) {
    const auto began = std::chrono::steady_clock::now();
    action();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// What this process and its children, the shims, write on stderr meanwhile.
class Errors {
  public:
    explicit Errors(std::string path) : path_(std::move(path)), before_(::dup(STDERR_FILENO)) {
        const UniqueFd file{::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
        ::dup2(file.get(), STDERR_FILENO);
    }
    Errors(const Errors&) = delete;
    Errors& operator=(const Errors&) = delete;
    ~Errors() { end(); }
    std::string end() {
        if (before_) ::dup2(before_.get(), STDERR_FILENO);
        before_.reset();
        return text_of(path_);
    }

  private:
    std::string path_;
    UniqueFd before_;
};

ContainerOptions said_to(const Lab& lab, PidMode mode) {
    auto options = in_mode(mode);
    options.stdout_ = "file:" + lab.folder() + "/said";
    return options;
}

}  // namespace

TEST_CASE("zombies that a container makes its shim's are reaped while it runs") {
    COVEY_REQUIRES("root");
    // The first process of a PID namespace has no siblings (clone(2)): mode nested by an exec.
    Lab lab;
    auto burden = lab.start("burden", probe_bundle({"burden", "500"}, kNoCapabilities),
                            said_to(lab, PidMode::pod));
    REQUIRE(eventually([&] { return text_of(lab.folder() + "/said") == "made\n"; }));
    CHECK(eventually([&] { return zombies_of(shim_of(lab.sandbox())) == 0; }));
    CHECK(seconds_of([&] { burden.remove(true); }) < 5);
    CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
}

// An exec in nested and container is in its container's PID namespace, and so are the children that
// it makes for its parent.
TEST_CASE("an exec's burden does not keep its container or its pod from ending") {
    COVEY_REQUIRES("root");
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        Lab lab;
        auto container =
            lab.start("quiet", probe_bundle({"sleep", "forever"}, kNoCapabilities), in_mode(mode));
        ExecOptions options;
        options.args = {"/bin/probe", "burden", "20"};
        // It answers with the exec's exit, which comes with the container's end.
        const auto exec = std::async(std::launch::async, [&] {
            try {
                (void)container.exec(options);
            } catch (const Error&) {  // the shim may be gone by then
            }
        });
        CHECK(eventually([&] {
            return zombies_of(shim_of(lab.sandbox())) == 0 && processes_of("quiet.ctr").size() >= 2;
        }));
        CHECK(seconds_of([&] { container.remove(true); }) < 5);
        CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
    }
}

TEST_CASE("a thread that makes the shim its tracer is let go, and keeps nothing from ending") {
    COVEY_REQUIRES("root");
    for (const auto mode : {PidMode::pod, PidMode::nested, PidMode::container}) {
        Lab lab;
        auto traced = lab.start("traced", probe_bundle({"traced-thread"}, kNoCapabilities),
                                said_to(lab, mode));
        const auto said = lab.folder() + "/said";
        (void)eventually([&] { return text_of(said).find("joined") != std::string::npos; });
        CHECK(text_of(said) == "ok\nwent on\njoined\n");
        CHECK(seconds_of([&] { traced.remove(true); }) < 5);
        CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
    }
}

TEST_CASE("a tracer outside that keeps a thread's end to itself does not keep a container's") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto traced = lab.start("traced", probe_bundle({"two-threads"}), said_to(lab, PidMode::pod));
    REQUIRE(eventually([&] { return text_of(lab.folder() + "/said") == "both\n"; }));
    pid_t thread = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(traced.pid()) + "/task"))
        thread = std::max(thread, static_cast<pid_t>(std::stol(entry.path().filename())));
    REQUIRE(thread != traced.pid());
    REQUIRE(::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0);
    CHECK(seconds_of([&] { traced.remove(true); }) < 5);
    // Only now: this process is the tracer.
    REQUIRE(::ptrace(PTRACE_DETACH, thread, nullptr, nullptr) <= 0);
    while (::waitpid(thread, nullptr, __WALL | WNOHANG) > 0) {
    }
}

TEST_CASE("a record that cannot be written ends nobody, and is written when it can be") {
    COVEY_REQUIRES("root");
    Lab lab;
    auto other = lab.start("other", probe_bundle({"sleep", "forever"}));
    auto one = lab.start("one", probe_bundle({"sleep", "forever"}));
    const auto record = lab.state() + "/containers/one/container.json";
    // A folder of that name: rename(2) onto it is EISDIR.
    REQUIRE(std::filesystem::remove(record));
    std::filesystem::create_directory(record);
    one.pause();
    CHECK(one.state() == "paused");
    one.resume();
    one.kill(SIGKILL);
    CHECK(eventually([&] { return one.state() == "stopped"; }));
    CHECK(other.state() == "running");
    std::filesystem::remove(record);
    CHECK(eventually([&] { return text_of(record).find("stopped") != std::string::npos; }));
    CHECK(text_of(record).find("recordStale") == std::string::npos);
    one.remove();
    const auto pod_record = lab.state() + "/sandbox.json";
    REQUIRE(std::filesystem::remove(pod_record));
    std::filesystem::create_directory(pod_record);
    CHECK(seconds_of([&] { lab.sandbox().stop(); }) < 5);
    std::filesystem::remove(pod_record);
}

TEST_CASE("a shim without a free descriptor loses nobody, and goes on when it has some again") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("plain_program");
    Lab lab;
    auto other = lab.start("other", probe_bundle({"sleep", "forever"}));
    auto one = lab.start("one", probe_bundle({"sleep", "forever"}));
    const auto shim = shim_of(lab.sandbox());
    const pid_t main = one.pid();  // nobody is answered meanwhile
    rlimit before{};
    REQUIRE(::prlimit(shim, RLIMIT_NOFILE, nullptr, &before) == 0);
    const rlimit none{3, before.rlim_max};
    REQUIRE(::prlimit(shim, RLIMIT_NOFILE, &none, nullptr) == 0);
    REQUIRE(::kill(main, SIGKILL) == 0);
    (void)::poll(nullptr, 0, 300);  // the shim tries again and again
    REQUIRE(::prlimit(shim, RLIMIT_NOFILE, &before, nullptr) == 0);
    CHECK(eventually([&] { return one.state() == "stopped"; }));
    CHECK(one.wait(kLong)->signal == SIGKILL);
    CHECK(other.state() == "running");
}

TEST_CASE("one that nobody can freeze does not forbid a nested container it could not reach") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("landlock_scope");
    Lab lab;
    auto options = said_to(lab, PidMode::pod);
    options.access = "private";  // with open access it could let another go on (decision 021)
    auto held = lab.start("held", probe_bundle({"unfreezable"}, kNoCapabilities), options);
    REQUIRE(eventually([&] { return text_of(lab.folder() + "/said") == "held\n"; }));
    auto nested =
        lab.create("nested", probe_bundle({"sleep", "forever"}), in_mode(PidMode::nested));
    CHECK(nested.state() == "created");
    CHECK(seconds_of([&] { held.remove(true); }) < 5);
}

TEST_CASE("one that could reach a newborn and cannot be frozen costs that launch, by name") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("own_speed");
    Lab lab;
    constexpr auto kTracer = R"({"process":{"capabilities":
        {"bounding":["CAP_SYS_PTRACE"],"effective":["CAP_SYS_PTRACE"],
         "permitted":["CAP_SYS_PTRACE"],"inheritable":[],"ambient":[]}}})";
    auto bystander = lab.start("bystander", probe_bundle({"sleep", "forever"}, kTracer));
    auto held =
        lab.start("held", probe_bundle({"unfreezable"}, kTracer), said_to(lab, PidMode::pod));
    REQUIRE(eventually([&] { return text_of(lab.folder() + "/said") == "held\n"; }));
    Error error{Code::internal, "nothing was refused"};
    CHECK(seconds_of([&] {
              error = lab.refused(probe_bundle({"exit", "0"}), in_mode(PidMode::nested));
          }) < 1);
    INFO(error.detail());
    CHECK(error.code() == Code::failed_precondition);
    CHECK(error.detail().find("container 'held'") != std::string::npos);
    CHECK(exec(bystander, {"echo", "goes on"}).out == "goes on\n");
    held.remove(true);
    CHECK(lab.run({"exit", "0"}, "{}", in_mode(PidMode::nested)).status.exit_code == 0);
}

TEST_CASE("a newcomer's CPU limit does not decide how long its neighbours stand still") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("own_speed");
    Lab lab;
    constexpr auto kTracer = R"({"process":{"capabilities":
        {"bounding":["CAP_SYS_PTRACE"],"effective":["CAP_SYS_PTRACE"],
         "permitted":["CAP_SYS_PTRACE"],"inheritable":[],"ambient":[]}}})";
    auto neighbour = lab.start("neighbour", probe_bundle({"sleep", "forever"}, kTracer));
    // With the quota in force the launch would take longer than 40 ms in there, and be refused.
    const auto outcome =
        lab.run({"exit", "0"}, R"({"linux":{"resources":{"cpu":{"quota":1000,"period":1000000}}}})",
                in_mode(PidMode::nested));
    CHECK(outcome.status.exit_code == 0);
}

// The loop of a build with fault injection logs each turn that took longer than 5 ms, without what
// it waited for a processor. The fork of a launcher is one turn, and alone takes 5 to 8 ms of a
// debug build where page faults are dear; anything that waits would take far longer than 25.
TEST_CASE("a shim is never deaf, whatever goes on in its pod") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("own_speed");
    COVEY_REQUIRES("faults");
    COVEY_REQUIRES("landlock_scope");
    const TemporaryFolder folder;
    Errors errors{folder.path() + "/errors"};
    {
        Lab lab;
        auto burden = lab.start("burden", probe_bundle({"burden", "1000"}, kNoCapabilities));
        auto traced = lab.start("traced", probe_bundle({"traced-thread"}, kNoCapabilities));
        auto held_options = in_pod();
        held_options.access = "private";  // with open access it might have to stand still
        auto held = lab.start("held", probe_bundle({"unfreezable"}, kNoCapabilities), held_options);
        auto tracer_options = in_pod();
        tracer_options.add_capabilities = {"SYS_PTRACE"};
        auto tracer = lab.start("tracer", probe_bundle({"sleep", "forever"}), tracer_options);
        for (int i = 0; i < 5; ++i) {
            CHECK(lab.run({"exit", "5"}, "{}", in_mode(PidMode::nested)).status.exit_code == 5);
            CHECK(exec(tracer, {"exit", "3"}).status.exit_code == 3);
        }
        CHECK(error_of([&] { held.pause(); }).code() == Code::timeout);
        tracer.pause();
        tracer.resume();
        held.remove(true);
        burden.kill(SIGKILL);
        lab.sandbox().stop();
    }
    const auto said = errors.end();
    INFO(said);
    constexpr long kLongest = 25'000;
    const std::string key = "microseconds=";
    for (auto at = said.find(key); at != std::string::npos; at = said.find(key, at + 1))
        CHECK(std::stol(said.substr(at + key.size())) < kLongest);
}
