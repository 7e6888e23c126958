// The options of one command, as declarations; CLI11 behind them costs seconds for each file that
// sees it. Called by every cmd_*.cpp and app.cpp. Thread rule: one thread. Does not block.
// The variables are filled when the command line is parsed; they must live until then.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace covey::ctl {

using Strings = std::vector<std::string>;

class Options {
  public:
    explicit Options(CLI::App& app) : app_(&app) {}

    /// A command below this one.
    [[nodiscard]] Options command(const std::string& name, const std::string& help) const;
    /// A command that only has commands below it.
    [[nodiscard]] Options group(const std::string& name, const std::string& help) const;
    /// Another word for this command.
    void alias(const std::string& name) const;
    /// Called when the command line names this command; only notes that it did.
    void chosen(std::function<void()> note) const;

    // Words by position, in the order of these calls.
    void required(const std::string& name, std::string& into, const std::string& help) const;
    void required(const std::string& name, Strings& into, const std::string& help) const;
    void optional(const std::string& name, std::string& into, const std::string& help) const;
    void optional(const std::string& name, Strings& into, const std::string& help) const;

    // Options; `names` as in "-f,--force", `what` names the value in the help.
    void flag(const std::string& names, bool& into, const std::string& help) const;
    void value(const std::string& names, const std::string& what, std::string& into,
               const std::string& help) const;
    void value(const std::string& names, const std::string& what, std::optional<double>& into,
               const std::string& help) const;
    void value(const std::string& names, const std::string& what,
               std::optional<std::uint64_t>& into, const std::string& help) const;
    /// May be given several times, one value each.
    void values(const std::string& names, const std::string& what, Strings& into,
                const std::string& help) const;

  private:
    CLI::App* app_;
};

}  // namespace covey::ctl
