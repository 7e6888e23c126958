// Processes in JSON, whatever they call themselves.
#include "api/process_codec.hpp"

#include "base/json.hpp"
#include "catch.hpp"

using namespace covey;
using namespace covey::daemon;
using PlainJson = nlohmann::json;
using Processes = std::vector<core::PodProcess>;

namespace {

core::PodProcess process(pid_t pid) {
    core::PodProcess one;
    one.pid = pid;
    one.pod_pid = 7;
    one.container_pid = 1;
    one.ppid = 40;
    one.container = "web";
    one.exec = "e1";
    one.uid = 33;
    one.gid = 44;
    one.state = 'S';
    one.orphan = true;
    one.name = "sh";
    one.rss_bytes = 4096;
    one.cpu_milliseconds = 12;
    one.start_time = 987654321012;
    one.command = {"/bin/sh", "-c"};
    one.capabilities = std::uint64_t{1} << 19;  // SYS_PTRACE
    one.no_new_privileges = true;
    return one;
}

}  // namespace

TEST_CASE("a process has every field, in its type") {
    const auto answer = process_response(Processes{process(4711)});
    CHECK(answer.status == 200);
    CHECK(PlainJson::parse(answer.body) == PlainJson::parse(R"({"items":[{
        "pid":4711,"podPid":7,"containerPid":1,"ppid":40,"container":"web","exec":"e1","uid":33,
        "gid":44,"state":"S","zombie":false,"orphan":true,"name":"sh","rssBytes":4096,
        "cpuMilliseconds":12,"startTime":987654321012,"command":["/bin/sh","-c"],
        "capabilities":["CAP_SYS_PTRACE"],"addedCapabilities":["CAP_SYS_PTRACE"],
        "noNewPrivileges":true}]})"));
    CHECK(process_response(Processes{}).body == "{\"items\":[]}\n");
    CHECK(PlainJson::parse(
              process_response(Processes{process(1), process(2), process(3)}).body)["items"]
              .size() == 3);
    auto zombie = process(2);
    zombie.state = 'Z';
    zombie.command.clear();
    zombie.capabilities = 0;
    const auto json = PlainJson::parse(process_response(Processes{zombie}).body)["items"][0];
    CHECK(json["zombie"] == true);
    CHECK(json["command"] == PlainJson::array());
    CHECK(json["capabilities"] == PlainJson::array());
}

// Seen failing with the name put between quotes as it is.
TEST_CASE("what a process calls itself does not get out of its string") {
    auto hostile = process(4711);
    hostile.name = "a\",\"b\\\n\x01";
    hostile.command = {"\"],\"pid\":1,\"x\":[\"", "caf\xc3\xa9", "\xff\xfe", ""};
    const auto json = PlainJson::parse(process_response(Processes{hostile}).body)["items"][0];
    CHECK(json["name"] == hostile.name);
    CHECK(json["pid"] == 4711);
    CHECK(json["command"][0] == hostile.command[0]);
    CHECK(json["command"][1] == "caf\xc3\xa9");
    CHECK(json["command"][2] == "\xef\xbf\xbd\xef\xbf\xbd");  // no UTF-8: U+FFFD
    CHECK(json.size() == 19);
}

TEST_CASE("the answer to who it is names sandbox and engine too") {
    ProcessView view;
    view.process = process(4711);
    view.sandbox = "s\"1";
    view.engine = "covey";
    const auto json = PlainJson::parse(process_response(view).body);
    CHECK(json["sandbox"] == "s\"1");
    CHECK(json["engine"] == "covey");
    CHECK(json["pid"] == 4711);
    CHECK(json.size() == 21);
}
