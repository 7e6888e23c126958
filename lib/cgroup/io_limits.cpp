// OCI's blockIO on v1's blkio (admin-guide/cgroup-v1/blkio-controller.rst) and v2's io controller.
// Weights are the I/O scheduler's: BFQ has files of its own in both versions, v2's io.weight is
// that of blk-iocost. A weight is written where the kernel has one, BFQ first, as runc does it.
#include "cgroup/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::cgroup {
namespace {

struct WeightFiles {
    std::string all, device;
};

WeightFiles weight_files(Version version, const Reader& current) {
    if (version == Version::v2) {
        const std::string file = current("io.bfq.weight") ? "io.bfq.weight" : "io.weight";
        return {file, file};
    }
    // CFQ's files are gone since Linux 5.0; on such a kernel they are named in the error.
    if (current("blkio.bfq.weight")) return {"blkio.bfq.weight", "blkio.bfq.weight_device"};
    return {"blkio.weight", "blkio.weight_device"};
}

std::string leaf_file(Version version, std::string_view suffix) {
    // v2 has no leaf weights: a group with processes has no groups to share with.
    return fmt::format("{}.leaf_weight{}", version == Version::v1 ? "blkio" : "io", suffix);
}

void add_weights(std::vector<Setting>& settings, Version version, const IoLimits& io,
                 const Reader& current) {
    const auto files = weight_files(version, current);
    const bool converts = files.all == "io.weight";
    const auto value = [&](std::uint16_t weight) {
        return converts ? io_weight(weight) : std::uint64_t{weight};
    };
    if (io.weight)
        settings.push_back({files.all, std::to_string(value(*io.weight)), "blockIO.weight"});
    if (io.leaf_weight)
        settings.push_back(
            {leaf_file(version, ""), std::to_string(*io.leaf_weight), "blockIO.leafWeight"});
    for (const auto& device : io.devices) {
        const auto number = fmt::format("{}:{}", device.major, device.minor);
        if (device.weight)
            settings.push_back({files.device, fmt::format("{} {}", number, value(*device.weight)),
                                "blockIO.weightDevice"});
        if (device.leaf_weight)
            settings.push_back({leaf_file(version, "_device"),
                                fmt::format("{} {}", number, *device.leaf_weight),
                                "blockIO.weightDevice.leafWeight"});
    }
}

struct Throttle {
    const std::vector<DeviceRate>& rates;
    std::string_view v1_file, v2_key, field;
};

}  // namespace

std::uint64_t io_weight(std::uint16_t weight) noexcept {
    const std::uint64_t clamped = std::clamp<std::uint16_t>(weight, 10, 1000);
    return 1 + (clamped - 10) * 9999 / 990;
}

std::vector<Setting> io_settings(Version version, const IoLimits& io, const Reader& current) {
    std::vector<Setting> settings;
    if (io.weight || io.leaf_weight || !io.devices.empty())
        add_weights(settings, version, io, current);
    const Throttle throttles[] = {
        {io.read_bps, "blkio.throttle.read_bps_device", "rbps", "blockIO.throttleReadBpsDevice"},
        {io.write_bps, "blkio.throttle.write_bps_device", "wbps", "blockIO.throttleWriteBpsDevice"},
        {io.read_iops, "blkio.throttle.read_iops_device", "riops",
         "blockIO.throttleReadIOPSDevice"},
        {io.write_iops, "blkio.throttle.write_iops_device", "wiops",
         "blockIO.throttleWriteIOPSDevice"},
    };
    for (const auto& throttle : throttles)
        for (const auto& [major, minor, rate] : throttle.rates) {
            const std::string field{throttle.field};
            if (version == Version::v1)
                settings.push_back({std::string{throttle.v1_file},
                                    fmt::format("{}:{} {}", major, minor, rate), field});
            else  // v2 refuses 0, which lifts the limit in v1
                settings.push_back({"io.max",
                                    fmt::format("{}:{} {}={}", major, minor, throttle.v2_key,
                                                rate == 0 ? "max" : std::to_string(rate)),
                                    field});
        }
    return settings;
}

}  // namespace covey::cgroup
