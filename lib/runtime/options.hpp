// The command line, read by glibc's getopt_long_only: one dash or two, `--name value` or
// `--name=value`, repeated flags (the last counts), `--flag=true`. Called by main and by each
// command. Thread rule: single-threaded (getopt has static state). Does not block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace covey::runtime {

/// The flags that one command (or the program itself) knows; each is bound to where its value goes.
class Flags {
  public:
    /// `letter` 0: none. `--name`, `--name=true`, `--name=false`.
    Flags& boolean(const char* name, char letter, bool& target, const char* help);
    Flags& text(const char* name, char letter, std::string& target, const char* help);
    /// Each occurrence adds one.
    Flags& texts(const char* name, char letter, std::vector<std::string>& target, const char* help);

    /// Reads `words` (without the program's name) up to their end, or, when `stop_after` words that
    /// are no flags have been seen, up to there: what follows is taken as it is (0: the first such
    /// word ends it, -1: flags may stand anywhere). Returns the words that are no flags.
    /// Throws invalid_argument naming the flag, with the nearest one as the fix.
    std::vector<std::string> parse(const std::vector<std::string>& words, int stop_after);

    /// What parse() reads the same values from: "--name=value", without those that are empty or
    /// false.
    [[nodiscard]] std::vector<std::string> words() const;
    /// Set by parse: `--help` or `-h` was there.
    [[nodiscard]] bool wants_help() const noexcept { return help_; }
    /// One line for each flag.
    [[nodiscard]] std::string describe() const;

  private:
    struct Flag {
        const char* name;
        char letter;
        const char* help;
        bool* boolean = nullptr;
        std::string* text = nullptr;
        std::vector<std::string>* texts = nullptr;
    };
    void set(const Flag& flag, const char* value) const;
    [[noreturn]] void refuse(std::string_view word) const;

    std::vector<Flag> flags_;
    bool help_ = false;
};

/// Digits that fit, else invalid_argument naming the flag.
[[nodiscard]] unsigned parse_count(std::string_view value, std::string_view flag, unsigned most);
/// `--format` of the commands that print a table or JSON; else invalid_argument.
void require_known_format(std::string_view format);

}  // namespace covey::runtime
