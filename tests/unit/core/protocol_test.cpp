// The shim's protocol: every message survives the way there and back, and nothing else is taken.
#include "core/protocol.hpp"

#include "catch.hpp"

using namespace covey;
using namespace covey::core;

namespace {

ContainerConfig some_container() {
    ContainerConfig config;
    config.id = "nginx";
    config.bundle = "/bundles/nginx";
    config.pid_mode = spec::PidMode::pod;
    config.add_capabilities = 1ULL << 63U;
    config.drop_capabilities = 1ULL << 19U;
    config.stdio = {"hold", "file:/var/log/out", "fifo:/run/err"};
    config.target = "app";
    config.access = spec::kObserver;
    config.view = "db";
    config.holds = true;
    config.pid1_signals = spec::Pid1Signals::route;
    return config;
}

SandboxFacts sandbox_facts() {
    SandboxFacts facts;
    facts.id = "web";
    facts.state = SandboxState::ready;
    facts.pause_pid = 4711;
    facts.pause_start_time = 99;
    facts.shim_pid = 4710;
    facts.shim_start_time = 98;
    facts.namespaces["pid"] = {"/proc/4711/ns/pid", 4, 4026532000};
    facts.cgroup = "/covey/web.pod";
    facts.created_at = 1700000000000000;
    facts.stopped_at = -1;
    facts.warnings = {"one", "two"};
    return facts;
}

ContainerFacts container_facts() {
    ContainerFacts facts;
    facts.config = some_container();
    facts.state = ContainerState::stopped;
    facts.pid = 12;
    facts.pod_pid = 2;
    facts.start_time = 5;
    facts.cgroup = "/covey/web.pod/nginx.ctr";
    facts.terminal = true;
    facts.command = {"nginx", "-g", std::string{"caf\xe9\0!", 6}};
    facts.warnings = {"hostname: not applied"};
    facts.created_at = 1;
    facts.started_at = 2;
    facts.exit = ExitRecord{137, 9, true, 3, "killed"};
    return facts;
}

template <typename Body>
Request round_trip(const Body& body) {
    const std::string packet = encode(Request{7, body});
    const Request back = decode_request(packet);
    CHECK(back.number == 7);
    CHECK(encode(back) == packet);
    REQUIRE(std::holds_alternative<Body>(back.body));
    return back;
}

template <typename Body>
Body reply_round_trip(const Body& body) {
    const std::string packet = encode(Reply{8, body});
    const ShimMessage message = decode_shim_message(packet);
    REQUIRE(std::holds_alternative<Reply>(message));
    const auto& reply = std::get<Reply>(message);
    CHECK(reply.number == 8);
    CHECK(encode(reply) == packet);
    REQUIRE(std::holds_alternative<Body>(reply.body));
    return std::get<Body>(reply.body);
}

template <typename Body>
Body event_round_trip(const Body& body) {
    const std::string packet = encode(Event{body});
    const ShimMessage message = decode_shim_message(packet);
    REQUIRE(std::holds_alternative<Event>(message));
    const auto& event = std::get<Event>(message);
    CHECK(encode(event) == packet);
    REQUIRE(std::holds_alternative<Body>(event));
    return std::get<Body>(event);
}

Error refusal(const std::string& packet) {
    try {
        (void)decode_request(packet);
    } catch (const Error& error) {
        return error;
    }
    FAIL("taken: " << packet);
    return Error(Code::internal, "");
}

std::string shim_message_refusal(const std::string& packet) {
    try {
        (void)decode_shim_message(packet);
    } catch (const Error& error) {
        return error.detail();
    }
    return "taken";
}

}  // namespace

