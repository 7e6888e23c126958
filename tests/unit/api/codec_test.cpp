#include "api/container_codec.hpp"
#include "api/event_codec.hpp"
#include "api/oci_codec.hpp"
#include "api/sandbox_codec.hpp"
#include "base/json.hpp"
#include "catch.hpp"
#include "covey/error.hpp"

#include <optional>
#include <string>

using namespace covey;
using namespace covey::daemon;
using Json = nlohmann::ordered_json;

namespace {

template <typename Decode>
Error refused(const Decode& decode) {
    try {
        (void)decode();
    } catch (const Error& error) {
        return error;
    }
    FAIL("was taken");
    return {Code::internal, ""};
}

Error refused_sandbox(const std::string& body) {
    return refused([&body] { return decode_sandbox("web", body); });
}
Error refused_container(const std::string& body) {
    return refused([&body] { return decode_container("c", body); });
}

SandboxView ready_sandbox() {
    SandboxView view;
    view.facts.id = "web";
    view.facts.state = core::SandboxState::ready;
    view.facts.namespaces = {
        {"pid", {"/ns/pid", 1, 2}}, {"net", {"/ns/net", 1, 3}}, {"uts", {"/ns/uts", 1, 4}}};
    return view;
}

}  // namespace

TEST_CASE("a sandbox's request is decoded with its defaults") {
    for (const std::string body : {"", "  ", "{}", R"({"hostname": null})"}) {
        const auto action = decode_sandbox("web", body);
        CHECK(action.id == "web");
        CHECK(action.pid_mode == spec::PidMode::nested);
        CHECK(action.cgroup_parent == "/covey");
        CHECK(action.namespaces.empty());
    }
    const auto action = decode_sandbox(
        std::nullopt,
        R"({"id": "x", "pidMode": "pod", "cgroupParent": "/a/b/", "labels": {"a": "b"},
                          "namespaces": {"net": "host", "ipc": "new", "uts": {"path": "/proc/1/ns/uts"}}})");
    CHECK(action.id == "x");
    CHECK(action.pid_mode == spec::PidMode::pod);
    CHECK(action.cgroup_parent == "/a/b");
    CHECK(action.namespaces.at("net").kind == core::NamespaceWish::Kind::host);
    CHECK(action.namespaces.at("ipc").kind == core::NamespaceWish::Kind::create);
    CHECK(action.namespaces.at("uts").path == "/proc/1/ns/uts");
}

TEST_CASE("everything that is wrong with a body is said at once") {
    const auto error =
        refused_sandbox(R"({"labels": {"a/b": 1}, "pidmode": "pod", "hostname": 2})");
    CHECK(error.code() == Code::invalid_argument);
    CHECK(error.detail().find("/labels/a~1b: must be a string") != std::string::npos);
    CHECK(error.detail().find("unknown field 'pidmode' in the body (did you mean 'pidMode'?)") !=
          std::string::npos);
    CHECK(error.causes().size() == 3);
}

TEST_CASE("a misspelt field alone is an unknown field") {
    const auto error = refused_sandbox(R"({"namespaces": {"nett": "new"}})");
    CHECK(error.code() == Code::unknown_field);
    CHECK(error.detail() ==
          "unknown field 'nett' in the body at /namespaces (did you mean 'net'?)");
}

TEST_CASE("a user namespace is new, with or without mappings, or one that is there") {
    using Kind = core::NamespaceWish::Kind;
    const auto wish = [](const std::string& text) {
        return decode_sandbox("web", R"({"namespaces": {"user": )" + text + "}}")
            .namespaces.at("user");
    };
    CHECK(wish(R"("new")").kind == Kind::create);
    CHECK(wish(R"("new")").uid_mappings.empty());
    CHECK(wish(R"("host")").kind == Kind::host);
    CHECK(wish(R"({"path": "/proc/7/ns/user"})").path == "/proc/7/ns/user");
    const auto own = wish(R"({"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
        "gidMappings": [{"containerID": 0, "hostID": 7, "size": 1}]})");
    CHECK(own.kind == Kind::create);
    CHECK(own.uid_mappings == std::vector<spec::IdMapping>{{0, 100000, 65536}});
    CHECK(own.gid_mappings == std::vector<spec::IdMapping>{{0, 7, 1}});
    CHECK_FALSE(own == wish(R"("new")"));
}

TEST_CASE("a user namespace that cannot be is refused with its pointer") {
    const auto says = [](const std::string& user, const std::string& part,
                         const std::string& rest = "") {
        const auto error = refused_sandbox(R"({"namespaces": {"user": )" + user + "}" + rest + "}");
        INFO(error.detail());
        return error.detail().find(part) != std::string::npos;
    };
    CHECK(says("7", "/namespaces/user: must be"));
    CHECK(says("{}", "/namespaces/user/gidMappings: is missing"));
    CHECK(says(R"({"uidMappings": 1, "gidMappings": []})", "uidMappings: must be an array"));
    CHECK(says(R"({"uidMappings": [{"containerID": 0, "hostID": 1.5, "size": 1}]})",
               "/namespaces/user/uidMappings/0/hostID: must be a whole number"));
    CHECK(says(R"({"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]})", "host's id 0"));
    CHECK(says(R"("new")", "/pidMode: 'node'", R"(, "pidMode": "node")"));
    CHECK(refused_sandbox(R"({"namespaces": {"user": "new", "net": "host"}})")
              .detail()
              .find("/namespaces/net") != std::string::npos);
}

