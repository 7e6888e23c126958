#include "ctl/session.hpp"

#include "base/id.hpp"
#include "covey/error.hpp"
#include "ctl/answers.hpp"
#include "ctl/client.hpp"
#include "ctl/curl_line.hpp"
#include "ctl/requests.hpp"
#include "ctl/terminal.hpp"
#include "ctl/text_safety.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace covey::ctl {

std::string Session::look_up(const Request& request) const {
    Answer answer = call(settings.socket, request);
    if (answer.status >= kFirstFailure) throw decode_problem(answer.status, answer.body);
    return std::move(answer.body);
}

std::optional<std::string> Session::ask(const Request& request) const {
    if (settings.curl) {
        print(curl_line(settings.socket, request) + "\n");
        return std::nullopt;
    }
    return look_up(request);
}

std::string Session::container_id(const std::string& name) const {
    const std::size_t slash = name.find('/');
    if (slash == name.npos) {
        require_valid_id(name, "container id");
        return name;
    }
    const std::string sandbox = name.substr(0, slash), container = name.substr(slash + 1);
    require_valid_id(sandbox, "sandbox id");
    require_valid_id(container, "container id");
    if (settings.curl) return container;

    const ContainerAnswer found = decode_container(look_up(get("containers", container)));
    if (found.sandbox != sandbox)
        throw Error(Code::not_found, fmt::format("no container '{}' in sandbox '{}': it is in '{}'",
                                                 container, sandbox, found.sandbox))
            .with_fix(fmt::format("name it {}/{}", found.sandbox, container));
    return container;
}

bool Session::names_only() const noexcept {
    return settings.quiet || settings.format == Format::name;
}

TableStyle Session::table_style() const {
    const FdRef output{STDOUT_FILENO};
    return {settings.headers, is_terminal(output) ? terminal_size(output).columns : 0U};
}

void Session::print_object(const std::string& json, std::string_view name) const {
    if (settings.quiet) return;
    if (settings.format == Format::json)
        print(pretty_json(json) + "\n");
    else
        print(fmt::format("{}\n", name));
}

void print(std::string_view text) {
    sys::write_all(FdRef{STDOUT_FILENO}, text).or_throw("write to standard output");
}

void note(std::string_view text) {
    // Nobody is left to tell when this fails.
    static_cast<void>(sys::write_all(FdRef{STDERR_FILENO}, fmt::format("{}\n", text)).has_value());
}

void print_warnings(const Session& session, const std::vector<std::string>& warnings) {
    if (session.settings.quiet) return;
    for (const auto& warning : warnings)
        note("covey: warning: " + printable(warning));
}

}  // namespace covey::ctl
