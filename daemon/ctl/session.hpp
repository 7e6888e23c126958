// One run of the command: its global options, the calls it makes, what it prints. Every cmd_*.cpp
// gets one. Thread rule: one thread. Calls block until coveyd has answered.
#pragma once

#include "ctl/client.hpp"
#include "ctl/table.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::ctl {

inline constexpr std::string_view kDefaultSocket = "/run/covey/covey.sock";

enum class Format { table, wide, json, name };

struct Settings {
    std::string socket{kDefaultSocket};
    Format format = Format::table;
    bool headers = true;
    bool quiet = false;    // lists: names only; else: no answer, errors only
    bool curl = false;     // print the calls instead of making them
    bool verbose = false;  // errors with code and causes
};

class Session {
  public:
    Settings settings;
    /// What came after "--" on the command line.
    std::vector<std::string> trailing;
    /// The command's work; set by its parser, run by app.cpp. Answers the exit status.
    std::function<int()> chosen;
    /// Whether the chosen command runs a program of the user's: it takes `trailing`, and when it
    /// fails itself its exit status is 125, which no program's is taken for.
    bool runs_a_program = false;

    /// Makes the call and answers its body; with --curl prints it and answers nothing. A failure
    /// throws the problem that coveyd reported.
    std::optional<std::string> ask(const Request& request) const;
    /// Makes the call even with --curl: for looking things up on the way.
    [[nodiscard]] std::string look_up(const Request& request) const;

    /// "SANDBOX/CONTAINER" or "CONTAINER" → the container's id. Throws not_found when the container
    /// is not in that sandbox.
    [[nodiscard]] std::string container_id(const std::string& name) const;

    [[nodiscard]] bool names_only() const noexcept;
    [[nodiscard]] TableStyle table_style() const;
    /// An answer that is one object: JSON with -o json, its name with -o name, nothing with -q.
    void print_object(const std::string& json, std::string_view name) const;
};

/// To standard output; a failed write ends the command (Error).
void print(std::string_view text);
/// A note for people on standard error.
void note(std::string_view text);
/// "covey: warning: …" for each, on standard error, unless -q.
void print_warnings(const Session& session, const std::vector<std::string>& warnings);

}  // namespace covey::ctl
