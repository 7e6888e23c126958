#include "base/json.hpp"
#include "core/codec.hpp"
#include "core/protocol.hpp"

#include <array>

namespace covey::core {
namespace {

Json put_reply(const Done&) {
    return Json::object();
}
Json put_reply(const SandboxFacts& facts) {
    return Json{{"facts", to_json(facts)}};
}
Json put_reply(const ContainerFacts& facts) {
    return Json{{"facts", to_json(facts)}};
}
Json put_reply(const ExecFacts& facts) {
    return Json{{"facts", to_json(facts)}};
}
Json put_reply(const Error& error) {
    return Json{{"error", to_json(error)}};
}

// In the order of StatusItem's alternatives.
constexpr std::array<std::string_view, 3> kItemKinds{"sandbox", "container", "exec"};

Json put_reply(const StatusItem& item) {
    Json json = std::visit([](const auto& facts) { return put_reply(facts); }, item.item);
    json["kind"] = kItemKinds[item.item.index()];
    return json;
}

StatusItem read_status_item(Fields& fields) {
    const auto kind = fields.text("kind");
    if (kind == kItemKinds[0]) return {read_sandbox_facts(fields.object("facts"))};
    if (kind == kItemKinds[1]) return {read_container_facts(fields.object("facts"))};
    if (kind == kItemKinds[2]) return {read_exec_facts(fields.object("facts"))};
    fields.refuse("kind", "sandbox, container or exec");
}

struct ReplyKind {
    std::string_view name;
    ReplyBody (*read)(Fields& fields);
};

// In the order of ReplyBody's alternatives.
constexpr std::array<ReplyKind, 6> kReplies{{
    {"done", [](Fields&) -> ReplyBody { return Done{}; }},
    {"sandbox",
     [](Fields& fields) -> ReplyBody { return read_sandbox_facts(fields.object("facts")); }},
    {"container",
     [](Fields& fields) -> ReplyBody { return read_container_facts(fields.object("facts")); }},
    {"exec", [](Fields& fields) -> ReplyBody { return read_exec_facts(fields.object("facts")); }},
    {"item", [](Fields& fields) -> ReplyBody { return read_status_item(fields); }},
    {"error", [](Fields& fields) -> ReplyBody { return read_error(fields.object("error")); }},
}};
static_assert(kReplies.size() == std::variant_size_v<ReplyBody>);

Json put_reply(const ContainerExited& event) {
    return Json{{"id", text_json(event.id)}, {"exit", to_json(event.exit)}};
}
Json put_reply(const ExecExited& event) {
    return Json{{"container", text_json(event.container)},
                {"exec", text_json(event.exec)},
                {"exit", to_json(event.exit)}};
}
Json put_reply(const SandboxStopped& event) {
    Json json{{"reason", text_json(event.reason)}};
    if (event.exit) json["exit"] = to_json(*event.exit);
    return json;
}

Json put_reply(const ContainerStarted& event) {
    return Json{{"facts", to_json(event.facts)}};
}

struct EventKind {
    std::string_view name;
    Event (*read)(Fields& fields);
};

// In the order of Event's alternatives.
constexpr std::array<EventKind, 4> kEvents{{
    {"containerExited",
     [](Fields& fields) -> Event {
         return ContainerExited{fields.text("id"), read_exit_record(fields.object("exit"))};
     }},
    {"execExited",
     [](Fields& fields) -> Event {
         return ExecExited{fields.text("container"), fields.text("exec"),
                           read_exit_record(fields.object("exit"))};
     }},
    {"sandboxStopped",
     [](Fields& fields) -> Event {
         SandboxStopped event{fields.text("reason")};
         if (fields.find("exit") != nullptr) event.exit = read_exit_record(fields.object("exit"));
         return event;
     }},
    {"containerStarted",
     [](Fields& fields) -> Event {
         return ContainerStarted{read_container_facts(fields.object("facts"))};
     }},
}};
static_assert(kEvents.size() == std::variant_size_v<Event>);

template <typename Kinds>
auto read_by_kind(const Kinds& kinds, Fields& fields, const char* key) {
    const auto word = fields.text(key);
    for (const auto& kind : kinds)
        if (kind.name == word) return kind.read(fields);
    throw Error(Code::invalid_argument, "unknown '" + word + "' in field '" + key + "'")
        .with_fix("restart the sandbox: its covey-shim is of another version than its client");
}

}  // namespace

Json to_json(const Error& error) {
    return Json{{"code", code_name(error.code())},
                {"detail", text_json(error.detail())},
                {"fix", text_json(error.fix())},
                {"causes", texts_json(error.causes())},
                {"errno", error.errno_value()}};
}

Error read_error(Fields fields) {
    const auto code = fields.text("code");
    return Error::restored(code_from_name(code), fields.text("detail"), fields.text("fix"),
                           fields.texts("causes"), fields.number<int>("errno"));
}

std::string encode(const Reply& reply) {
    Json json = std::visit([](const auto& body) { return put_reply(body); }, reply.body);
    json["n"] = reply.number;
    json["reply"] = kReplies[reply.body.index()].name;
    return dump(json);
}

std::string encode(const Event& event) {
    Json json = std::visit([](const auto& body) { return put_reply(body); }, event);
    json["event"] = kEvents[event.index()].name;
    return dump(json);
}

ShimMessage decode_shim_message(std::string_view packet) {
    const Json json = parse_object(packet, "the shim's message");
    Fields fields{json, ""};
    if (fields.find("event") != nullptr) return read_by_kind(kEvents, fields, "event");
    Reply reply;
    reply.number = fields.number<std::uint64_t>("n");
    reply.body = read_by_kind(kReplies, fields, "reply");
    return reply;
}

}  // namespace covey::core