TEST_CASE("a sandbox's configuration travels whole") {
    SandboxConfig config;
    config.id = "web";
    config.hostname = "web.example";
    config.namespaces["net"] = {NamespaceWish::Kind::path, "/run/netns/blue"};
    config.namespaces["ipc"] = {NamespaceWish::Kind::host, ""};
    config.namespaces["user"] = {
        NamespaceWish::Kind::create, "", {{0, 100000, 65536}}, {{0, 1, 2}, {5, 6, 7}}};
    config.sysctls["net.ipv4.ip_unprivileged_port_start"] = "0";
    config.cgroup_parent = "/elsewhere";
    const auto back = std::get<CreateSandbox>(round_trip(CreateSandbox{config}).body).config;
    CHECK(back.id == "web");
    CHECK(back.hostname == "web.example");
    CHECK(back.namespaces.at("net").kind == NamespaceWish::Kind::path);
    CHECK(back.namespaces.at("net").path == "/run/netns/blue");
    CHECK(back.namespaces.at("ipc").kind == NamespaceWish::Kind::host);
    CHECK(back.namespaces == config.namespaces);
    CHECK(back.sysctls == config.sysctls);
    CHECK(back.cgroup_parent == "/elsewhere");
}

TEST_CASE("facts say that the record on disk is older, and only then") {
    auto sandbox = sandbox_facts();
    auto container = container_facts();
    CHECK(encode_facts(sandbox).find("recordStale") == std::string::npos);
    CHECK(encode_facts(container).find("recordStale") == std::string::npos);
    CHECK_FALSE(decode_sandbox_facts(encode_facts(sandbox)).record_stale);
    CHECK_FALSE(decode_container_facts(encode_facts(container)).record_stale);
    sandbox.record_stale = container.record_stale = true;
    CHECK(encode_facts(sandbox).find(R"("recordStale":true)") != std::string::npos);
    CHECK(decode_sandbox_facts(encode_facts(sandbox)).record_stale);
    CHECK(decode_container_facts(encode_facts(container)).record_stale);
}

TEST_CASE("a container's configuration travels whole, all 64 capability bits included") {
    const auto back =
        std::get<CreateContainer>(round_trip(CreateContainer{some_container()}).body).config;
    CHECK(back.add_capabilities == 1ULL << 63U);
    CHECK(back.pid_mode == spec::PidMode::pod);
    CHECK(back.stdio.in == "hold");
    CHECK(back.stdio.err == "fifo:/run/err");
    CHECK(back.view == "db");
    CHECK(back.holds);
    CHECK(back.pid1_signals == spec::Pid1Signals::route);
}

TEST_CASE("a container that shows and holds nothing is asked for as before there was that") {
    auto config = some_container();
    config.view.clear();
    config.holds = false;
    config.pid1_signals = spec::Pid1Signals::ignore;
    const auto packet = encode(Request{1, CreateContainer{config}});
    CHECK(packet.find("view") == std::string::npos);
    CHECK(packet.find("holds") == std::string::npos);
    CHECK(packet.find("pid1Signals") == std::string::npos);
    const auto back = std::get<CreateContainer>(decode_request(packet).body).config;
    CHECK(back.view.empty());
    CHECK_FALSE(back.holds);
    CHECK(back.pid1_signals == spec::Pid1Signals::ignore);
}

TEST_CASE("an exec's arguments may hold any bytes") {
    ExecConfig config;
    config.container = "nginx";
    config.exec = "e1";
    config.args = {"printf", std::string{"\xff\xfe\0x", 4}, "gr\xc3\xbc\xc3\x9f"};
    config.env = {"A=\x80"};
    config.uid = 4294967295U;
    config.cwd = "/";
    config.terminal = true;
    config.rows = 65535;
    const auto back = std::get<Exec>(round_trip(Exec{config}).body).config;
    CHECK(back.args == config.args);
    CHECK(back.env == config.env);
    CHECK(back.uid == config.uid);
    CHECK_FALSE(back.gid.has_value());
    CHECK(back.cwd == config.cwd);
    CHECK(back.rows == 65535);
}