TEST_CASE("a sandbox shows its mappings, and its OCI configurations have them") {
    auto view = ready_sandbox();
    CHECK_FALSE(sandbox_json(view).contains("uidMappings"));
    view.facts.namespaces["user"] = {"/ns/user", 1, 5};
    view.facts.uid_mappings = {{0, 100000, 10}};
    view.facts.gid_mappings = {{0, 200000, 20}};
    const auto maps = Json::parse(R"([{"containerID": 0, "hostID": 100000, "size": 10}])");
    CHECK(Json(sandbox_json(view)["uidMappings"]) == maps);
    for (const std::string own :
         {"", R"(, "uidMappings": [])",
          R"(, "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}])"}) {
        const auto joined = Json::parse(
            join_oci_config(R"({"linux": {"namespaces": [{"type": "user"}])" + own + "}}", view));
        CHECK(joined["linux"]["uidMappings"] == maps);
        CHECK(joined["linux"]["gidMappings"][0]["hostID"] == 200000);
        CHECK(joined["linux"]["namespaces"][0] ==
              Json::parse(R"({"type": "user", "path": "/ns/user"})"));
    }
    CHECK(refused([&] {
              return join_oci_config(
                  R"({"linux": {"gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}})",
                  view);
          }).code() == Code::invalid_spec);
}

TEST_CASE("access is a preset or three reaches, and what cannot be is refused") {
    CHECK(decode_sandbox("web", R"({"access": "observer"})").access == spec::kObserver);
    CHECK(decode_sandbox("web", "").access == spec::kOpen);
    const auto of = [](const std::string& access) {
        return R"({"sandbox": "web", "bundle": "/b", "access": )" + access + "}";
    };
    CHECK(decode_container("c", of(R"("private")")).access == spec::kPrivate);
    CHECK(decode_container("c", of(R"({"inspect": "own"})")).access ==
          spec::Access{spec::Reach::pod, spec::Reach::pod, spec::Reach::own});
    CHECK_FALSE(decode_container("c", R"({"sandbox": "web", "bundle": "/b"})").access);
    for (const std::string bad : {R"("privat")", R"({"see": "own"})", R"({"signal": "own"})",
                                  R"({"see": "all"})", R"({"look": "own"})", "7"})
        CHECK(refused_container(of(bad)).detail().find("access") != std::string::npos);
    CHECK(refused_container(of(R"("privat")")).detail().find("did you mean 'private'") !=
          std::string::npos);
}

TEST_CASE("a target and pid mode target belong together") {
    const auto action = decode_container(
        "c", R"({"sandbox": "web", "bundle": "/b", "pidMode": "target", "target": "app"})");
    CHECK(action.pid_mode == spec::PidMode::target);
    CHECK(action.target == "app");
    for (const std::string rest :
         {R"("pidMode": "target")", R"("target": "app")", R"("pidMode": "pod", "target": "app")"}) {
        const auto error = refused_container(R"({"sandbox": "web", "bundle": "/b", )" + rest + "}");
        CHECK(error.code() == Code::invalid_argument);
        CHECK(error.detail().find("/target") == 0);
        CHECK_FALSE(error.fix().empty());
    }
    CHECK(refused_sandbox(R"({"pidMode": "target"})").detail().find("/pidMode") == 0);
}

TEST_CASE("JSON that two readers could understand differently is refused") {
    for (const std::string body : {R"({"a": 1, "a": 2})", "{} x", "{\"hostname\": \"\xff\"}",
                                   R"({"hostname": "\u0000"})", "[", "1"})
        CHECK(refused_sandbox(body).code() == Code::invalid_argument);
    std::string deep;
    for (int i = 0; i < 65; ++i)
        deep += R"({"labels":)";
    CHECK(refused_sandbox(deep).detail().find("64") != std::string::npos);
}

TEST_CASE("bad values name the place and the value") {
    CHECK(refused_sandbox(R"({"cgroupParent": "a"})").detail().find("/cgroupParent") == 0);
    CHECK(refused_sandbox(R"({"cgroupParent": "/a/../b"})").detail().find("'..'") !=
          std::string::npos);
    CHECK(refused_sandbox(R"({"id": "other"})").detail().find("/id") == 0);
    CHECK(refused_container(R"({"sandbox": "w", "bundle": "b"})").detail().find("/bundle") == 0);
    CHECK(refused_container("{}").detail() == "/sandbox: is missing; /bundle: is missing");
    const auto capability = refused_container(
        R"({"sandbox": "w", "bundle": "/b", "capabilities": {"add": ["CHWON"]}})");
    CHECK(capability.detail() ==
          "/capabilities/add/0: unknown capability 'CHWON' (did you mean 'CAP_CHOWN'?)");
    const auto stdio =
        refused_container(R"({"sandbox": "w", "bundle": "/b", "stdio": {"stdout": "hold"}})");
    CHECK(stdio.detail() ==
          R"(/stdio/stdout: 'hold' must be "null", "file:/path" or "fifo:/path")");
}

