#include "base/json.hpp"
#include "core/codec.hpp"
#include "core/protocol.hpp"

#include <array>

namespace covey::core {
namespace {

// One put_request() and one read function for each kind of request; kOperations ties them to their
// words.

Json put_request(const CreateSandbox& request) {
    return Json{{"config", to_json(request.config)}};
}
Json put_request(const CreateContainer& request) {
    return Json{{"config", to_json(request.config)}};
}
Json put_request(const StartContainer& request) {
    return Json{{"id", text_json(request.id)}};
}
Json put_request(const KillContainer& request) {
    return Json{{"id", text_json(request.id)}, {"signal", request.signal}, {"all", request.all}};
}
Json put_request(const PauseContainer& request) {
    return Json{{"id", text_json(request.id)}};
}
Json put_request(const ResumeContainer& request) {
    return Json{{"id", text_json(request.id)}};
}
Json put_request(const UpdateContainer& request) {
    return Json{{"id", text_json(request.id)}, {"resources", text_json(request.resources)}};
}
Json put_request(const ResizeContainer& request) {
    return Json{
        {"id", text_json(request.id)}, {"rows", request.rows}, {"columns", request.columns}};
}
Json put_request(const DeleteContainer& request) {
    return Json{{"id", text_json(request.id)}, {"force", request.force}};
}
Json put_request(const Exec& request) {
    return Json{{"config", to_json(request.config)}};
}
Json put_request(const KillExec& request) {
    return Json{{"container", text_json(request.container)}, {"exec", text_json(request.exec)}};
}
Json put_request(const StopSandbox&) {
    return Json::object();
}
Json put_request(const Status&) {
    return Json::object();
}
Json put_request(const Shutdown&) {
    return Json::object();
}

struct Operation {
    std::string_view name;
    RequestBody (*read)(Fields& fields);
};

// In the order of RequestBody's alternatives.
constexpr std::array<Operation, 14> kOperations{{
    {"createSandbox",
     [](Fields& fields) -> RequestBody {
         return CreateSandbox{read_sandbox_config(fields.object("config"))};
     }},
    {"createContainer",
     [](Fields& fields) -> RequestBody {
         Fields config = fields.object("config");
         CreateContainer request{read_container_config(config)};
         config.refuse_others();
         return request;
     }},
    {"startContainer",
     [](Fields& fields) -> RequestBody { return StartContainer{fields.text("id")}; }},
    {"killContainer",
     [](Fields& fields) -> RequestBody {
         return KillContainer{fields.text("id"), fields.number<int>("signal"), fields.flag("all")};
     }},
    {"pauseContainer",
     [](Fields& fields) -> RequestBody { return PauseContainer{fields.text("id")}; }},
    {"resumeContainer",
     [](Fields& fields) -> RequestBody { return ResumeContainer{fields.text("id")}; }},
    {"updateContainer",
     [](Fields& fields) -> RequestBody {
         return UpdateContainer{fields.text("id"), fields.text("resources")};
     }},
    {"resizeContainer",
     [](Fields& fields) -> RequestBody {
         return ResizeContainer{fields.text("id"), fields.number<std::uint16_t>("rows"),
                                fields.number<std::uint16_t>("columns")};
     }},
    {"deleteContainer",
     [](Fields& fields) -> RequestBody {
         return DeleteContainer{fields.text("id"), fields.flag("force")};
     }},
    {"exec",
     [](Fields& fields) -> RequestBody { return Exec{read_exec_config(fields.object("config"))}; }},
    {"killExec",
     [](Fields& fields) -> RequestBody {
         return KillExec{fields.text("container"), fields.text("exec")};
     }},
    {"stopSandbox", [](Fields&) -> RequestBody { return StopSandbox{}; }},
    {"status", [](Fields&) -> RequestBody { return Status{}; }},
    {"shutdown", [](Fields&) -> RequestBody { return Shutdown{}; }},
}};
static_assert(kOperations.size() == std::variant_size_v<RequestBody>);

}  // namespace

std::string_view operation_name(const RequestBody& body) noexcept {
    return kOperations[body.index()].name;
}

std::string encode(const Request& request) {
    Json json = std::visit([](const auto& body) { return put_request(body); }, request.body);
    json["n"] = request.number;
    json["op"] = operation_name(request.body);
    return dump(json);
}

Request decode_request(std::string_view packet) {
    const Json json = parse_object(packet, "the request");
    Fields fields{json, ""};
    Request request;
    request.number = fields.number<std::uint64_t>("n");
    const auto word = fields.text("op");
    for (const auto& operation : kOperations) {
        if (operation.name != word) continue;
        request.body = operation.read(fields);
        fields.refuse_others();
        return request;
    }
    throw Error(Code::invalid_argument, "unknown operation '" + word + "' in field 'op'")
        .with_fix("restart the sandbox: its covey-shim is of another version than its client");
}

}  // namespace covey::core
