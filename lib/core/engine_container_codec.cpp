#include "base/id.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "core/engine_containers.hpp"
#include "covey/error.hpp"
#include "spec/engine_annotations.hpp"
#include "store/engine_link.hpp"
#include "store/record.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace covey::core {
namespace {

using Json = nlohmann::json;

Error unbelievable(const std::string& what) {
    return Error(Code::failed_precondition, what)
        .with_fix("covey-runtime delete --force the container, or remove the link");
}

template <typename T>
T field(const Json& json, const char* key) {
    try {
        if (const auto found = json.find(key); found != json.end()) return found->get<T>();
    } catch (const Json::exception&) {
        // Said below, with the field's name.
    }
    throw unbelievable(fmt::format("the link has no good field '{}'", key));
}

std::string whole_record(FdRef folder, const std::string& name, std::string_view boot_id) {
    auto record = store::read_record(folder, name, boot_id);
    if (record.state == store::RecordState::absent) throw Error(Code::not_found, record.problem);
    if (record.state != store::RecordState::valid) throw unbelievable(record.problem);
    return std::move(record.body);
}

/// What others could have written is no evidence.
void require_private(FdRef folder, const std::string& path) {
    const auto status = sys::stat_fd(folder).or_throw("stat", path);
    if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw unbelievable(fmt::format("{} is not the daemon's user's alone", path));
}

UniqueFd open_private(FdRef parent, const std::string& name, const std::string& path) {
    auto folder = sys::open_at(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        throw unbelievable("it points to nothing: " +
                           Error::from_errno(folder.error(), "open", path).detail());
    require_private(folder.value(), path);
    return std::move(folder).value();
}

/// What may stand in answers and events. Annotations may be anybody's words, of any length.
std::string shown(const std::string& text) {
    constexpr std::size_t kLongest = 253;  // of a name in Kubernetes
    const bool has_control = std::any_of(text.begin(), text.end(), [](char one) {
        return static_cast<unsigned char>(one) < 0x20 || one == 0x7F;
    });
    return text.size() <= kLongest && is_utf8(text) && !has_control ? text : std::string{};
}

void read_words(const std::map<std::string, std::string>& annotations, EngineContainer& out) {
    try {
        const auto words = spec::engine_words(annotations);
        out.pod = shown(words.sandbox);
        out.name = shown(words.name);
    } catch (const Error&) {
        // Two engines' disagree: which pod it is in is not known.
    }
}

}  // namespace

EngineContainer read_engine_container(FdRef registry, const std::string& link,
                                      std::string_view boot_id) {
    const auto pointer = Json::parse(whole_record(registry, link, boot_id));
    EngineContainer container;
    container.root = field<std::string>(pointer, "root");
    const auto id = field<std::string>(pointer, "id");
    if (!container.root.starts_with('/') || !is_valid_container_id(id))
        throw unbelievable("its root or id is none");
    if (store::engine_link_name(container.root, id) != link)
        throw unbelievable(fmt::format("it speaks of container {} in {}, but is not called so", id,
                                       container.root));
    const auto root = open_private(sys::kCwd, container.root, container.root);
    const auto path = container.root + "/" + id;
    const auto folder = open_private(root, id, path);
    auto& record = container.record;
    try {
        record = decode_record(whole_record(folder, kContainerRecordName, boot_id));
    } catch (const Error& error) {
        throw unbelievable(fmt::format("{}: {}", path, error.detail()));
    }
    if (record.id != id)
        throw unbelievable(fmt::format("the record in {} is of another container", path));
    if (record.pid <= 1) throw unbelievable(fmt::format("{}: it has no init", path));
    const auto annotations = std::exchange(record.annotations, {});
    container.engine = engine_of(annotations, container.root, record.bundle);
    read_words(annotations, container);
    return container;
}

}  // namespace covey::core
