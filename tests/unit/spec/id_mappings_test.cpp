#include "spec/id_mappings.hpp"

#include "catch.hpp"

using namespace covey::spec;

namespace {

bool says(const std::vector<IdMapping>& maps, const std::string& part) {
    const auto fault = pod_mappings_fault(maps);
    INFO(fault.value_or("fine"));
    return fault && fault->find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("ids go in and out of a user namespace by its maps") {
    const std::vector<IdMapping> maps{{0, 1000, 10}, {50, 2000, 1}};
    CHECK(host_id(maps, 0) == 1000);
    CHECK(host_id(maps, 9) == 1009);
    CHECK_FALSE(host_id(maps, 10));
    CHECK(host_id(maps, 50) == 2000);
    CHECK(inner_id(maps, 1009) == 9);
    CHECK(inner_id(maps, 2000) == 50);
    CHECK_FALSE(inner_id(maps, 999));
    CHECK_FALSE(inner_id(maps, 2001));
    CHECK(maps_host_id({{0, 0, 4294967295}}, 4294967294));
}

TEST_CASE("what is wrong with a pod's mappings is said") {
    CHECK_FALSE(pod_mappings_fault({{0, 100000, 65536}}));
    CHECK_FALSE(pod_mappings_fault({{1, 200000, 10}, {0, 100000, 1}}));
    CHECK(says({}, "no id 0"));
    CHECK(says({{1, 100000, 10}}, "no id 0"));
    CHECK(says({{0, 0, 10}}, "host's id 0"));
    CHECK(says({{0, 100000, 0}}, "at least 1"));
    CHECK(says({{0, 4294967290, 6}}, "beyond"));
    CHECK(says({{0, 1, 10}, {9, 100, 1}}, "overlaps"));
    CHECK(says({{0, 1, 10}, {10, 10, 1}}, "overlaps"));
    CHECK(says(std::vector<IdMapping>(341, {0, 1, 1}), "341"));
}

TEST_CASE("maps are compared and read as the kernel writes them") {
    CHECK(same_mappings({{0, 1, 2}, {5, 6, 7}}, {{5, 6, 7}, {0, 1, 2}}));
    CHECK_FALSE(same_mappings({{0, 1, 2}}, {{0, 1, 3}}));
    CHECK(share_host_ids({{0, 100, 10}}, {{7, 109, 1}}));
    CHECK_FALSE(share_host_ids({{0, 100, 10}}, {{0, 110, 10}}));
    const auto maps =
        parse_id_map("         0     100000      65536\n     65536         1000    1\n");
    CHECK(maps == std::vector<IdMapping>{{0, 100000, 65536}, {65536, 1000, 1}});
    CHECK(mappings_text(maps) == "0:100000:65536,65536:1000:1");
    CHECK(parse_id_map("").empty());
}
