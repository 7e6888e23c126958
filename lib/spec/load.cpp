#include "spec/load.hpp"

#include "spec/json_reader.hpp"
#include "spec/parse.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace covey::spec {
namespace {

nlohmann::json read(std::string_view text, std::string_view document) {
    if (text.size() > kLargestConfig) {
        throw SpecError(document, {{"", fmt::format("is {} bytes long; at most {} are read",
                                                    text.size(), kLargestConfig)}});
    }
    return parse_strict(text, document, kDeepestJson);
}

}  // namespace

Spec load(std::string_view text) {
    constexpr std::string_view kDocument = "config.json";
    const nlohmann::json document = read(text, kDocument);
    Collector problems;
    const Place root;
    ObjectReader reader{document, root, problems};
    Spec spec;
    if (reader.is_object()) {
        parse_spec(reader, spec);
        validate(spec, problems);
    }
    if (!problems.empty()) throw SpecError(kDocument, problems.take());
    return spec;
}

Process load_process(std::string_view text) {
    constexpr std::string_view kDocument = "process.json";
    const nlohmann::json document = read(text, kDocument);
    Collector problems;
    const Place root;
    ObjectReader reader{document, root, problems};
    Process process;
    if (reader.is_object()) parse_process(reader, process);
    if (!problems.empty()) throw SpecError(kDocument, problems.take());
    return process;
}

Resources load_resources(std::string_view text) {
    constexpr std::string_view kDocument = "resources";
    const nlohmann::json document = read(text, kDocument);
    Collector problems;
    const Place root;
    ObjectReader reader{document, root, problems};
    Resources resources;
    if (reader.is_object()) parse_resources(reader, resources);
    if (!problems.empty()) throw SpecError(kDocument, problems.take());
    return resources;
}

}  // namespace covey::spec
