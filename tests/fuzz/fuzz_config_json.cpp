// Any bytes as config.json and process.json: the answer is a model that keeps its promises or a
// SpecError that can be shown; never another exception, never a crash, never two opinions on one
// text.
#include "base/json.hpp"
#include "base/text.hpp"
#include "spec/json_reader.hpp"
#include "spec/load.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace covey::spec;

void require(bool holds, const char* promise) {
    if (holds) return;
    std::fprintf(stderr, "broken promise: %s\n", promise);
    std::abort();
}

void check_error(const SpecError& error) {
    require(!error.problems().empty(), "an error names a problem");
    require(error.causes().size() == error.problems().size(), "every problem is a cause");
    require(covey::is_utf8(error.detail()), "the detail can be sent as JSON");
    for (const Problem& problem : error.problems()) {
        require(problem.pointer.empty() || problem.pointer.front() == '/',
                "a pointer is a pointer");
        require(!problem.message.empty(), "a problem says what is wrong");
        require(covey::is_utf8(problem.pointer) && covey::is_utf8(problem.message), "UTF-8");
        require((problem.pointer + problem.message).find('\n') == std::string::npos, "one line");
    }
}

void check_process(const Process& process) {
    require(process.cwd.starts_with('/'), "cwd is absolute");
    require(!process.args.empty() && !process.args.front().empty(), "there is a program");
    for (const auto& entry : process.env) {
        const auto equals = entry.find('=');
        require(equals != std::string::npos && equals > 0, "env is NAME=value");
        require(entry.find('\0') == std::string::npos, "no NUL");
    }
    require(process.user.uid != UINT32_MAX && process.user.gid != UINT32_MAX, "ids are ids");
}

void check_spec(const Spec& spec) {
    require(spec.root.has_value() && !spec.root->path.empty(), "there is a root");
    require(spec.hostname.size() <= 64 && spec.domainname.size() <= 64, "host names fit");
    if (spec.process) check_process(*spec.process);
    for (const auto& mount : spec.mounts) {
        require(mount.destination.starts_with('/'), "destinations are absolute");
    }
    for (const auto& [key, value] : spec.linux.sysctl) {
        require(key.find("..") == std::string::npos && key.front() != '/', "sysctl stays inside");
        require(value.find('\n') == std::string::npos, "a sysctl value is one line");
    }
}

void check_strict(std::string_view text) {
    try {
        const nlohmann::json strict = parse_strict(text, "x");
        require(strict == nlohmann::json::parse(text), "what is accepted means what it says");
    } catch (const SpecError& error) {
        check_error(error);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    check_strict(text);
    try {
        check_spec(load(text));
    } catch (const SpecError& error) {
        check_error(error);
    }
    try {
        check_process(load_process(text));
    } catch (const SpecError& error) {
        check_error(error);
    }
    return 0;
}
