// covey update: other limits for containers that are there.
#include "base/size.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "ctl/commands.hpp"
#include "ctl/requests.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

namespace covey::ctl {
namespace {

constexpr std::size_t kLargestDocument = 1U << 20U;  // as coveyd takes it
constexpr std::int64_t kPeriod = 100'000;            // microseconds, the kernel's default

struct UpdateOptions {
    std::vector<std::string> names;
    std::string file, memory, swap, reservation, quota, pids;
    std::optional<double> cpus;
    UpdateRequest wish;
};

std::string read_document(const std::string& name) {
    if (name == "-")
        return sys::read_all(FdRef{STDIN_FILENO}, kLargestDocument).or_throw("read", "stdin");
    const auto file = sys::open(name, O_RDONLY).or_throw("open resources", name);
    return sys::read_all(file, kLargestDocument).or_throw("read resources", name);
}

[[noreturn]] void refuse(const char* flag, const std::string& value, const char* wanted) {
    throw Error(Code::invalid_argument, fmt::format("{} {}: not {}", flag, value, wanted))
        .with_fix("covey update --help");
}

std::optional<std::int64_t> size(const char* flag, const std::string& value) {
    if (value.empty()) return std::nullopt;
    const auto bytes = parse_size(value);
    if (!bytes) refuse(flag, value, "a size such as 512m, 2g or -1");
    return bytes;
}

std::optional<std::int64_t> count(const char* flag, const std::string& value) {
    if (value.empty()) return std::nullopt;
    const auto number = parse_i64(value);
    if (!number) refuse(flag, value, "a number, or -1 for no limit");
    return number;
}

UpdateRequest wish_of(const UpdateOptions& options) {
    auto wish = options.wish;
    if (!options.file.empty()) wish.resources = read_document(options.file);
    wish.memory = size("--memory", options.memory);
    wish.memory_swap = size("--memory-swap", options.swap);
    wish.memory_reservation = size("--memory-reservation", options.reservation);
    wish.cpu_quota = count("--cpu-quota", options.quota);
    wish.pids = count("--pids-limit", options.pids);
    if (!options.cpus) return wish;
    if (wish.cpu_quota || wish.cpu_period)
        throw Error(Code::invalid_argument, "--cpus and --cpu-quota or --cpu-period say the same")
            .with_fix("leave one of them out");
    wish.cpu_period = kPeriod;
    wish.cpu_quota = std::llround(*options.cpus * kPeriod);
    return wish;
}

int update_containers(const Session& session, const UpdateOptions& options) {
    auto wish = wish_of(options);
    for (const auto& name : options.names) {
        wish.container = session.container_id(name);
        if (session.ask(update(wish)) && !session.settings.quiet) print(wish.container + "\n");
    }
    return 0;
}

}  // namespace

void add_update(const Options& app, Session& session) {
    const Options command = app.command("update", "Change the limits of a container");
    const auto options = std::make_shared<UpdateOptions>();
    auto& wish = options->wish;
    command.required("CONTAINER", options->names, "ids, or SANDBOX/CONTAINER");
    command.value("-m,--memory", "SIZE", options->memory,
                  "512m, 2g; -1 for no limit, here as below");
    command.value("--memory-swap", "SIZE", options->swap, "memory and swap together");
    command.value("--memory-reservation", "SIZE", options->reservation,
                  "what reclaim leaves alone");
    command.value("--cpus", "N", options->cpus, "processors' time, as in 1.5");
    command.value("--cpu-quota", "US", options->quota, "microseconds in each period");
    command.value("--cpu-period", "US", wish.cpu_period, "microseconds");
    command.value("-c,--cpu-shares", "N", wish.cpu_shares, "weight against others, 2 to 262144");
    command.value("--cpuset-cpus", "LIST", wish.cpus, "processors to use, as in 0-3,7");
    command.value("--cpuset-mems", "LIST", wish.mems, "memory nodes to use");
    command.value("--pids-limit", "N", options->pids, "most processes");
    command.value("--blkio-weight", "N", wish.block_io_weight, "10 to 1000");
    command.value("-r,--resources", "FILE", options->file,
                  "OCI's linux.resources instead, - for stdin");
    command.chosen([options, &session] {
        session.chosen = [options, &session] { return update_containers(session, *options); };
    });
}

}  // namespace covey::ctl
