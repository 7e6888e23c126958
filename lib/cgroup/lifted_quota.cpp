#include "cgroup/lifted_quota.hpp"

#include "base/text.hpp"
#include "cgroup/tree.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"

#include <fcntl.h>

namespace covey::cgroup {

LiftedQuota::LiftedQuota(const Host& host, const Group& group) {
    const auto lift_in = [&](const std::string& mount, const std::string& path,
                             const std::string& file, const std::string& unlimited) {
        // Above first: v1 has never more below.
        for (const auto& one : {path, seat_below(path)})
            if (auto folder = open_group(mount, one))
                lift(std::move(folder).value(), file, unlimited);
    };
    if (!host.unified.empty()) lift_in(host.unified, group.path(), "cpu.max", "max");
    if (const auto cpu = host.v1.find("cpu"); cpu != host.v1.end())
        lift_in(cpu->second, group.placement().in(cpu->second), "cpu.cfs_quota_us", "-1");
}

void LiftedQuota::lift(UniqueFd folder, const std::string& file, const std::string& unlimited) {
    const auto now = read_control(folder, file);
    // v2's has the period behind it, which stays as it is.
    if (!now || split(*now, ' ').front() == unlimited) return;
    auto opened = sys::open_at(folder, file, O_WRONLY).or_throw("open", "cgroup file " + file);
    sys::write_all(opened, unlimited).or_throw("write", "cgroup file " + file);
    files_.emplace_back(std::move(opened), *now);
}

void LiftedQuota::restore() {
    for (const auto& [file, value] : std::exchange(files_, {}))
        sys::write_all(file, value).or_throw("write", "the CPU quota");
}

std::vector<int> LiftedQuota::descriptors() const {
    std::vector<int> numbers;
    for (const auto& [file, value] : files_)
        numbers.push_back(file.get());
    return numbers;
}

}  // namespace covey::cgroup
