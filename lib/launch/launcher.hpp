// The launcher: a fork of the single-threaded shim (or covey-runtime) that reads the bundle,
// compiles the plan, builds the container's world outside the pod, clones init as its parent's
// child (CLONE_PARENT) and ends. Its steps, in order, are the private functions of launcher.cpp;
// docs/LAUNCH.md tells why they stand in that order ("born clean and born dropped"). Thread rule:
// single-threaded, in a process of its own. Blocks as files and mounts do.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "launch/stdio.hpp"
#include "plan/compile.hpp"

#include <string>

namespace covey::launch {

/// The pod's namespaces, as nsfs descriptors; an invalid one: the pod has the host's.
struct PodNamespaces {
    FdRef pid{-1}, net{-1}, ipc{-1}, uts{-1}, time{-1};
    /// For kernels without `pidns=`, else invalid: a mount namespace whose root is a procfs of the
    /// pod, for clones, and a context good for one superblock more (docs/decisions/002).
    FdRef proc_keeper{-1}, proc_context{-1};
};

struct LaunchInput {
    plan::LaunchRequest request;
    plan::CompileOptions compile;
    StdioNames stdio;
    PodNamespaces pod;
    const cgroup::Host* cgroups = nullptr;
    std::string cgroup_path;  // the container's group; the caller was born in it on v2
    FdRef state_folder{-1};   // the container's: start.fifo is there, config.json goes there
    FdRef handshake{-1};      // launch/message.hpp
};

/// Runs in the launcher process and ends it: status 0 after Born was sent, else 1 after Failed.
[[noreturn]] void run_launcher(const LaunchInput& input) noexcept;

/// The bundle's checked configuration. Used by run_launcher and by --dump-plan.
struct Bundle {
    std::string text;  // config.json as it is
    spec::Spec spec;
};
[[nodiscard]] Bundle read_bundle(const std::string& folder);

inline constexpr const char* kGateName = "start.fifo";
inline constexpr const char* kConfigName = "config.json";

}  // namespace covey::launch
