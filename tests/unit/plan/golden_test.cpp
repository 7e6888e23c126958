// Whole plans as text: config + request → dump. COVEY_UPDATE_GOLDEN=1 writes the files anew; look
// at the difference before you commit it.
#include "catch.hpp"
#include "plan/dump.hpp"
#include "unit/plan/config.hpp"

#include <cstdlib>

using namespace covey::plan;
using namespace covey::plan::test;
using covey::spec::PidMode;

namespace {

void check_golden(const std::string& config_name, const std::string& plan_name,
                  const LaunchRequest& with) {
    auto plan =
        compile(covey::spec::load(read_text(golden(config_name + ".config.json"))), with, {});
    // The number of instructions is libseccomp's; seccomp_test.cpp looks at what they do.
    if (plan.process.seccomp) plan.process.seccomp->filter.assign(1, 0);
    const auto text = dump(plan);
    const auto path = golden(plan_name + ".plan.json");
    if (std::getenv("COVEY_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
    CAPTURE(path);
    CHECK(text == read_text(path));
}

}  // namespace

TEST_CASE("runc's default spec has the plan that it always had") {
    check_golden("runc-default", "runc-default-container", request());
    check_golden("runc-default", "runc-default-pod", request(PidMode::pod));
    check_golden("runc-default", "runc-default-node", request(PidMode::node));
}

TEST_CASE("a Kubernetes container has the plan that it always had") {
    auto with = request(PidMode::pod);
    with.add_capabilities = std::uint64_t{1} << *covey::spec::capability_number("SYS_PTRACE");
    with.drop_capabilities = std::uint64_t{1} << *covey::spec::capability_number("NET_RAW");
    check_golden("kubernetes", "kubernetes-pod", with);
}

TEST_CASE("every kind of operation has the plan that it always had") {
    check_golden("everything", "everything-container", request());
}

TEST_CASE("runc's default spec compiles in every pid mode with few warnings") {
    for (const auto mode : {PidMode::pod, PidMode::container, PidMode::node})
        CHECK(plan_of(config(), request(mode)).warnings.size() <= 2);
}

TEST_CASE("a dump is JSON and numbers its operations as errors do") {
    const auto plan = plan_of(config());
    const auto json = Json::parse(dump(plan));
    REQUIRE(json["operations"].size() == plan.operations.size());
    for (std::size_t i = 0; i < plan.operations.size(); ++i) {
        CHECK(json["operations"][i]["op"] == i);
        CHECK(json["operations"][i]["do"] == describe(plan.operations[i]));
    }
    auto broken = plan;
    broken.process.env.push_back("X=\xff");
    CHECK_NOTHROW(Json::parse(dump(broken)));
}
