#include "spec/load.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "spec/json_reader.hpp"
#include "spec/parse.hpp"

#include <fmt/format.h>

namespace covey::spec {
namespace {

nlohmann::json read(std::string_view text, std::string_view document) {
    if (text.size() > kLargestConfig) {
        throw SpecError(document, {{"", fmt::format("is {} bytes long; at most {} are read",
                                                    text.size(), kLargestConfig)}});
    }
    return parse_strict(text, document, kDeepestJson);
}

/// Every problem of the document at once.
template <typename Value, typename Parse>
Value load_document(std::string_view text, std::string_view name, Parse parse) {
    const nlohmann::json document = read(text, name);
    Collector problems;
    const Place root;
    ObjectReader reader{document, root, problems};
    Value value;
    if (reader.is_object()) parse(reader, value, problems);
    if (!problems.empty()) throw SpecError(name, problems.take());
    return value;
}

}  // namespace

Spec load(std::string_view text) {
    return load_document<Spec>(text, "config.json", [](auto& reader, auto& spec, auto& problems) {
        parse_spec(reader, spec);
        validate(spec, problems);
        if (auto& resources = spec.linux.resources;
            resources && resources->pids_limit == 0 && !limits_to_no_process(spec.oci_version))
            resources->pids_limit = -1;
    });
}

bool limits_to_no_process(std::string_view oci_version) noexcept {
    constexpr std::uint32_t kFirst = 3;
    if (!oci_version.starts_with("1.")) return true;
    const auto rest = oci_version.substr(2);
    const auto minor = parse_u32(rest.substr(0, rest.find('.')));
    return !minor || *minor >= kFirst;
}

Process load_process(std::string_view text) {
    return load_document<Process>(
        text, "process.json",
        [](auto& reader, auto& process, Collector&) { parse_process(reader, process); });
}

Resources load_resources(std::string_view text) {
    return load_document<Resources>(
        text, "resources",
        [](auto& reader, auto& resources, Collector&) { parse_resources(reader, resources); });
}

}  // namespace covey::spec
