// The container's init in tests: one static program without dependencies that says what it sees and
// tries what it is told. Each sub-command prints its answer on stdout; `--` separates several that
// run one after the other. Thread rule: single-threaded. README.md lists the sub-commands.
#pragma once

#include <string>
#include <vector>

namespace probe {

using Arguments = std::vector<std::string>;

/// Each is given the words after its name and returns its exit status.
int state(const Arguments& arguments);
int ids(const Arguments& arguments);
int mounts(const Arguments& arguments);
int hostile(const Arguments& arguments);
int hold(const Arguments& arguments);
int prowl(const Arguments& arguments);
int burden(const Arguments& arguments);
int traced_thread(const Arguments& arguments);
int two_threads(const Arguments& arguments);
int unfreezable(const Arguments& arguments);
int undying(const Arguments& arguments);
int deep_groups(const Arguments& arguments);
int wide_groups(const Arguments& arguments);
int own_cgroups(const Arguments& arguments);
int own_proc(const Arguments& arguments);
int key(const Arguments& arguments);

/// Runs one sub-command by name (the first word).
int run(const Arguments& words);

/// argv as the kernel gave it, for `state`.
void remember_argv(int argc, char** argv);

/// A JSON string, quotes included; bytes that are no UTF-8 are passed on as they are.
std::string quoted(const std::string& text);
std::string quoted_list(const std::vector<std::string>& items);
/// Empty when the file cannot be read.
std::string slurp(const std::string& path);
/// "?" and the errno's name when it is no readable link.
std::string link_target(const std::string& path);
/// Names in a folder without "." and "..", sorted.
std::vector<std::string> list(const std::string& path);
/// Prints "ok" or the errno's name; returns 0 or 1.
int say_result(long result);
void say(const std::string& line);
/// Seconds of the monotonic clock.
double now();

}  // namespace probe
