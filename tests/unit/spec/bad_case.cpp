#include "unit/spec/bad_case.hpp"

#include "base/json.hpp"
#include "catch.hpp"
#include "spec/load.hpp"

#include <vector>

namespace covey::test {
namespace {

std::vector<spec::Problem> problems_of(const std::string& text) {
    try {
        (void)spec::load(text);
    } catch (const spec::SpecError& error) {
        return error.problems();
    }
    return {};
}

std::string listed(const std::vector<spec::Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        text += problem.pointer + ": " + problem.message + "\n";
    }
    return text;
}

}  // namespace

std::string changed(std::string_view set, std::string_view value) {
    nlohmann::json document = nlohmann::json::parse(full_config());
    const nlohmann::json::json_pointer pointer{std::string{set}};
    if (value.empty()) {
        nlohmann::json& parent = document.at(pointer.parent_pointer());
        if (parent.is_array()) {
            parent.erase(std::stoul(pointer.back()));
        } else {
            parent.erase(pointer.back());
        }
    } else {
        document[pointer] = nlohmann::json::parse(value);
    }
    return document.dump();
}

void check(std::span<const BadCase> cases) {
    for (const BadCase& bad : cases) {
        const auto problems = problems_of(changed(bad.set, bad.value));
        INFO(bad.set << " = " << bad.value << "\n" << listed(problems));
        CHECK(problems.size() == 1);
        if (problems.empty()) continue;
        CHECK(problems.front().pointer == bad.pointer);
        CHECK(problems.front().message.find(bad.word) != std::string::npos);
    }
}

}  // namespace covey::test