TEST_CASE("the short requests travel whole") {
    const auto killed = std::get<KillContainer>(round_trip(KillContainer{"a", 1, true}).body);
    CHECK(killed.signal == 1);
    CHECK(killed.all);
    CHECK(std::get<DeleteContainer>(round_trip(DeleteContainer{"a", true}).body).force);
    CHECK(std::get<StartContainer>(round_trip(StartContainer{"a"}).body).id == "a");
    CHECK(std::get<PauseContainer>(round_trip(PauseContainer{"a"}).body).id == "a");
    CHECK(std::get<ResumeContainer>(round_trip(ResumeContainer{"b"}).body).id == "b");
    const auto update =
        std::get<UpdateContainer>(round_trip(UpdateContainer{"a", R"({"pids":{"limit":7}})"}).body);
    CHECK(update.resources == R"({"pids":{"limit":7}})");
    const auto size = std::get<ResizeContainer>(round_trip(ResizeContainer{"a", 24, 80}).body);
    CHECK(size.rows == 24);
    CHECK(size.columns == 80);
    CHECK(std::get<KillExec>(round_trip(KillExec{"a", "b"}).body).exec == "b");
    (void)round_trip(StopSandbox{});
    (void)round_trip(Status{});
    (void)round_trip(Shutdown{});
    CHECK(operation_name(Shutdown{}) == "shutdown");
}

TEST_CASE("every reply travels whole") {
    (void)reply_round_trip(Done{});
    const auto sandbox = reply_round_trip(sandbox_facts());
    CHECK(sandbox.namespaces.at("pid").inode == 4026532000);
    CHECK(sandbox.stopped_at == -1);
    const auto container = reply_round_trip(container_facts());
    CHECK(container.command == container_facts().command);
    REQUIRE(container.exit.has_value());
    CHECK(container.exit->reason == "killed");
    CHECK(reply_round_trip(ExecFacts{"c", "e", 1, 2, 3, "/g"}).cgroup == "/g");
    for (std::size_t kind = 0; kind < 3; ++kind) {
        StatusItem item;
        if (kind == 0) item.item = sandbox_facts();
        if (kind == 1) item.item = container_facts();
        if (kind == 2) item.item = ExecFacts{"c", "e", 1, 2, 3, "/g"};
        CHECK(reply_round_trip(item).item.index() == kind);
    }
}

TEST_CASE("an error arrives with code, detail, fix, causes and errno") {
    auto sent = Error::from_errno(13, "mount", "/proc").with_fix("run as root").with_cause("init");
    sent.add_cause("launcher");
    const auto back = reply_round_trip(sent);
    CHECK(back.code() == Code::permission_denied);
    CHECK(back.detail() == sent.detail());
    CHECK(back.fix() == "run as root");
    CHECK(back.causes() == std::vector<std::string>{"init", "launcher"});
    CHECK(back.errno_value() == 13);
}

TEST_CASE("every event travels whole") {
    CHECK(event_round_trip(ContainerExited{"a", {1, 0, false, 5, ""}}).exit.exit_code == 1);
    CHECK(event_round_trip(ExecExited{"a", "e", {143, 15, false, 5, ""}}).exit.signal == 15);
    CHECK(event_round_trip(SandboxStopped{"pause died"}).reason == "pause died");
    CHECK(event_round_trip(ContainerStarted{container_facts()}).facts.config.id ==
          container_facts().config.id);
}

TEST_CASE("records on disk are the same JSON as the protocol's facts") {
    CHECK(encode_facts(decode_sandbox_facts(encode_facts(sandbox_facts()))) ==
          encode_facts(sandbox_facts()));
    CHECK(encode_facts(decode_container_facts(encode_facts(container_facts()))) ==
          encode_facts(container_facts()));
}

