// Configurations for the tests of lib/plan: what `runc spec` writes, and changes to it.
#pragma once

#include "base/json.hpp"
#include "plan/compile.hpp"
#include "plan/environment.hpp"
#include "spec/load.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace covey::plan::test {

using Json = nlohmann::json;

inline std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw std::runtime_error("cannot read " + path);
    return text.str();
}

inline std::string golden(const std::string& name) {
    return std::string(COVEY_SOURCE_DIR) + "/tests/golden/plan/" + name;
}

/// `runc spec` with only the command changed, with an RFC 7396 merge patch on it.
inline Json config(const std::string& patch = "{}") {
    auto json = Json::parse(read_text(golden("runc-default.config.json")));
    json.merge_patch(Json::parse(patch));
    return json;
}

/// The same without a terminal and with these mounts only.
inline Json config_with_mounts(const std::string& mounts) {
    auto json = config(R"({"process": {"terminal": false}, "linux": {"maskedPaths": null,
                           "readonlyPaths": null}, "root": {"readonly": false}})");
    json["mounts"] = Json::parse(mounts);
    return json;
}

inline LaunchRequest request(spec::PidMode mode = spec::PidMode::container) {
    LaunchRequest request;
    request.bundle = "/bundle";
    request.pid_mode = mode;
    return request;
}

inline LaunchPlan plan_of(const Json& json, const LaunchRequest& with = request()) {
    return compile(spec::load(json.dump()), with, {});
}

inline ProcessPlan exec_of(const Json& json, const ExecRequest& exec,
                           const LaunchRequest& with = request()) {
    return compile_exec(spec::load(json.dump()), with, exec, {});
}

/// "pointer: message" of each problem, sorted; empty when it compiles.
inline std::vector<std::string> problems_of(const Json& json,
                                            const LaunchRequest& with = request()) {
    const auto parsed = spec::load(json.dump());
    std::vector<std::string> lines;
    try {
        static_cast<void>(compile(parsed, with, {}));
    } catch (const spec::SpecError& error) {
        for (const auto& problem : error.problems())
            lines.push_back(problem.pointer + ": " + problem.message);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

/// The one problem's pointer, or a text that says how many there are.
inline std::string pointer_of(const Json& json, const LaunchRequest& with = request()) {
    const auto lines = problems_of(json, with);
    if (lines.size() != 1) {
        std::string text = std::to_string(lines.size()) + " problems";
        for (const auto& line : lines)
            text += "; " + line;
        return text;
    }
    return lines.front().substr(0, lines.front().find(": "));
}

inline bool has_warning(const LaunchPlan& plan, const std::string& part) {
    return std::any_of(plan.warnings.begin(), plan.warnings.end(), [&](const auto& warning) {
        return warning.find(part) != std::string::npos;
    });
}

/// Descriptions in order, protections at the end.
inline std::vector<std::string> described(const LaunchPlan& plan) {
    std::vector<std::string> lines;
    for (const auto* list : {&plan.operations, &plan.protections})
        for (const auto& operation : *list)
            lines.push_back(describe(operation));
    return lines;
}

template <typename T>
std::vector<T> bodies(const LaunchPlan& plan) {
    std::vector<T> found;
    for (const auto* list : {&plan.operations, &plan.protections})
        for (const auto& operation : *list)
            if (const auto* body = std::get_if<T>(&operation)) found.push_back(*body);
    return found;
}

}  // namespace covey::plan::test
