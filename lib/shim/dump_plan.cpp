#include "shim/dump_plan.hpp"

#include "launch/launcher.hpp"
#include "plan/compile.hpp"
#include "plan/dump.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace covey::shim {

int dump_plan(const std::string& bundle, const std::string& pid_mode) {
    try {
        const auto mode = spec::pid_mode(pid_mode);
        if (!mode)
            throw Error(Code::invalid_argument, fmt::format("unknown pid mode '{}'", pid_mode))
                .with_fix("use pod, nested, container, target or node");
        plan::LaunchRequest request;
        request.bundle = bundle;
        request.pid_mode = *mode;
        const auto plan = plan::compile(launch::read_bundle(bundle).spec, request, {});
        std::fputs(plan::dump(plan).c_str(), stdout);
        return 0;
    } catch (const Error& error) {
        fmt::print(stderr, "covey-shim: {}\n", error.detail());
        for (const auto& cause : error.causes())
            fmt::print(stderr, "  {}\n", cause);
        if (!error.fix().empty()) fmt::print(stderr, "  fix: {}\n", error.fix());
        return 1;
    }
}

}  // namespace covey::shim
