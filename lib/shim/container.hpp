// One container of the pod, from its launch to its end. container.cpp has its birth, ending.cpp its
// end, execs.cpp the processes added to it, pausing.cpp its standstill and its limits. Its end is
// "its group is empty", not "its init exited". Thread rule: the loop's thread. Nothing here waits:
// every step is a callback of the loop.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "core/messages.hpp"
#include "launch/launcher.hpp"
#include "shim/context.hpp"
#include "shim/group_work.hpp"
#include "shim/record_file.hpp"
#include "sys/process.hpp"
#include "task/freezing.hpp"
#include "task/launching.hpp"
#include "task/loop.hpp"
#include "task/pid1_router.hpp"
#include "task/reaper.hpp"
#include "task/terminal_copy.hpp"
#include "task/updating.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace covey::shim {

class Container {
  public:
    /// Starts the launch; the answer comes when init waits at the gate, or when all is undone.
    Container(const Context& context, core::ContainerConfig config, ReplyTo reply);
    ~Container();
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;

    [[nodiscard]] const core::ContainerFacts& facts() const noexcept { return facts_; }
    [[nodiscard]] std::vector<core::ExecFacts> execs() const;
    /// Its processes are members of the pod's PID namespace itself, and it has run its program.
    [[nodiscard]] bool is_among_pod() const;
    /// One of its processes, now or later, could look into a privileged newborn, or thaw who could.
    [[nodiscard]] bool could_reach_newborn() const;
    /// If one of its processes sees another's: into a group of its own, and so thaw it.
    [[nodiscard]] bool could_move_others() const;
    [[nodiscard]] task::Members::Found as_member() const;
    /// Null: it has ended.
    [[nodiscard]] const cgroup::Group* group() const noexcept;
    /// Its main process and its execs' that have not been reaped, and where they belong.
    [[nodiscard]] bool has_process(pid_t pid) const;
    void add_residents(std::vector<cgroup::Resident>& residents) const;

    void start(ReplyTo reply);
    void kill(const core::KillContainer& request);
    void pause(ReplyTo reply);
    void resume(ReplyTo reply);
    void update(const std::string& resources, ReplyTo reply);
    void resize(std::uint16_t rows, std::uint16_t columns);
    void remove(bool force, ReplyTo reply);
    void exec(core::ExecConfig config, std::vector<UniqueFd> fds, ReplyTo reply);
    void kill_exec(const std::string& id);
    /// For the end of the sandbox. What cannot be done now is done later.
    void kill_everything() noexcept;
    /// Who or what keeps it from ending: "process 4711 (sh), state D, waits in nfs_wait".
    [[nodiscard]] std::string in_the_way() const;

  private:
    struct ExecState;

    /// Throws failed_precondition: it has not begun or has ended; `what` is what cannot be done.
    void require_started(std::string_view what) const;
    void become(core::ContainerState state);
    /// An event of it threw: the way that it was on is taken again.
    void on_trouble(const Error& error);
    void on_stopped(bool stands);
    void tell_pausers(const std::optional<Error>& error);
    /// Pause and resume wait while a launch holds the pod still, some milliseconds.
    bool waits_for_launch(ReplyTo reply, void (Container::*what)(ReplyTo));
    /// The facts, to whoever asked or came after him.
    void tell_facts(ReplyTo reply);
    /// That container of the sandbox, whose main process is alive; throws not_found and
    /// failed_precondition calling it `role`.
    [[nodiscard]] const Container& alive(std::string_view role, const std::string& id) const;
    void check_target() const;
    /// The container in whose PID namespace it is: itself but in mode target.
    [[nodiscard]] const Container* home() const;
    void launch();
    void on_neighbours_due();
    void let_neighbours_go() noexcept;
    [[noreturn]] void run_launcher(launch::ChannelRefs channels);
    [[nodiscard]] plan::LaunchRequest launch_request() const;
    [[nodiscard]] task::Launching::Callbacks launch_callbacks();
    void on_born(launch::Born born);
    void on_ready(UniqueFd terminal);
    void take_terminal(UniqueFd master);
    void on_failed(const Error& error);
    void on_executed();
    /// Throws failed_precondition: init has ended.
    [[nodiscard]] UniqueFd open_gate() const;
    [[nodiscard]] pid_t pod_number(const std::vector<pid_t>& numbers) const;
    void note_process();
    void expect_main();
    /// Reads what launches under way have been told of their children; false: there may be more.
    bool hear_launches();

