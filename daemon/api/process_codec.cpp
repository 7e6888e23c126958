#include "api/process_codec.hpp"

#include "api/error_codec.hpp"
#include "base/json.hpp"
#include "spec/tables.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <unordered_map>

namespace covey::daemon {
namespace {

using Json = nlohmann::ordered_json;

/// The capability names of a mask in JSON. A pod's processes have few different ones.
class CapabilityTexts {
  public:
    const std::string& of(std::uint64_t mask) {
        auto& text = texts_[mask];
        if (text.empty()) text = to_text(spec::capability_names_of(mask));
        return text;
    }

  private:
    std::unordered_map<std::uint64_t, std::string> texts_;
};

/// The members of one process's object. Written as text at once: a pod has a thousand processes,
/// and a tree of values for each would take most of the answer's time (docs/PERFORMANCE.md).
void append_members(std::string& text, const core::PodProcess& process,
                    CapabilityTexts& capabilities) {
    fmt::format_to(
        std::back_inserter(text),
        R"("pid":{},"podPid":{},"containerPid":{},"ppid":{},"container":{},"exec":{},"uid":{},)"
        R"("gid":{},"state":{},"zombie":{},"orphan":{},"name":{},"rssBytes":{},)"
        R"("cpuMilliseconds":{},"startTime":{},"command":{},"capabilities":{},)"
        R"("addedCapabilities":{},"noNewPrivileges":{})",
        process.pid, process.pod_pid, process.container_pid, process.ppid,
        to_text(process.container), to_text(process.exec), process.uid, process.gid,
        to_text(std::string(1, process.state)), process.state == 'Z', process.orphan,
        to_text(process.name), process.rss_bytes, process.cpu_milliseconds, process.start_time,
        to_text(process.command), capabilities.of(process.capabilities),
        capabilities.of(process.capabilities & ~spec::default_capabilities()),
        process.no_new_privileges);
}

Response text_response(std::string text) {
    text += '\n';  // as json_response() has it
    return {200, "application/json", std::move(text), {}};
}

}  // namespace

Response process_response(const std::vector<core::PodProcess>& processes) {
    constexpr std::size_t kUsual = 512;  // bytes of one, most of the time
    std::string text = R"({"items":[)";
    text.reserve(processes.size() * kUsual);
    CapabilityTexts capabilities;
    for (const auto& process : processes) {
        text += text.back() == '[' ? "{" : ",{";
        append_members(text, process, capabilities);
        text += '}';
    }
    return text_response(text + "]}");
}

Response process_response(const ProcessView& view) {
    std::string text = "{";
    CapabilityTexts capabilities;
    append_members(text, view.process, capabilities);
    return text_response(fmt::format(R"({},"sandbox":{},"engine":{}}})", text,
                                     to_text(view.sandbox), to_text(view.engine)));
}

}  // namespace covey::daemon
