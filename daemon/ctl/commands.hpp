// Every command of covey, one cmd_*.cpp each. A function here adds the command's options to the
// parser; when the command is chosen it puts the work into `session.chosen`.
// Called by app.cpp only. Thread rule: one thread. Do not block.
#pragma once

#include "ctl/options.hpp"
#include "ctl/session.hpp"

namespace covey::ctl {

void add_access(const Options& app, Session& session);
void add_debug(const Options& app, Session& session);
void add_doctor(const Options& app, Session& session);
void add_events(const Options& app, Session& session);
void add_exec(const Options& app, Session& session);
void add_inspect(const Options& app, Session& session);
void add_kill(const Options& app, Session& session);
void add_pause(const Options& app, Session& session);
void add_ps(const Options& app, Session& session);
void add_resize(const Options& app, Session& session);
void add_resume(const Options& app, Session& session);
void add_rm(const Options& app, Session& session);
void add_run(const Options& app, Session& session);
void add_sandbox(const Options& app, Session& session);
void add_start(const Options& app, Session& session);
void add_stop(const Options& app, Session& session);
void add_top(const Options& app, Session& session);
void add_tree(const Options& app, Session& session);
void add_update(const Options& app, Session& session);
void add_version(const Options& app, Session& session);
void add_wait(const Options& app, Session& session);

}  // namespace covey::ctl
