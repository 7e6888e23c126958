// covey-systemd: asks systemd for the scope of a container. Executed by covey-runtime for
// --systemd-cgroup, outside of every container; request.hpp has its arguments and its answer.
#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "systemd/manager.hpp"
#include "systemd/request.hpp"

#include <algorithm>
#include <csignal>

#include <unistd.h>

using namespace covey;

namespace {

constexpr FdRef kAnswer{3};
// Each job has a limit of its own; this is for a systemd that does not even answer.
constexpr unsigned kLongestLife = 100;

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

bool say(const std::string& answer) {
    return sys::write_all(kAnswer, answer).has_value();
}

/// False when nobody hears the answer.
bool carry_out(const systemd::Request& request) {
    using Verb = systemd::Request::Verb;
    systemd::Manager manager{request.user};
    if (request.verb == Verb::stop) {
        manager.stop(request.unit);
        return say("ok\n\n");
    }
    if (request.verb == Verb::set)
        return say("ok\n" + manager.set(request.unit, request.properties) + "\n");
    const auto group = manager.start(request.unit, request.pid, request.properties);
    if (say("ok\n" + group + "\n")) return true;
    // Who asked was killed. The process may have ended before systemd put it into the scope, which
    // then was never populated, so systemd would not hear of its being empty.
    manager.stop(request.unit);
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    ::alarm(kLongestLife);
    (void)std::signal(SIGPIPE, SIG_IGN);
    std::string answer;
    try {
        const std::vector<std::string> words{argv + (argc > 0 ? 1 : 0), argv + argc};
        return carry_out(systemd::parse_request(words)) ? 0 : 1;
    } catch (const Error& error) {
        answer = "error\n" + std::string{code_name(error.code())} + "\n" +
                 one_line(error.detail()) + "\n" + one_line(error.fix()) + "\n";
    } catch (const std::exception& error) {
        answer = "error\ninternal\n" + one_line(error.what()) + "\n\n";
    }
    return say(answer) ? 0 : 1;
}
