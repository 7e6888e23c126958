// Every command of covey, one cmd_*.cpp each. A function here adds the command's options to the
// parser; when the command is chosen it puts the work into `session.chosen`.
// Called by app.cpp only. Thread rule: one thread. Do not block.
#pragma once

#include "ctl/session.hpp"

namespace CLI {
class App;
}

namespace covey::ctl {

void add_doctor(CLI::App& app, Session& session);
void add_events(CLI::App& app, Session& session);
void add_exec(CLI::App& app, Session& session);
void add_inspect(CLI::App& app, Session& session);
void add_kill(CLI::App& app, Session& session);
void add_ps(CLI::App& app, Session& session);
void add_rm(CLI::App& app, Session& session);
void add_run(CLI::App& app, Session& session);
void add_sandbox(CLI::App& app, Session& session);
void add_start(CLI::App& app, Session& session);
void add_stop(CLI::App& app, Session& session);
void add_tree(CLI::App& app, Session& session);
void add_version(CLI::App& app, Session& session);
void add_wait(CLI::App& app, Session& session);

}  // namespace covey::ctl
