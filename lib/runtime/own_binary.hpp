// The program protects its own file (the class of CVE-2019-5736): what runs in a container's
// namespaces before exec must not be the file on the host's disk, which a container that gets hold
// of /proc/<pid>/exe could write to later. So create, run and exec start again from a detached
// read-only mount of it or, where that takes a privilege that is missing, from a sealed copy in
// memory. Called by main first of all. Thread rule: single-threaded. Blocks as an exec does.
#pragma once

#include <string>
#include <vector>

namespace covey::runtime {

/// Returns when this process runs from a protected file already; else executes it from one. Throws
/// when neither way works: nothing weaker is taken.
void run_from_protected_file(const std::vector<std::string>& argv, std::vector<std::string> env);
/// The folder that this program's file is in on the host, also when it runs from a protected one;
/// "" when that cannot be told.
[[nodiscard]] std::string program_folder();
/// The file is reached by a read-only mount or is sealed.
[[nodiscard]] bool is_protected();

}  // namespace covey::runtime