TEST_CASE("a container's seccomp profile has a name") {
    const auto body = [](const std::string& name) {
        return R"({"sandbox": "web", "bundle": "/b", "seccomp": ")" + name + "\"}";
    };
    for (const char* name : {"default", "unconfined", "/etc/profile.json"})
        CHECK(decode_container("c", body(name)).seccomp == name);
    for (const char* name : {"", "profile.json", "none"})
        CHECK(refused([&] { return decode_container("c", body(name)); }).code() ==
              Code::invalid_argument);
}

TEST_CASE("signals come as names and numbers") {
    CHECK(decode_kill("c", R"({"signal": "HUP"})").signal == 1);
    CHECK(decode_kill("c", R"({"signal": 9, "all": true})").signal == 9);
    CHECK(decode_kill("c", "").signal == 15);
    // kill(2): is it there?
    for (const char* none : {"0", "\"0\""})
        CHECK(decode_kill("c", R"({"signal": )" + std::string{none} + "}").signal == 0);
    for (const std::string value : {"65", "\"65\"", "\"\"", "\"SIGHOP\"", "1.0", "true", "-1"}) {
        const auto error =
            refused([&value] { return decode_kill("c", "{\"signal\": " + value + "}"); });
        CHECK(error.code() == Code::invalid_argument);
        // No name is near a number.
        CHECK((std::string{error.what()}.find("did you mean") != std::string::npos) ==
              (value == "\"SIGHOP\""));
    }
    CHECK(decode_stop("c", R"({"timeout": 0.5})").timeout.count() == 500);
}

TEST_CASE("the answers have the shape that proto/openapi.yaml promises") {
    auto view = ready_sandbox();
    view.facts.created_at = 1'700'000'000'000'000;
    const auto sandbox = sandbox_json(view);
    CHECK(sandbox["createdAt"] == "2023-11-14T22:13:20.000000Z");
    CHECK(sandbox["namespaces"]["net"] == Json{{"path", "/ns/net"}, {"inode", 3}});
    CHECK(sandbox["hostname"] == "web");
    for (const char* absent : {"stoppedAt", "problem", "recordStale"})
        CHECK_FALSE(sandbox.contains(absent));
    view.facts.state = core::SandboxState::unknown;
    view.facts.record_stale = true;
    view.problem = "record record.json is a FIFO, not a regular file";
    CHECK(sandbox_json(view)["state"] == "unknown");
    CHECK(sandbox_json(view)["problem"] == view.problem);
    CHECK(sandbox_json(view)["recordStale"] == true);

    ContainerView container;
    for (const char* absent : {"problem", "recordStale", "seccomp"})
        CHECK_FALSE(container_json(container).contains(absent));
    container.request.seccomp = "default";
    CHECK(container_json(container)["seccomp"] == "default");
    container.facts.exit = core::ExitRecord{137, 9, true, 1, {}};
    CHECK(container_json(container)["exit"] == Json{{"exitCode", 137},
                                                    {"signal", "SIGKILL"},
                                                    {"oomKilled", true},
                                                    {"exitedAt", "1970-01-01T00:00:00.000001Z"}});

    EventRecord event;
    event.seq = 7;
    event.type = "sandbox.ready";
    event.sandbox = "web";
    CHECK(event_line(event) ==
          "{\"seq\":7,\"time\":\"1970-01-01T00:00:00.000000Z\",\"type\":\"sandbox.ready\","
          "\"sandbox\":\"web\"}\n");
}

TEST_CASE("an OCI configuration is joined to the sandbox and otherwise left alone") {
    const std::string config =
        R"({"z": [1, 2.5], "hostname": "h", "linux": {"x": {}, "namespaces": [
        {"type": "mount"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts", "path": "/old"}]}, "a": null})";
    const auto joined = Json::parse(join_oci_config(config, ready_sandbox()));
    // The sandbox's ipc is the host's: no entry. pid was not there and is added.
    CHECK(joined.dump() == R"({"z":[1,2.5],"linux":{"x":{},"namespaces":[{"type":"mount"},)"
                           R"({"type":"network","path":"/ns/net"},{"type":"uts","path":"/ns/uts"},)"
                           R"({"type":"pid","path":"/ns/pid"}]},"a":null})");
    auto stopped = ready_sandbox();
    stopped.facts.state = core::SandboxState::stopped;
    CHECK(refused([&] { return join_oci_config("{}", stopped); }).code() ==
          Code::failed_precondition);
    CHECK(refused([] {
              return join_oci_config(R"({"linux": {"namespaces": [{"type": "user"}]}})",
                                     ready_sandbox());
          }).code() == Code::invalid_spec);
}