    [[nodiscard]] static std::uint64_t signal_bit(int signal) noexcept {
        return std::uint64_t{1} << (static_cast<unsigned>(signal) % 64U);
    }
    void note_sent(int signal) noexcept { sent_signals_ |= signal_bit(signal); }
    /// SIGKILL to all that is in the group.
    void kill_group();
    /// Out of memory, and who sent the signal; `sent` has the bits of ours, `ooms` the count
    /// when the process began.
    void explain(core::ExitRecord& exit, std::uint64_t sent, std::uint64_t ooms) const;
    void on_main_exit(sys::ExitStatus status);
    void look_at_end_of_main();
    void finish_if_empty();
    /// Looks again later: kills who is left, and ends what is over.
    void recheck_later();
    void recheck_in(std::chrono::milliseconds wait);
    void announce_end();
    void end_stragglers();
    void look_for_main_later();
    /// Once it is stopped: what is left goes, and whoever asked for that is told.
    void complete_removal();
    /// Those who wait for the end are told who is in its way.
    void give_up_removal();
    void discard();
    void finish();
    [[nodiscard]] core::ExitRecord describe_end();
    void remove_folder();
    [[nodiscard]] std::string reason_of_end() const;

    void launch_exec(ExecState& state, std::vector<UniqueFd> fds);
    [[nodiscard]] task::Launching::Callbacks exec_callbacks(ExecState& state);
    /// In a launcher: `fds` as Exec's.
    [[noreturn]] void run_exec_launcher(const core::ExecConfig& config, FdRef init,
                                        const std::vector<UniqueFd>& fds,
                                        launch::ChannelRefs channels);
    void on_spawner(launch::KeepSpawner spawner);
    /// In the spawner: until the shim lets go of the other end.
    [[noreturn]] void run_spawner(FdRef control);
    void spawn(const core::ExecConfig& config, std::vector<UniqueFd>& fds);
    void ask_spawner(ExecState& state, const std::vector<UniqueFd>& fds,
                     launch::ChannelRefs channels);
    void on_exec_born(ExecState& state, launch::Born born);
    void on_exec_failed(ExecState& state, const Error& error);
    void on_exec_started(ExecState& state);
    void on_exec_exit(ExecState& state, sys::ExitStatus status);
    void on_exec_trouble(ExecState& state, const Error& error);
    void tell_exec_exit(ExecState& state);
    void tell_exec_failure(ExecState& state);
    void answer_execs();
    void forget_execs();
    void sweep_execs();

    const Context& context_;
    core::ContainerFacts facts_;
    task::Owner owner_;
    UniqueFd folder_, group_events_;
    RecordFile record_;
    std::optional<cgroup::Group> group_;
    std::optional<GroupWork> work_;
    task::Watch group_watch_;
    std::unique_ptr<task::Launching> launching_;
    UniqueFd main_;  // pidfd
    task::Reaper::Child main_end_;
    task::Reaper::Listener listener_;
    UniqueFd held_stdin_, terminal_output_, proc_context_;  // the last: lent for the launch
    bool is_in_domain_ = false, executed_early_ = false;
    UniqueFd spawner_, spawner_control_;  // pidfd; with restricted access
    pid_t spawner_pid_ = 0;
    task::Reaper::Child spawner_end_;
    UniqueFd spawner_group_;     // the shim's own, during the launch
    UniqueFd target_namespace_;  // in mode target: to be joined, until it has been
    std::uint64_t hold_ = 0;  // while a launch in mode nested has a privileged process in the pod
    // Until it has cut its privileges nobody knows what it may do.
    bool reaches_ = true, in_own_user_namespace_ = true;
    std::unique_ptr<task::Freezing> pausing_;
    std::vector<ReplyTo> pausers_, remove_replies_;
    std::map<std::uint64_t, std::pair<ReplyTo, task::Timer>> waiting_;  // pauses and resumes
    std::uint64_t next_wait_ = 1;
    std::unique_ptr<task::Updating> updating_;
    std::unique_ptr<task::TerminalCopy> terminal_;
    task::Pid1Router pid1_router_;
    std::optional<sys::ExitStatus> main_exit_;
    std::uint64_t sent_signals_ = 0;     // that we sent to main: it may end by an earlier one
    std::optional<Error> launch_error_;  // the launch failed: everything of it is being undone
    std::optional<ReplyTo> create_reply_, start_reply_;
    std::optional<core::ExitRecord> end_;  // told when its group is gone
    std::chrono::steady_clock::time_point emptied_at_;
    task::Timer recheck_, sweep_, removal_, removal_deadline_, main_look_, undying_;
    int rechecks_ = 0, looks_ = 0;
    std::map<std::string, std::unique_ptr<ExecState>> execs_;
};

}  // namespace covey::shim
