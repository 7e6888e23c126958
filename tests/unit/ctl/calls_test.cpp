// What the command sends, what it makes of answers, and how its errors read.
#include "catch.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/curl_line.hpp"
#include "ctl/frames.hpp"
#include "ctl/report.hpp"
#include "ctl/requests.hpp"

#include <fstream>
#include <map>
#include <string>

using namespace covey::ctl;
using covey::Code;
using covey::Error;

namespace {

CreateContainerRequest container(const std::string& id) {
    CreateContainerRequest wish;
    wish.id = id;
    wish.sandbox = "web";
    wish.bundle = "/b";
    return wish;
}

CreateSandboxRequest web() {
    CreateSandboxRequest wish;
    wish.id = "web";
    return wish;
}

ExecRequest exec_of(std::vector<std::string> command) {
    ExecRequest wish;
    wish.container = "c";
    wish.command = std::move(command);
    return wish;
}

}  // namespace

TEST_CASE("a container's request says only what was asked for") {
    const Request plain = create_container(container("nginx"));
    CHECK(plain.method == "PUT");
    CHECK(plain.target == "/v1/containers/nginx");
    CHECK(plain.body == R"({"sandbox":"web","bundle":"/b"})");

    CreateContainerRequest all = container("s");
    all.pid_mode = "pod";
    all.add_capabilities = {"SYS_PTRACE"};
    all.drop_capabilities = {"CHOWN"};
    all.in = "hold";
    CHECK(create_container(all).body ==
          R"({"sandbox":"web","bundle":"/b","pidMode":"pod",)"
          R"("capabilities":{"add":["SYS_PTRACE"],"drop":["CHOWN"]},"stdio":{"stdin":"hold"}})");
}

TEST_CASE("a debugger's request says only what was asked for") {
    DebugRequest wish;
    wish.sandbox = "web";
    wish.id = "d";
    const Request plain = debug(wish);
    CHECK(plain.method == "POST");
    CHECK(plain.target == "/v1/sandboxes/web/debug");
    CHECK(plain.body == R"({"id":"d","remove":true})");
    wish.target = "app";
    wish.pid_mode = "target";
    wish.tools = "/srv/tools";
    wish.profile = "restricted";
    wish.ttl = 60;
    wish.remove = false;
    wish.env = {"A=b"};
    wish.user = "7";
    wish.access = "observer";
    wish.add_capabilities = {"NET_RAW"};
    CHECK(debug(wish).body ==
          R"({"id":"d","target":"app","pidMode":"target","tools":"/srv/tools",)"
          R"("profile":"restricted","ttl":60,"remove":false,"env":["A=b"],"user":"7",)"
          R"("access":"observer","capabilities":{"add":["NET_RAW"]}})");
}

TEST_CASE("an update's request says only what was asked for") {
    UpdateRequest wish;
    wish.container = "app";
    wish.pids = -1;
    const Request plain = update(wish);
    CHECK(plain.method == "POST");
    CHECK(plain.target == "/v1/containers/app/update");
    CHECK(plain.body == R"({"resources":{"pids":{"limit":-1}}})");
    wish.memory = 64;
    wish.memory_swap = -1;
    wish.memory_reservation = 8;
    wish.cpu_shares = 2;
    wish.cpu_quota = 5000;
    wish.cpu_period = 10000;
    wish.cpus = "0-1";
    wish.mems = "0";
    wish.block_io_weight = 10;
    CHECK(update(wish).body ==
          R"({"resources":{"memory":{"limit":64,"swap":-1,"reservation":8},)"
          R"("cpu":{"shares":2,"quota":5000,"period":10000,"cpus":"0-1","mems":"0"},)"
          R"("pids":{"limit":-1},"blockIO":{"weight":10}}})");
    wish.resources = R"({"rdma":{}})";
    CHECK(update(wish).body == R"({"resources":{"rdma":{}}})");
    wish.resources = "{";
    CHECK_THROWS_AS(update(wish), Error);
}

TEST_CASE("a terminal's size is asked for in characters") {
    const Request request = resize("app", 24, 80);
    CHECK(request.target == "/v1/containers/app/resize");
    CHECK(request.body == R"({"width":80,"height":24})");
}

TEST_CASE("a sandbox's namespaces are words or paths") {
    CreateSandboxRequest wish = web();
    CHECK(create_sandbox(wish).body == "{}");
    wish.pid_mode = "pod";
    wish.namespaces = {{"net", "host"}, {"uts", "/proc/1/ns/uts"}};
    CHECK(create_sandbox(wish).body ==
          R"({"pidMode":"pod","namespaces":{"net":"host","uts":{"path":"/proc/1/ns/uts"}}})");
}

TEST_CASE("every byte of an exec's command survives the query") {
    ExecRequest wish = exec_of({"sh", "-c", "a b&c=d+é"});
    wish.env = {"X=1"};
    wish.user = "1:2";
    wish.capabilities = {"KILL"};
    const Request request = exec(wish);
    CHECK(request.target ==
          "/v1/containers/c/"
          "exec?cmd=sh&cmd=-c&cmd=a%20b%26c%3Dd%2B%C3%A9&env=X%3D1&user=1%3A2&cap=KILL");
    CHECK(request.accept == "application/vnd.docker.multiplexed-stream");
    wish.terminal = true;
    CHECK(exec(wish).accept.empty());
}

