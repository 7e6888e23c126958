#include "plan/operations.hpp"

#include <fmt/format.h>

namespace covey::plan {
namespace {

struct Describe {
    std::string operator()(const MountFilesystem& op) const {
        return fmt::format("mount {} on {}", op.type, op.target);
    }
    std::string operator()(const MountProc& op) const {
        return fmt::format("mount proc on {}", op.target);
    }
    std::string operator()(const MountCgroup& op) const {
        return fmt::format("mount cgroup on {}", op.target);
    }
    std::string operator()(const BindMount& op) const {
        return fmt::format("bind {} to {}", op.host_source, op.target);
    }
    std::string operator()(const Remount& op) const { return fmt::format("remount {}", op.target); }
    std::string operator()(const ShowRoot& op) const {
        return fmt::format("show the other container's root on {}", op.target);
    }
    std::string operator()(const MakeDevice& op) const { return fmt::format("make {}", op.path); }
    std::string operator()(const MakeSymlink& op) const {
        return fmt::format("link {} to {}", op.path, op.target);
    }
    std::string operator()(const BindConsole& op) const {
        return op.on_console ? "bind the terminal to /dev/console" : "open the terminal";
    }
    std::string operator()(const MaskPath& op) const { return fmt::format("mask {}", op.path); }
    std::string operator()(const ReadonlyPath& op) const {
        return fmt::format("make {} read-only", op.path);
    }
    std::string operator()(const ReadonlyRoot&) const { return "make / read-only"; }
};

}  // namespace

std::string describe(const Operation& operation) {
    return std::visit(Describe{}, operation);
}

}  // namespace covey::plan
