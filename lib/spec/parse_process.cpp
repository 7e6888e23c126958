// config.md#process: what runs in the container, as whom and with which limits.
#include "base/json.hpp"
#include "base/text.hpp"
#include "spec/checks.hpp"
#include "spec/parse.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace covey::spec {
namespace {

using namespace std::string_view_literals;

constexpr std::array kPolicies{"SCHED_OTHER"sv, "SCHED_FIFO"sv, "SCHED_RR"sv,      "SCHED_BATCH"sv,
                               "SCHED_ISO"sv,   "SCHED_IDLE"sv, "SCHED_DEADLINE"sv};
constexpr std::array kSchedulerFlags{
    "SCHED_FLAG_RESET_ON_FORK"sv,  "SCHED_FLAG_RECLAIM"sv,     "SCHED_FLAG_DL_OVERRUN"sv,
    "SCHED_FLAG_KEEP_POLICY"sv,    "SCHED_FLAG_KEEP_PARAMS"sv, "SCHED_FLAG_UTIL_CLAMP_MIN"sv,
    "SCHED_FLAG_UTIL_CLAMP_MAX"sv,
};
constexpr std::array kIoClasses{"IOPRIO_CLASS_RT"sv, "IOPRIO_CLASS_BE"sv, "IOPRIO_CLASS_IDLE"sv};

void parse_user(ObjectReader& reader, User& user) {
    reader.number("uid", user.uid, Need::required, 0U, kLargestId);
    reader.number("gid", user.gid, Need::required, 0U, kLargestId);
    reader.number("umask", user.umask, Need::optional, 0U, 0777U);
    reader.each("additionalGids", [&](const nlohmann::json& element, const Place& place) {
        const auto gid = read_natural(element, 0, kLargestId, place, reader.problems());
        if (gid) user.additional_gids.push_back(static_cast<gid_t>(*gid));
    });
}

void parse_console_size(ObjectReader& reader, ConsoleSize& size) {
    reader.number("height", size.height, Need::required);
    reader.number("width", size.width, Need::required);
}

void parse_capability_set(ObjectReader& reader, std::string_view key, std::uint64_t& mask) {
    std::vector<std::string> names;
    reader.texts(key, names, [&](const std::string& name, const Place& place) {
        const auto number = capability_number(name);
        if (number) {
            mask |= std::uint64_t{1} << static_cast<unsigned>(*number);
            return;
        }
        const std::string upper = to_upper(name);
        const std::string full = upper.starts_with("CAP_") ? upper : "CAP_" + upper;
        reader.problems().add(place, fmt::format("unknown capability {}{}", quote(name),
                                                 did_you_mean(full, capability_names())));
    });
}

void parse_capabilities(ObjectReader& reader, Capabilities& capabilities) {
    parse_capability_set(reader, "bounding", capabilities.bounding);
    parse_capability_set(reader, "effective", capabilities.effective);
    parse_capability_set(reader, "inheritable", capabilities.inheritable);
    parse_capability_set(reader, "permitted", capabilities.permitted);
    parse_capability_set(reader, "ambient", capabilities.ambient);
}

void parse_rlimit(ObjectReader& reader, Rlimit& limit) {
    std::string type;
    limit.resource = -1;
    if (reader.one_of("type", type, rlimit_names(), "rlimit", Need::required)) {
        limit.resource = *rlimit_number(type);
    }
    const bool soft = reader.number("soft", limit.soft, Need::required);
    const bool hard = reader.number("hard", limit.hard, Need::required);
    if (soft && hard && limit.soft > limit.hard) {
        reader.problem("soft",
                       fmt::format("{} is above the hard limit, {}", limit.soft, limit.hard));
    }
}

/// config.md, POSIX process: duplicated entries are an error.
void parse_rlimits(ObjectReader& reader, std::vector<Rlimit>& limits) {
    read_list(reader, "rlimits", limits, parse_rlimit);
    const Place list = reader.at("rlimits");
    for (std::size_t i = 1; i < limits.size(); ++i) {
        const auto same = [&](const Rlimit& other) { return other.resource == limits[i].resource; };
        if (limits[i].resource >= 0 &&
            std::any_of(limits.begin(), limits.begin() + static_cast<std::ptrdiff_t>(i), same)) {
            const Place element{&list, i};
            reader.problems().add(
                Place{&element, "type"},
                fmt::format("{} is given twice", rlimit_name(limits[i].resource)));
        }
    }
}

/// sched_setattr(2): which parameter belongs to which policy.
void check_scheduler(ObjectReader& reader, const Scheduler& scheduler) {
    const auto& policy = scheduler.policy;
    const bool real_time = policy == "SCHED_FIFO" || policy == "SCHED_RR";
    if (scheduler.priority != 0 && !real_time) {
        reader.problem("priority",
                       fmt::format("does not go with policy {}; only with SCHED_FIFO and "
                                   "SCHED_RR",
                                   policy));
    }
    if (real_time && scheduler.priority < 1) {
        reader.problem("priority", fmt::format("must be from 1 to 99 with policy {}", policy));
    }
    const bool deadline = policy == "SCHED_DEADLINE";
    if (!deadline && (scheduler.runtime | scheduler.deadline | scheduler.period) != 0) {
        reader.problem("runtime", "runtime, deadline and period only go with SCHED_DEADLINE");
    }
    if (!deadline) return;
    // sched(7): runtime <= deadline <= period, where a period of 0 means the deadline.
    const std::uint64_t period = scheduler.period != 0 ? scheduler.period : scheduler.deadline;
    if (scheduler.runtime == 0 || scheduler.runtime > scheduler.deadline ||
        scheduler.deadline > period) {
        reader.problem("runtime", "SCHED_DEADLINE needs 0 < runtime <= deadline <= period");
    }
}

void parse_scheduler(ObjectReader& reader, Scheduler& scheduler) {
    reader.one_of("policy", scheduler.policy, kPolicies, "scheduling policy", Need::required);
    reader.number("nice", scheduler.nice, Need::optional, -20, 19);
    reader.number("priority", scheduler.priority, Need::optional, 0, 99);
    reader.texts("flags", scheduler.flags, [&](const std::string& flag, const Place& place) {
        if (std::find(kSchedulerFlags.begin(), kSchedulerFlags.end(), flag) ==
            kSchedulerFlags.end()) {
            reader.problems().add(place, fmt::format("unknown scheduler flag {}{}", quote(flag),
                                                     did_you_mean(flag, kSchedulerFlags)));
        }
    });
    reader.number("runtime", scheduler.runtime);
    reader.number("deadline", scheduler.deadline);
    reader.number("period", scheduler.period);
    if (reader.problems().clean(reader.place().pointer())) check_scheduler(reader, scheduler);
}

void parse_io_priority(ObjectReader& reader, IoPriority& priority) {
    reader.one_of("class", priority.io_class, kIoClasses, "I/O class", Need::required);
    reader.number("priority", priority.priority, Need::required, 0, 7);
}

void parse_cpu_affinity(ObjectReader& reader, ExecCpuAffinity& affinity) {
    const auto list = [&](std::string_view key, std::string& out) {
        if (reader.text(key, out) && !out.empty() && !is_cpu_list(out)) {
            reader.problem(key, fmt::format("{} is not a list of CPUs like 0-3,7", quote(out)));
        }
    };
    list("initial", affinity.initial);
    list("final", affinity.final);
}

void parse_arguments(ObjectReader& reader, Process& process) {
    reader.texts("args", process.args);
    if (reader.find("args", Need::required) == nullptr) return;
    const Place list = reader.at("args");
    if (!reader.problems().clean(list.pointer())) return;
    if (process.args.empty()) {
        reader.problem("args", "must not be empty: its first entry is the program");
    } else if (process.args.front().empty()) {
        reader.problems().add(Place{&list, std::size_t{0}}, "the program's name is empty");
    }
}

}  // namespace

