// How a failed call says so: one line on stderr and, with --log, exactly one line in that file.
// Callers parse these lines, so what they take for a meaning of its own ("no such file or
// directory" is "command not found" to Podman) appears only where it is meant. Called by
// commands.cpp. Thread rule: single-threaded. Blocks as the file does.
#pragma once

#include "runtime/commands.hpp"

#include <exception>
#include <string>
#include <string_view>

namespace covey::runtime {

/// Never throws: who cannot log has said it on stderr.
void report_failure(const Globals& globals, std::string_view command,
                    const std::exception& error) noexcept;
/// `--log` names a place that is no file: only stderr has the line.
[[nodiscard]] bool is_other_logger(std::string_view log);
/// Something that does not fail the call: stderr alone.
void report_warning(std::string_view text) noexcept;

/// One line: detail, causes, fix; with the callers' words only for a program that cannot be run.
[[nodiscard]] std::string failure_text(std::string_view command, const std::exception& error);

}  // namespace covey::runtime
