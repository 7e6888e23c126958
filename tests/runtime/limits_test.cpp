// pause, resume, update, events and ps of the OCI command line, from outside. With
// COVEY_RUNTIME=runc (or another runtime) they show that the tests ask for what others do too.
#include "base/json.hpp"
#include "catch.hpp"
#include "support/bundle.hpp"
#include "support/requires.hpp"
#include "support/run_program.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using namespace covey::test;
using Json = nlohmann::json;

namespace {

/// A container of the probe that sleeps, at a cgroup path of the test's own; gone with the object.
class Running {
  public:
    explicit Running(const std::string& resources = "{}",
                     const std::vector<std::string>& args = {"/bin/probe", "sleep", "forever"})
        : id_("covey-limits-" + std::to_string(::getpid())),
          bundle_({args, R"({"linux":{"cgroupsPath":"/covey-limits/)" + id_ + R"(","resources":)" +
                             resources + "}}"}) {
        // The container must not inherit the pipe that the harness reads to its end.
        const auto started = run_program({"sh", "-c", R"(exec "$@" >/dev/null 2>"$0")", log(),
                                          runtime_program(), "--root", folder_.path(), "run",
                                          "--detach", "--bundle", bundle_.path(), id_});
        INFO(covey::sys::read_file(log()).value_or(""));
        REQUIRE(started.status == 0);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        (void)call({"resume"});
        (void)call({"delete", "--force"});
        // The folder above is the test's too; runtimes leave it.
        (void)run_program({"find", "/sys/fs/cgroup", "-depth", "-type", "d", "-name",
                           "covey-limits", "-exec", "rmdir", "{}", "+"});
    }

    /// The id goes after the command's flags, `last` after it.
    [[nodiscard]] ProgramRun call(std::vector<std::string> words,
                                  const std::vector<std::string>& last = {}) const {
        std::vector<std::string> argv{runtime_program(), "--root", folder_.path()};
        argv.insert(argv.end(), words.begin(), words.end());
        argv.push_back(id_);
        argv.insert(argv.end(), last.begin(), last.end());
        return run_program(argv);
    }
    [[nodiscard]] std::string status() const {
        return Json::parse(call({"state"}).output).at("status");
    }
    [[nodiscard]] Json stats() const {
        const auto run = call({"events", "--stats"});
        INFO(run.output);
        REQUIRE(run.status == 0);
        return Json::parse(run.output).at("data");
    }
    [[nodiscard]] pid_t pid() const { return Json::parse(call({"state"}).output).at("pid"); }
    /// A control file of the group, in v1's hierarchy or in v2.
    [[nodiscard]] std::string control(const std::string& controller, const std::string& v1,
                                      const std::string& v2) const {
        const auto below = "/covey-limits/" + id_ + "/";
        auto text = covey::sys::read_file("/sys/fs/cgroup/" + controller + below + v1);
        if (!text) text = covey::sys::read_file("/sys/fs/cgroup" + below + v2);
        auto value = std::move(text).value_or("(not there)\n");
        value.pop_back();
        return value;
    }

  private:
    [[nodiscard]] std::string log() const { return bundle_.path() + "/stderr.log"; }

