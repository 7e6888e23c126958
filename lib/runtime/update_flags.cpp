#include "runtime/update_flags.hpp"

#include "base/size.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"

#include <fmt/format.h>

#include <optional>

namespace covey::runtime {
namespace {

[[noreturn]] void refuse_value(std::string_view flag, std::string_view value, const char* wanted) {
    throw Error(Code::invalid_argument,
                fmt::format("flag --{}: '{}' is not {}", flag, value, wanted))
        .with_fix("see covey-runtime update --help");
}

std::optional<std::int64_t> size(const std::string& value, std::string_view flag) {
    if (value.empty()) return std::nullopt;
    return parse_size(value, flag);
}

std::optional<std::int64_t> signed_number(const std::string& value, std::string_view flag) {
    if (value.empty()) return std::nullopt;
    const auto number = parse_i64(value);
    if (!number) refuse_value(flag, value, "a number");
    return number;
}

std::optional<std::uint64_t> number(const std::string& value, std::string_view flag) {
    if (value.empty()) return std::nullopt;
    const auto parsed = parse_u64(value);
    if (!parsed) refuse_value(flag, value, "a number from 0");
    return parsed;
}

}  // namespace

std::int64_t parse_size(std::string_view text, std::string_view flag) {
    const auto bytes = covey::parse_size(text);
    if (!bytes) refuse_value(flag, text, "a size such as 512m, 2g or -1");
    return *bytes;
}

void UpdateFlags::add_to(Flags& flags) {
    flags.text("resources", 'r', resources, "file with linux.resources as JSON, - for stdin")
        .text("memory", 0, memory_, "bytes (512m), -1 for no limit")
        .text("memory-reservation", 0, reservation_, "bytes that reclaim leaves alone")
        .text("memory-swap", 0, swap_, "bytes of memory and swap together")
        .text("kernel-memory", 0, kernel_, "accepted: Linux has removed it")
        .text("kernel-memory-tcp", 0, kernel_tcp_, "bytes of TCP buffers (cgroup v1)")
        .text("cpu-period", 0, period_, "microseconds")
        .text("cpu-quota", 0, quota_, "microseconds in each period")
        .text("cpu-burst", 0, burst_, "microseconds that unused quota may add")
        .text("cpu-share", 0, shares_, "weight against other containers, 2 to 262144")
        .text("cpu-rt-period", 0, realtime_period_, "microseconds (cgroup v1)")
        .text("cpu-rt-runtime", 0, realtime_runtime_, "microseconds (cgroup v1)")
        .text("cpu-idle", 0, idle_, "1: run only when nobody else does")
        .text("cpuset-cpus", 0, cpus_, "CPUs to use, as in 0-3,7")
        .text("cpuset-mems", 0, mems_, "memory nodes to use")
        .text("blkio-weight", 0, weight_, "10 to 1000")
        .text("pids-limit", 0, pids_, "most processes, -1 for no limit")
        .text("l3-cache-schema", 0, l3_cache_, "Intel RDT")
        .text("mem-bw-schema", 0, memory_bandwidth_, "Intel RDT");
}

spec::Resources UpdateFlags::read() const {
    for (const auto& [value, flag] :
         {std::pair{&l3_cache_, "l3-cache-schema"}, std::pair{&memory_bandwidth_, "mem-bw-schema"}})
        if (!value->empty())
            throw Error(Code::unsupported_by_host,
                        fmt::format("flag --{}: Intel RDT is not supported", flag))
                .with_fix("leave it out");
    spec::Resources read;
    auto& memory = read.memory.emplace();
    memory.limit = size(memory_, "memory");
    memory.reservation = size(reservation_, "memory-reservation");
    memory.swap = size(swap_, "memory-swap");
    memory.kernel = size(kernel_, "kernel-memory");
    memory.kernel_tcp = size(kernel_tcp_, "kernel-memory-tcp");
    auto& cpu = read.cpu.emplace();
    cpu.period = number(period_, "cpu-period");
    cpu.quota = signed_number(quota_, "cpu-quota");
    cpu.burst = number(burst_, "cpu-burst");
    cpu.shares = number(shares_, "cpu-share");
    cpu.realtime_period = number(realtime_period_, "cpu-rt-period");
    cpu.realtime_runtime = signed_number(realtime_runtime_, "cpu-rt-runtime");
    cpu.idle = signed_number(idle_, "cpu-idle");
    if (cpu.idle && *cpu.idle != 0 && *cpu.idle != 1) refuse_value("cpu-idle", idle_, "0 or 1");
    cpu.cpus = cpus_;
    cpu.mems = mems_;
    read.pids_limit = signed_number(pids_, "pids-limit");
    if (const auto weight = number(weight_, "blkio-weight")) {
        constexpr std::uint64_t kLargestWeight = 1000;
        if (*weight > kLargestWeight)
            refuse_value("blkio-weight", weight_, "a weight from 10 to 1000");
        read.block_io.emplace().weight = static_cast<std::uint16_t>(*weight);
    }
    return read;
}

}  // namespace covey::runtime
