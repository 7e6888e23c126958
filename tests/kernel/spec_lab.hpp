// Containers as covey-runtime launches them: by the spec alone, without a sandbox. The test is what
// the command is there: it makes the group and the state folder, runs the launcher and is init's
// parent. Used by tests/kernel/spec_*_test.cpp. Thread rule: the test thread. Everything waits, at
// most kLong.
#pragma once

#include "kernel/cgroup_tree.hpp"
#include "kernel/pod_lab.hpp"
#include "launch/exec_join.hpp"
#include "launch/launcher.hpp"
#include "task/launching.hpp"

#include <memory>

namespace covey::test {

/// What was heard of one launch.
class SpecLaunch {
  public:
    SpecLaunch(launch::Channels channels, sys::Child launcher, std::string group,
               launch::HandShake::Expect expect);
    /// Until init waits at its gate, and the launcher is reaped; throws what the launch failed
    /// with.
    launch::Born await_ready();
    /// Until the program runs, or has ended.
    launch::Born await_execution();

  private:
    launch::Born await(bool& done);

    task::Loop loop_;
    task::Owner owner_{loop_, "launch", {}};
    task::Reaper reaper_{loop_};
    // init is reaped by the test.
    task::Reaper::Listener others_ = reaper_.listen_first(owner_, [] { return false; });
    launch::Born born_;
    UniqueFd terminal_;
    std::optional<Error> failure_;
    bool is_ready_ = false, has_executed_ = false;
    cgroup::Host host_;
    std::unique_ptr<task::Launching> launching_;
};

struct SpecContainer {
    pid_t pid = 0;
    UniqueFd pidfd, folder;
    std::unique_ptr<SpecLaunch> launch;
    UniqueFd terminal;
    std::vector<std::string> warnings;
    std::optional<cgroup::Group> group;
    std::string out, err;  // paths
};

class SpecLab {
  public:
    SpecLab();
    [[nodiscard]] const Bundle& bundle() const { return bundle_; }
    [[nodiscard]] const std::string& folder() const { return folder_.path(); }
    /// What goes to the launcher besides the bundle; the rule is `spec` from the start.
    [[nodiscard]] launch::LaunchInput& input() { return input_; }

    /// Throws what the launch failed with, after everything of it is gone.
    SpecContainer create(const BundleOptions& options);
    SpecContainer start(const BundleOptions& options);
    SpecContainer start(const Words& words, const std::string& patch = "{}") {
        return start(probe_bundle(words, patch));
    }
    static void open_gate(SpecContainer& container);
    /// Kills what is left and removes the group.
    void remove(SpecContainer& container);
    Outcome finish(SpecContainer container);
    /// Probe words in a running container.
    Outcome exec(const SpecContainer& container, const Words& words,
                 plan::ExecRequest request = {});
    Outcome run(const Words& words, const std::string& patch = "{}");
    Outcome run(const BundleOptions& options) { return finish(start(options)); }
    Error refused(const BundleOptions& options);
    Error refused(const std::string& patch) { return refused(probe_bundle({"state"}, patch)); }

    /// Runs in the launcher's process before it begins.
    std::function<void()> before;
    bool without_cgroup = false;

  private:
    Bundle bundle_;
    TemporaryFolder folder_;
    CgroupTree tree_;
    launch::LaunchInput input_;
    int number_ = 0;
};

}  // namespace covey::test
