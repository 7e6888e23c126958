#include "base/json.hpp"
#include "core/codec.hpp"
#include "covey/error.hpp"

#include <array>
#include <utility>

namespace covey::core {
namespace {

constexpr std::array kWishNames{
    std::pair{NamespaceWish::Kind::create, std::string_view{"create"}},
    std::pair{NamespaceWish::Kind::host, std::string_view{"host"}},
    std::pair{NamespaceWish::Kind::path, std::string_view{"path"}},
};

std::string_view wish_name(NamespaceWish::Kind kind) {
    for (const auto& [value, name] : kWishNames)
        if (value == kind) return name;
    return "create";
}

Json wish_json(const NamespaceWish& wish) {
    Json json{{"kind", wish_name(wish.kind)}, {"path", text_json(wish.path)}};
    if (!wish.uid_mappings.empty()) json["uidMappings"] = id_mappings_json(wish.uid_mappings);
    if (!wish.gid_mappings.empty()) json["gidMappings"] = id_mappings_json(wish.gid_mappings);
    return json;
}

NamespaceWish read_wish(Fields fields) {
    NamespaceWish wish;
    const auto word = fields.text("kind");
    bool known = false;
    for (const auto& [value, name] : kWishNames)
        if (name == word) {
            wish.kind = value;
            known = true;
        }
    if (!known) fields.refuse("kind", "create, host or path");
    wish.path = fields.text("path");
    wish.uid_mappings = fields.id_mappings("uidMappings");
    wish.gid_mappings = fields.id_mappings("gidMappings");
    fields.refuse_others();
    return wish;
}

Json stdio_json(const Stdio& stdio) {
    return Json{
        {"in", text_json(stdio.in)}, {"out", text_json(stdio.out)}, {"err", text_json(stdio.err)}};
}

Stdio read_stdio(Fields fields) {
    Stdio stdio{fields.text("in"), fields.text("out"), fields.text("err")};
    fields.refuse_others();
    return stdio;
}

}  // namespace

Json to_json(const SandboxConfig& config) {
    Json namespaces = Json::object();
    for (const auto& [type, wish] : config.namespaces)
        namespaces[type] = wish_json(wish);
    return Json{{"id", text_json(config.id)},
                {"hostname", text_json(config.hostname)},
                {"namespaces", std::move(namespaces)},
                {"sysctls", text_map_json(config.sysctls)},
                {"cgroupParent", text_json(config.cgroup_parent)}};
}

SandboxConfig read_sandbox_config(Fields fields) {
    SandboxConfig config;
    config.id = fields.text("id");
    config.hostname = fields.text("hostname");
    const Json& namespaces = fields.required("namespaces");
    if (!namespaces.is_object()) fields.refuse("namespaces", "an object");
    for (const auto& [type, wish] : namespaces.items())
        config.namespaces.emplace(
            type, read_wish(Fields{wish, fields.path_of("namespaces") + "." + type}));
    config.sysctls = fields.text_map("sysctls");
    config.cgroup_parent = fields.text("cgroupParent");
    fields.refuse_others();
    return config;
}

Json to_json(const ContainerConfig& config) {
    Json json{{"id", text_json(config.id)},
              {"bundle", text_json(config.bundle)},
              {"pidMode", spec::pid_mode_name(config.pid_mode)},
              {"addCapabilities", config.add_capabilities},
              {"dropCapabilities", config.drop_capabilities},
              {"stdio", stdio_json(config.stdio)},
              {"target", text_json(config.target)},
              {"access", spec::access_words(config.access)}};
    // Shims of an earlier version know none of these, and need not for a container that has none.
    if (config.pid1_signals != spec::Pid1Signals::ignore)
        json["pid1Signals"] = spec::pid1_signals_name(config.pid1_signals);
    if (!config.view.empty()) json["view"] = text_json(config.view);
    if (config.holds) json["holds"] = true;
    return json;
}

ContainerConfig read_container_config(Fields& fields) {
    ContainerConfig config;
    config.id = fields.text("id");
    config.bundle = fields.text("bundle");
    const auto mode = spec::pid_mode(fields.text("pidMode"));
    if (!mode) fields.refuse("pidMode", "one of the pid modes");
    config.pid_mode = *mode;
    config.add_capabilities = fields.number<std::uint64_t>("addCapabilities");
    config.drop_capabilities = fields.number<std::uint64_t>("dropCapabilities");
    config.stdio = read_stdio(fields.object("stdio"));
    config.target = fields.text("target");
    const auto access = spec::access_of_words(fields.text_map("access"));
    if (!access) fields.refuse("access", "see, signal and inspect, each own or pod");
    config.access = *access;
    if (fields.find("pid1Signals") != nullptr) {
        const auto choice = spec::pid1_signals(fields.text("pid1Signals"));
        if (!choice) fields.refuse("pid1Signals", "ignore or route");
        config.pid1_signals = *choice;
    }
    if (fields.find("view") != nullptr) config.view = fields.text("view");
    if (fields.find("holds") != nullptr) config.holds = fields.flag("holds");
    return config;
}

Json to_json(const ExecConfig& config) {
    Json json{{"container", text_json(config.container)},
              {"exec", text_json(config.exec)},
              {"args", texts_json(config.args)},
              {"env", texts_json(config.env)},
              {"terminal", config.terminal},
              {"rows", config.rows},
              {"columns", config.columns},
              {"addCapabilities", config.add_capabilities}};
    if (config.uid) json["uid"] = *config.uid;
    if (config.gid) json["gid"] = *config.gid;
    if (config.cwd) json["cwd"] = text_json(*config.cwd);
    return json;
}

ExecConfig read_exec_config(Fields fields) {
    ExecConfig config;
    config.container = fields.text("container");
    config.exec = fields.text("exec");
    config.args = fields.texts("args");
    config.env = fields.texts("env");
    config.terminal = fields.flag("terminal");
    config.rows = fields.number<std::uint16_t>("rows");
    config.columns = fields.number<std::uint16_t>("columns");
    config.add_capabilities = fields.number<std::uint64_t>("addCapabilities");
    if (fields.find("uid") != nullptr) config.uid = fields.number<uid_t>("uid");
    if (fields.find("gid") != nullptr) config.gid = fields.number<gid_t>("gid");
    if (fields.find("cwd") != nullptr) config.cwd = fields.text("cwd");
    fields.refuse_others();
    return config;
}

}  // namespace covey::core
