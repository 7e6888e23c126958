// The document itself: version, root, host names, hooks, annotations (config.md).
#include "base/json.hpp"
#include "spec/checks.hpp"
#include "spec/parse.hpp"

#include <fmt/format.h>

namespace covey::spec {
namespace {

// HOST_NAME_MAX and the kernel's __NEW_UTS_LEN.
constexpr std::size_t kLongestHostname = 64;

void parse_version(ObjectReader& reader, std::string& out) {
    if (!reader.text("ociVersion", out, Need::required)) return;
    if (!is_semver(out)) {
        reader.problem("ociVersion",
                       fmt::format("{} is not a version of the form 1.2.0", quote(out)));
    } else if (!out.starts_with("1.")) {
        reader.problem("ociVersion",
                       fmt::format("version {} is not supported, only 1.x is", quote(out)));
    }
}

void parse_root(ObjectReader& reader, Root& root) {
    if (reader.text("path", root.path, Need::required) && root.path.empty()) {
        reader.problem("path", "must not be empty");
    }
    reader.boolean("readonly", root.readonly);
}

void parse_hostname(ObjectReader& reader, std::string_view key, std::string& out) {
    if (parse_name(reader, key, out) && out.size() > kLongestHostname) {
        reader.problem(key, fmt::format("is {} bytes long, the kernel takes at most {}", out.size(),
                                        kLongestHostname));
    }
}

void parse_hook(ObjectReader& reader, Hook& hook) {
    if (parse_absolute(reader, "path", hook.path, Need::required) && hook.path.empty()) {
        reader.problem("path", "must not be empty");
    }
    reader.texts("args", hook.args);
    parse_environment(reader, "env", hook.env);
    reader.number("timeout", hook.timeout, Need::optional, 1);
}

void parse_hooks(ObjectReader& reader, Hooks& hooks) {
    read_list(reader, "prestart", hooks.prestart, parse_hook);
    read_list(reader, "createRuntime", hooks.create_runtime, parse_hook);
    read_list(reader, "createContainer", hooks.create_container, parse_hook);
    read_list(reader, "startContainer", hooks.start_container, parse_hook);
    read_list(reader, "poststart", hooks.poststart, parse_hook);
    read_list(reader, "poststop", hooks.poststop, parse_hook);
}

void parse_annotations(ObjectReader& reader, std::map<std::string, std::string>& out) {
    reader.text_map("annotations", out);
    const Place map = reader.at("annotations");
    for (const auto& [key, value] : out) {
        if (key.empty()) reader.problem("annotations", "has an empty key");
        if (has_control(key)) {
            reader.problems().add(Place{&map, key}, "a key must not contain control bytes");
        }
    }
}

}  // namespace

bool parse_absolute(ObjectReader& reader, std::string_view key, std::string& out, Need need) {
    if (!reader.text(key, out, need)) return false;
    if (!out.empty() && !is_absolute(out)) {
        reader.problem(key, fmt::format("must be an absolute path, not {}", quote(out)));
    }
    return true;
}

bool parse_name(ObjectReader& reader, std::string_view key, std::string& out, Need need) {
    if (!reader.text(key, out, need)) return false;
    if (has_control(out)) reader.problem(key, "must not contain control bytes");
    return true;
}

void parse_spec(ObjectReader& reader, Spec& spec) {
    parse_version(reader, spec.oci_version);
    Root root;
    if (read_object(reader, "root", root, parse_root, Need::required)) spec.root = std::move(root);
    read_list(reader, "mounts", spec.mounts, parse_mount);
    read_object(reader, "process", spec.process, parse_process);
    parse_hostname(reader, "hostname", spec.hostname);
    parse_hostname(reader, "domainname", spec.domainname);
    read_object(reader, "hooks", spec.hooks, parse_hooks);
    parse_annotations(reader, spec.annotations);
    read_object(reader, "linux", spec.linux, parse_linux);
}

}  // namespace covey::spec