    std::string id_;
    Bundle bundle_;
    TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("pause stops all, resume lets go on, each only in its turn") {
    COVEY_REQUIRES("root");
    const Running container;
    CHECK(container.status() == "running");
    CHECK(container.call({"pause"}).status == 0);
    CHECK(container.status() == "paused");
    CHECK(container.call({"pause"}).status == 1);
    CHECK(container.call({"resume"}).status == 0);
    CHECK(container.status() == "running");
    CHECK(container.call({"resume"}).status == 1);
}

TEST_CASE("a paused container is killed and deleted all the same") {
    COVEY_REQUIRES("root");
    const Running container;
    CHECK(container.call({"pause"}).status == 0);
    CHECK(container.call({"delete", "--force"}).status == 0);
    CHECK(container.call({"state"}).status == 1);
}

TEST_CASE("update changes limits by flags and by a document, and lifts them") {
    COVEY_REQUIRES("root");
    const Running container{R"({"memory":{"limit":134217728},"pids":{"limit":50}})"};
    const auto memory = [&] {
        return container.control("memory", "memory.limit_in_bytes", "memory.max");
    };
    const auto pids = [&] { return container.control("pids", "pids.max", "pids.max"); };
    CHECK(memory() == "134217728");
    CHECK(pids() == "50");
    CHECK(container.call({"update", "--memory", "64m", "--pids-limit=20", "--cpu-share", "512"})
              .status == 0);
    CHECK(memory() == "67108864");
    CHECK(pids() == "20");
    const auto share = container.control("cpu", "cpu.shares", "cpu.weight");
    CHECK((share == "512" || share == "59"));  // the same, as v1 and as v2 count it

    TemporaryFolder folder;
    const auto file = folder.path() + "/resources.json";
    const auto opened = covey::sys::open(file, O_WRONLY | O_CREAT, 0600).or_throw("create");
    covey::sys::write_all(opened, R"({"pids":{"limit":-1},"memory":{"limit":33554432}})")
        .or_throw("write");
    CHECK(container.call({"update", "--resources=" + file}).status == 0);
    CHECK(memory() == "33554432");
    CHECK(pids() == "max");
    const auto bad = container.call({"update", "--memory", "many"});
    CHECK(bad.status == 1);
    CHECK(bad.output.find("many") != std::string::npos);
    CHECK(memory() == "33554432");
}

TEST_CASE("events --stats tells limits and use in the names that callers decode") {
    COVEY_REQUIRES("root");
    const Running container{R"({"memory":{"limit":134217728},"pids":{"limit":50}})"};
    const auto stats = container.stats();
    CHECK(stats.at("memory").at("usage").at("limit") == 134217728);
    CHECK(stats.at("memory").at("usage").at("usage") > 0);
    CHECK(stats.at("memory").at("raw").size() > 5);
    CHECK(stats.at("cpu").at("usage").at("total") > 0);
    CHECK(stats.at("pids").at("current") == 1);
    CHECK(stats.at("pids").at("limit") == 50);
    for (const char* key : {"cpuset", "blkio", "hugetlb"})
        CHECK(stats.contains(key));
}

TEST_CASE("events goes on until the container ends, and tells when its memory ran out") {
    COVEY_REQUIRES("root");
    // runc 1.1 goes on until the container is deleted, not until it ends.
    if (std::getenv("COVEY_RUNTIME") != nullptr) return;
    // dd's buffer does not fit; the shell that started it lives on.
    const Running container{R"({"memory":{"limit":16777216,"swap":16777216}})",
                            {"/bin/busybox", "sh", "-c",
                             "sleep 1; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1"}};
    const auto run = container.call({"events", "--interval", "300ms"});
    CAPTURE(run.output);
    CHECK(run.status == 0);
    std::size_t stats = 0, oom = 0;
    for (std::size_t at = 0; at < run.output.size();) {
        const auto end = run.output.find('\n', at);
        const auto event = Json::parse(run.output.substr(at, end - at));
        if (event.at("type") == "stats") ++stats;
        if (event.at("type") == "oom") ++oom;
        at = end + 1;
    }
    CHECK(stats >= 3);
    CHECK(oom >= 1);
    CHECK(container.status() == "stopped");
    const auto wrong = container.call({"events", "--interval", "soon"});
    CHECK(wrong.status == 1);
    CHECK(wrong.output.find("soon") != std::string::npos);
}

TEST_CASE("ps has the numbers as JSON, and the host's ps of just these as a table") {
    COVEY_REQUIRES("root");
    const Running container;
    const auto pid = container.pid();
    CHECK(Json::parse(container.call({"ps", "--format", "json"}).output) == Json{pid});
    const auto table = container.call({"ps"});
    CHECK(table.status == 0);
    CHECK(table.output.find("PID") != std::string::npos);
    CHECK(std::count(table.output.begin(), table.output.end(), '\n') == 2);
    const auto chosen = container.call({"ps", "--format", "table"}, {"-eo", "pid,comm"});
    CHECK(chosen.output.find(std::to_string(pid) + " probe") != std::string::npos);
}

TEST_CASE("a container that is not there is said in the callers' words") {
    COVEY_REQUIRES("root");
    TemporaryFolder folder;
    for (const std::string command : {"pause", "resume", "update", "events", "ps"}) {
        const auto run =
            run_program({runtime_program(), "--root", folder.path(), command, "nobody"});
        CAPTURE(command, run.output);
        CHECK(run.status == 1);
        CHECK(run.output.find("does not exist") != std::string::npos);
    }
}
