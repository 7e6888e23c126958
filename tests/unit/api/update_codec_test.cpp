// The bodies of update and resize.
#include "api/update_codec.hpp"

#include "catch.hpp"
#include "covey/error.hpp"

#include <functional>
#include <string>

using namespace covey;
using namespace covey::daemon;

namespace {

Error refusal(const std::function<void()>& decode) {
    try {
        decode();
    } catch (const Error& error) {
        return error;
    }
    FAIL("taken");
    return Error(Code::internal, "");
}

Error update_refusal(const std::string& resources) {
    return refusal([&] { (void)decode_update("app", R"({"resources":)" + resources + "}"); });
}

}  // namespace

TEST_CASE("an update's resources go on as they are") {
    const auto action =
        decode_update("app", R"({"resources": {"pids": {"limit": 7}, "cpu": null}})");
    CHECK(action.container == "app");
    CHECK(action.resources == R"({"cpu":null,"pids":{"limit":7}})");
    for (
        const char* all :
        {R"({"memory":{"limit":9,"reservation":8,"swap":10,"kernelTCP":1,"swappiness":1,"disableOOMKiller":true,"checkBeforeUpdate":true}})",
         R"({"cpu":{"shares":2,"quota":5000,"burst":1,"period":5000,"realtimeRuntime":1,"realtimePeriod":5000,"cpus":"0","mems":"0","idle":1}})",
         R"({"blockIO":{"weight":10,"leafWeight":10,"weightDevice":[{"major":8,"minor":0,"weight":10,"leafWeight":10}],)"
         R"("throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1}],"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":1}]}})",
         R"({"hugepageLimits":[{"pageSize":"2MB","limit":1}],"rdma":{"mlx":{"hcaHandles":1,"hcaObjects":1}}})",
         R"({"network":{"classID":1,"priorities":[{"name":"eth0","priority":1}]},"unified":{"memory.high":"1"}})"})
        CHECK_NOTHROW(decode_update("app", std::string{R"({"resources":)"} + all + "}"));
}

TEST_CASE("a field of resources that nobody knows is refused wherever it is") {
    for (const char* resources :
         {R"({"memroy":{}})", R"({"memory":{"max":1}})", R"({"cpu":{"cpuss":"0"}})",
          R"({"pids":{"limit":1,"max":1}})", R"({"blockIO":{"wieght":10}})",
          R"({"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":10,"w":1}]}})",
          R"({"blockIO":{"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":1,"w":1}]}})",
          R"({"hugepageLimits":[{"pageSize":"2MB","limit":1,"w":1}]})",
          R"({"network":{"classId":1}})", R"({"rdma":{"mlx":{"hcaHandles":1,"w":1}}})",
          R"({"network":{"priorities":[{"name":"eth0","priority":1,"w":1}]}})", R"({"devices":[]})",
          R"({"memory":{"kernel":1}})", R"({"memory":{"useHierarchy":true}})"}) {
        CAPTURE(resources);
        CHECK(update_refusal(resources).code() == Code::unknown_field);
    }
    CHECK(update_refusal(R"({"memroy":{}})").detail().find("did you mean 'memory'") !=
          std::string::npos);
}

TEST_CASE("everything that is wrong with an update is said at once, with its place") {
    const auto error = update_refusal(R"({"pids":7,"blockIO":{"weightDevice":["x"]},"w":1})");
    CHECK(error.code() == Code::invalid_argument);
    CHECK(error.detail().find("/resources/pids") != std::string::npos);
    CHECK(error.detail().find("/resources/blockIO/weightDevice/0") != std::string::npos);
    CHECK(error.detail().find("'w'") != std::string::npos);
    CHECK(update_refusal("{}").code() == Code::invalid_argument);
    CHECK(update_refusal("null").code() == Code::invalid_argument);
    CHECK(update_refusal("[]").code() == Code::invalid_argument);
    CHECK(refusal([] { (void)decode_update("app", ""); }).detail().find("resources") !=
          std::string::npos);
    CHECK(refusal([] { (void)decode_update("a/b", ""); }).code() == Code::invalid_argument);
}

TEST_CASE("a size is two whole numbers of characters") {
    const auto action = decode_resize("app", R"({"width": 80, "height": 24})");
    CHECK(action.container == "app");
    CHECK(action.columns == 80);
    CHECK(action.rows == 24);
    for (const char* body :
         {"", R"({"width":80})", R"({"width":0,"height":1})", R"({"width":1,"height":65536})",
          R"({"width":1.5,"height":1})", R"({"width":"80","height":24})"}) {
        CAPTURE(body);
        CHECK(refusal([&] { (void)decode_resize("app", body); }).code() == Code::invalid_argument);
    }
    CHECK(refusal([] {
              (void)decode_resize("app", R"({"width":1,"height":1,"rows":1})");
          }).code() == Code::unknown_field);
}