void parse_environment(ObjectReader& reader, std::string_view key, std::vector<std::string>& out) {
    reader.texts(key, out, [&](const std::string& entry, const Place& place) {
        const auto equals = entry.find('=');
        const std::string_view name = std::string_view{entry}.substr(0, equals);
        if (equals == std::string::npos) {
            // Never filled in from the runtime's own environment, nor quoted: it may be a secret.
            reader.problems().add(place, "must be NAME=value");
        } else if (name.empty()) {
            reader.problems().add(place, "the name before '=' is empty");
        } else if (has_control(name)) {
            reader.problems().add(place, "a name must not contain control bytes");
        }
    });
}

void parse_process(ObjectReader& reader, Process& process) {
    reader.boolean("terminal", process.terminal);
    // config.md: runtimes MUST ignore consoleSize without a terminal.
    if (process.terminal) {
        read_object(reader, "consoleSize", process.console_size, parse_console_size);
    }
    if (parse_absolute(reader, "cwd", process.cwd, Need::required) && process.cwd.empty()) {
        reader.problem("cwd", "must be an absolute path, not empty");
    }
    parse_environment(reader, "env", process.env);
    parse_arguments(reader, process);
    parse_rlimits(reader, process.rlimits);
    read_object(reader, "capabilities", process.capabilities, parse_capabilities);
    reader.boolean("noNewPrivileges", process.no_new_privileges);
    reader.number("oomScoreAdj", process.oom_score_adj, Need::optional, -1000, 1000);
    read_object(reader, "user", process.user, parse_user);
    parse_name(reader, "apparmorProfile", process.apparmor_profile);
    parse_name(reader, "selinuxLabel", process.selinux_label);
    read_object(reader, "scheduler", process.scheduler, parse_scheduler);
    read_object(reader, "ioPriority", process.io_priority, parse_io_priority);
    read_object(reader, "execCPUAffinity", process.exec_cpu_affinity, parse_cpu_affinity);
}

}  // namespace covey::spec