TEST_CASE(
    "a paused container's facts are read by who knows no pause, and those of before there was "
    "one") {
    auto facts = container_facts();
    facts.exit.reset();
    facts.state = ContainerState::paused;
    facts.paused_at = 17;
    const auto text = encode_facts(facts);
    CHECK(text.find(R"("state":"running")") != std::string::npos);
    const auto back = decode_container_facts(text);
    CHECK(back.state == ContainerState::paused);
    CHECK(back.paused_at == 17);
    CHECK(encode_facts(back) == text);

    facts.state = ContainerState::running;  // what is left of the pause says nothing any more
    const auto running = encode_facts(facts);
    CHECK(running.find("paused") == std::string::npos);
    CHECK(decode_container_facts(running).state == ContainerState::running);
}

TEST_CASE("facts may have fields of a later version") {
    auto text = encode_facts(sandbox_facts());
    text.insert(1, R"("later":{"x":[1]},)");
    CHECK(decode_sandbox_facts(text).id == "web");
}

TEST_CASE("a request with a field too many is refused by name") {
    const auto error =
        refusal(R"({"n":1,"op":"killContainer","id":"a","signal":9,"all":false,"acces":1})");
    CHECK(error.code() == Code::unknown_field);
    CHECK(error.detail().find("'acces'") != std::string::npos);
    const auto inner = refusal(
        R"({"n":1,"op":"createContainer","config":{"id":"a","bundle":"/b","pidMode":"pod","addCapabilities":0,)"
        R"("dropCapabilities":0,"stdio":{"in":"null","out":"null","err":"null"},)"
        R"("target":"","access":{"see":"own","signal":"own","inspect":"own"},"pid1Signals":"ignore",)"
        R"("acces":"private"}})");
    CHECK(inner.code() == Code::unknown_field);
    CHECK(inner.detail().find("config.acces") != std::string::npos);
}

TEST_CASE("what is not a request is refused by name and never crashes") {
    const std::string good = encode(Request{1, CreateContainer{some_container()}});
    for (std::size_t length = 0; length < good.size(); ++length)
        CHECK(refusal(good.substr(0, length)).code() == Code::invalid_argument);
    for (const char* packet :
         {"", "null", "[]", "7", "\"x\"", "{", "{}", R"({"n":1})", "\xff\xfe",
          R"({"n":-1,"op":"status"})", R"({"n":1.5,"op":"status"})", R"({"n":"1","op":"status"})",
          R"({"n":1,"op":7})", R"({"n":18446744073709551616,"op":"status"})"})
        CHECK(refusal(packet).code() == Code::invalid_argument);
    const std::string deep(100000, '[');
    CHECK(refusal(deep).code() == Code::invalid_argument);

    CHECK(refusal(R"({"n":1,"op":"format"})").detail().find("'format'") != std::string::npos);
    CHECK(refusal(R"({"n":1,"op":"startContainer"})").detail() == "field 'id' is missing");
    CHECK(refusal(R"({"n":1,"op":"startContainer","id":{"hex":"4"}})").detail() ==
          "field 'id' must be a string");
    CHECK(refusal(R"({"n":1,"op":"startContainer","id":{"hex":"zz"}})").detail() ==
          "field 'id' must be a string");
    CHECK(refusal(R"({"n":1,"op":"killContainer","id":"a","signal":3000000000,"all":true})")
              .detail() == "field 'signal' must be within its range");
    CHECK(refusal(R"({"n":1,"op":"deleteContainer","id":"a","force":1})").detail() ==
          "field 'force' must be true or false");
    CHECK(refusal(R"({"n":1,"op":"exec","config":[]})").detail() ==
          "field 'config' must be an object");
}

TEST_CASE("an unknown event or reply is refused by name") {
    CHECK(shim_message_refusal(R"({"event":"rained"})").find("'rained'") != std::string::npos);
    CHECK(shim_message_refusal(R"({"n":1,"reply":"maybe"})").find("'maybe'") != std::string::npos);
    CHECK(shim_message_refusal(R"({"n":1,"reply":"item","kind":"x","facts":{}})").find("'kind'") !=
          std::string::npos);
}
