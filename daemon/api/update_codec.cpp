#include "api/update_codec.hpp"

#include "api/body_reader.hpp"
#include "base/id.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace covey::daemon {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 1> kBody{"resources"};
constexpr std::array<std::string_view, 3> kSize{"exec", "height", "width"};
// config-linux.md, control groups. What is not in here but in a bundle's: `devices` (what is open
// stays open), memory's `kernel` and `useHierarchy` (Linux has neither any more).
constexpr std::array<std::string_view, 8> kResources{
    "memory", "cpu", "pids", "blockIO", "hugepageLimits", "network", "rdma", "unified"};
constexpr std::array<std::string_view, 7> kMemory{"limit",
                                                  "reservation",
                                                  "swap",
                                                  "kernelTCP",
                                                  "swappiness",
                                                  "disableOOMKiller",
                                                  "checkBeforeUpdate"};
constexpr std::array<std::string_view, 9> kCpu{
    "shares",         "quota", "burst", "period", "realtimeRuntime",
    "realtimePeriod", "cpus",  "mems",  "idle"};
constexpr std::array<std::string_view, 1> kPids{"limit"};
constexpr std::array<std::string_view, 7> kBlockIo{"weight",
                                                   "leafWeight",
                                                   "weightDevice",
                                                   "throttleReadBpsDevice",
                                                   "throttleWriteBpsDevice",
                                                   "throttleReadIOPSDevice",
                                                   "throttleWriteIOPSDevice"};
constexpr std::array<std::string_view, 4> kWeight{"major", "minor", "weight", "leafWeight"};
constexpr std::array<std::string_view, 3> kThrottle{"major", "minor", "rate"};
constexpr std::array<std::string_view, 2> kHugepage{"pageSize", "limit"};
constexpr std::array<std::string_view, 2> kNetwork{"classID", "priorities"};
constexpr std::array<std::string_view, 2> kPriority{"name", "priority"};
constexpr std::array<std::string_view, 2> kRdma{"hcaHandles", "hcaObjects"};

/// Notes the fields of the object at `key` that are not in `known`, if it is there.
void check_object(BodyReader& above, std::string_view key, Names known) {
    if (const auto* const value = above.find(key); value != nullptr)
        (void)BodyReader{*value, above.at(key), above.problems(), known};
}

void check_list(BodyReader& above, std::string_view key, Names known) {
    const auto* const list = above.find(key);
    if (list == nullptr || !list->is_array()) return;  // the shim's reader says so
    for (std::size_t i = 0; i < list->size(); ++i)
        (void)BodyReader{(*list)[i], fmt::format("{}/{}", above.at(key), i), above.problems(),
                         known};
}

void check_names(BodyReader& resources) {
    check_object(resources, "memory", kMemory);
    check_object(resources, "cpu", kCpu);
    check_object(resources, "pids", kPids);
    check_list(resources, "hugepageLimits", kHugepage);
    if (const auto* const io = resources.find("blockIO"); io != nullptr) {
        BodyReader reader{*io, resources.at("blockIO"), resources.problems(), kBlockIo};
        check_list(reader, "weightDevice", kWeight);
        for (const auto rate : std::span{kBlockIo}.subspan(3))
            check_list(reader, rate, kThrottle);
    }
    if (const auto* const network = resources.find("network"); network != nullptr) {
        BodyReader reader{*network, resources.at("network"), resources.problems(), kNetwork};
        check_list(reader, "priorities", kPriority);
    }
    if (const auto* const rdma = resources.find("rdma"); rdma != nullptr && rdma->is_object())
        for (const auto& [device, limits] : rdma->items())
            (void)BodyReader{limits, resources.at("rdma") + "/" + device, resources.problems(),
                             kRdma};
}

}  // namespace

UpdateAction decode_update(const std::string& id, std::string_view body) {
    require_valid_id(id, "container id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kBody};
    reader.require("resources", "send {\"resources\": {…}}, OCI's linux.resources");
    UpdateAction action;
    action.container = id;
    if (const auto* const value = reader.find("resources"); value != nullptr) {
        BodyReader resources{*value, "/resources", problems, kResources};
        check_names(resources);
        action.resources = value->dump();
        if (value->is_object() && value->empty())
            problems.add("/resources", "names no limit", "name those that are to change");
        // One packet to the shim (core/messages.hpp) has it whole.
        constexpr std::size_t kMost = 64U << 10U;
        if (action.resources.size() > kMost)
            problems.add("/resources", fmt::format("is longer than {} bytes", kMost));
    }
    problems.throw_if_any();
    return action;
}

ResizeAction decode_resize(const std::string& id, std::string_view body) {
    require_valid_id(id, "container id");
    const auto document = parse_body(body);
    BodyProblems problems;
    BodyReader reader{document, "", problems, kSize};
    const auto read = [&](std::string_view key) -> std::uint16_t {
        reader.require(key, "send {\"width\": 80, \"height\": 24}: characters");
        const auto number = reader.number(key, 1, std::numeric_limits<std::uint16_t>::max());
        if (!number) return 0;
        if (*number != std::floor(*number)) reader.problem(key, "must be a whole number");
        return static_cast<std::uint16_t>(*number);
    };
    ResizeAction action{id, read("height"), read("width"), ""};
    if (const auto exec = reader.text("exec")) {
        if (!is_valid_id(*exec)) reader.problem("exec", "is no id of an exec");
        action.exec = *exec;
    }
    problems.throw_if_any();
    return action;
}

}  // namespace covey::daemon