TEST_CASE("the curl line makes the same call") {
    CHECK(curl_line("/run/c.sock", get("sandboxes")) ==
          "curl -sS --unix-socket /run/c.sock http://covey/v1/sandboxes");
    CHECK(curl_line("/run/c.sock", kill("n", "HUP", false)) ==
          R"(curl -sS --unix-socket /run/c.sock -X POST -H 'Content-Type: application/json' )"
          R"(-d '{"signal":"HUP"}' http://covey/v1/containers/n/kill)");
    CHECK(curl_line("/a b", remove("sandboxes", "w", Force::yes)) ==
          "curl -sS --unix-socket '/a b' -X DELETE 'http://covey/v1/sandboxes/w?force=true'");
    ExecRequest cat = exec_of({"cat"});
    cat.terminal = cat.streams_input = true;
    CHECK(curl_line("/s", exec(cat)) ==
          "curl -sSN --unix-socket /s -T . -X POST "
          "'http://covey/v1/containers/c/exec?cmd=cat&tty=true'");
}

TEST_CASE("frames come out whole however they arrive") {
    const std::string bytes = std::string("\1\0\0\0\0\0\0\2hi", 10) +
                              std::string("\2\0\0\0\0\0\0\3err", 11) +
                              std::string("\1\0\0\0\0\0\0\0", 8);
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        FrameReader reader;
        std::string out, err;
        for (std::size_t at = 0; at < bytes.size(); at += step)
            for (const Piece& piece : reader.feed(std::string_view{bytes}.substr(at, step)))
                (piece.stream == Stream::error ? err : out) += piece.bytes;
        CHECK(out == "hi");
        CHECK(err == "err");
        CHECK(reader.at_boundary());
    }
}

TEST_CASE("a body that ends inside a frame or names no stream is noticed") {
    FrameReader reader;
    CHECK(reader.feed(std::string("\1\0\0\0\0\0\0\5hi", 10)).size() == 1);
    CHECK_FALSE(reader.at_boundary());
    FrameReader confused;
    CHECK_THROWS_AS(confused.feed("HTTP/1.1"), Error);
}

TEST_CASE("a problem is one line, its remedy, and with -v what led to it") {
    const Error error = decode_problem(
        404,
        R"({"code":"not_found","detail":"no sandbox 'web'","fix":"covey sandbox ls","causes":["open: ENOENT"]})");
    CHECK(error.code() == Code::not_found);
    CHECK(error_report(error, false) == "covey: no sandbox 'web'\n  fix: covey sandbox ls\n");
    CHECK(error_report(error, true) ==
          "covey: no sandbox 'web'\n  code: not_found\n  cause: open: ENOENT\n  fix: covey sandbox "
          "ls\n");
}

TEST_CASE("every fault of a bad configuration is told without -v") {
    const Error error = decode_problem(
        400,
        R"({"code":"invalid_spec","detail":"2 problems","fix":"f","causes":["/root: missing","/mounts/0: bad"]})");
    CHECK(error_report(error, false) ==
          "covey: 2 problems\n  cause: /root: missing\n  cause: /mounts/0: bad\n  fix: f\n");
}

TEST_CASE("an answer that is no problem still becomes an error") {
    for (const char* body : {"", "<html>", "[]", "{}", R"({"code":7})"}) {
        const Error error = decode_problem(502, body);
        CHECK(error.code() == Code::internal);
        CHECK(error.detail() == "coveyd answered with HTTP status 502");
    }
    CHECK_THROWS_AS(decode_sandbox("[]"), Error);
    CHECK_THROWS_AS(decode_sandbox("not json"), Error);
}

TEST_CASE("an error's text cannot speak to the terminal") {
    const Error error = Error(Code::not_found, "no container '\033[31m'").with_fix("x\ny");
    CHECK(error_report(error, false) == "covey: no container '?[31m'\n  fix: x?y\n");
}

TEST_CASE("exit statuses are those of the closed list of errors") {
    std::ifstream table(COVEY_ERRORS_YAML);
    REQUIRE(table.good());
    std::string line, code;
    int compared = 0;
    while (std::getline(table, line)) {
        if (const auto at = line.find("- code: "); at != line.npos) code = line.substr(at + 8);
        if (line.starts_with("    exit: ")) {
            INFO(code);
            CHECK(exit_status(covey::code_from_name(code)) == std::stoi(line.substr(10)));
            ++compared;
        }
    }
    CHECK(compared == 16);
}

TEST_CASE("fields of a later daemon are ignored and missing ones are no error") {
    const auto containers =
        decode_containers(R"({"items":[{"id":"a","pid":"later","new":{}},7],"new":1})");
    REQUIRE(containers.size() == 1);
    CHECK(containers[0].id == "a");
    CHECK(containers[0].pid == 0);
}
