// The small controllers: hugetlb (v1: hugetlb.rst; the page sizes in the file names are OCI's) and
// rdma, whose file is the same in both versions.
#include "cgroup/settings.hpp"

#include <fmt/format.h>

namespace covey::cgroup {

std::vector<Setting> hugetlb_settings(Version version, const Limits& limits) {
    const auto file = version == Version::v1 ? "limit_in_bytes" : "max";
    std::vector<Setting> settings;
    for (const auto& [size, limit] : limits.hugepages) {
        const auto field = fmt::format("hugepageLimits[{}]", size);
        const auto value = std::to_string(limit);
        settings.push_back({fmt::format("hugetlb.{}.{}", size, file), value, field});
        // Reservations can be counted too (Linux 5.7): without this limit a container could
        // reserve pages that nobody else can have, and be killed by SIGBUS for the others.
        settings.push_back({fmt::format("hugetlb.{}.rsvd.{}", size, file), value, field, true});
    }
    return settings;
}

std::vector<Setting> rdma_settings(const Limits& limits) {
    std::vector<Setting> settings;
    for (const auto& [device, limit] : limits.rdma) {
        auto value = device;
        if (limit.handles) value += fmt::format(" hca_handle={}", *limit.handles);
        if (limit.objects) value += fmt::format(" hca_object={}", *limit.objects);
        settings.push_back({"rdma.max", value, fmt::format("rdma[{}]", device)});
    }
    return settings;
}

}  // namespace covey::cgroup
