#include "ctl/options.hpp"

#include <CLI/CLI.hpp>

#include <utility>

namespace covey::ctl {

Options Options::command(const std::string& name, const std::string& help) const {
    return Options(*app_->add_subcommand(name, help));
}

Options Options::group(const std::string& name, const std::string& help) const {
    CLI::App* app = app_->add_subcommand(name, help);
    app->require_subcommand(0, 1);
    return Options(*app);
}

void Options::alias(const std::string& name) const {
    app_->alias(name);
}

void Options::chosen(std::function<void()> note) const {
    app_->callback(std::move(note));
}

void Options::required(const std::string& name, std::string& into, const std::string& help) const {
    app_->add_option(name, into, help)->required();
}

void Options::required(const std::string& name, Strings& into, const std::string& help) const {
    app_->add_option(name, into, help)->required();
}

void Options::optional(const std::string& name, std::string& into, const std::string& help) const {
    app_->add_option(name, into, help);
}

void Options::optional(const std::string& name, Strings& into, const std::string& help) const {
    app_->add_option(name, into, help);
}

void Options::flag(const std::string& names, bool& into, const std::string& help) const {
    app_->add_flag(names, into, help);
}

void Options::value(const std::string& names, const std::string& what, std::string& into,
                    const std::string& help) const {
    app_->add_option(names, into, help)->type_name(what);
}

void Options::value(const std::string& names, const std::string& what, std::optional<double>& into,
                    const std::string& help) const {
    app_->add_option(names, into, help)->type_name(what);
}

void Options::value(const std::string& names, const std::string& what,
                    std::optional<std::uint64_t>& into, const std::string& help) const {
    app_->add_option(names, into, help)->type_name(what);
}

void Options::values(const std::string& names, const std::string& what, Strings& into,
                     const std::string& help) const {
    // One value each time, so that what follows is not taken for another one.
    app_->add_option(names, into, help)
        ->type_name(what)
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
}

}  // namespace covey::ctl
