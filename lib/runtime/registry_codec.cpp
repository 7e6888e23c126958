#include "base/json.hpp"
#include "base/log.hpp"
#include "runtime/registry.hpp"
#include "store/engine_link.hpp"
#include "store/record.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <string_view>

#include <unistd.h>

namespace covey::runtime {
namespace {

/// Empty: there is none to report to.
std::string registry_folder() {
    if (const char* folder = std::getenv("COVEY_REGISTRY"); folder != nullptr) return folder;
    return ::geteuid() == 0 ? std::string{store::kEngineRegistry} : "";
}

void note(std::string_view what, const std::exception& error) {
    log::debug(what, {{"error", error.what()}});
}

}  // namespace

void add_to_registry(const std::string& root, const std::string& id) noexcept {
    try {
        const auto path = registry_folder();
        if (path.empty()) return;
        const auto folder = store::StateDir::open(path);
        const nlohmann::json link{{"root", root}, {"id", id}};
        store::write_record(folder.fd(), store::engine_link_name(root, id), link.dump(),
                            sys::boot_id().or_throw("read", "boot id"));
    } catch (const std::exception& error) {
        note("cannot report the container to the registry", error);
    }
}

void remove_from_registry(const std::string& root, const std::string& id) noexcept {
    try {
        const auto path = registry_folder();
        if (path.empty()) return;
        const auto folder = sys::open_dir(path);
        if (!folder) return;
        const auto link = store::engine_link_name(root, id);
        const auto removed = sys::unlink_at(folder.value(), link);
        if (!removed && removed.error() != ENOENT) removed.or_throw("remove", link);
        // What a command that was killed in mid-write had not renamed yet.
        for (const auto& name : sys::list_dir(folder.value()).or_throw("list", path))
            if (name.starts_with(link + ".tmp")) (void)sys::unlink_at(folder.value(), name);
    } catch (const std::exception& error) {
        note("cannot take the container out of the registry", error);
    }
}

}  // namespace covey::runtime
