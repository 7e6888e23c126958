#include "base/log.hpp"
#include "runtime/registry.hpp"
#include "store/record.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string_view>

#include <unistd.h>

namespace covey::runtime {
namespace {

/// Empty: there is none to report to.
std::string registry_folder() {
    if (const char* folder = std::getenv("COVEY_REGISTRY"); folder != nullptr) return folder;
    return ::geteuid() == 0 ? "/run/covey/engines" : "";
}

/// The same id may be in several roots: the name has a digest of the root (FNV-1a, 64 bits).
std::string link_name(const std::string& root, const std::string& id) {
    std::uint64_t digest = 0xcbf29ce484222325;
    for (const char c : root)
        digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    constexpr std::size_t kSuffix = 32;
    return fmt::format("{}-{:016x}.json", id.substr(0, NAME_MAX - kSuffix), digest);
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
        store::write_record(folder.fd(), link_name(root, id), link.dump(),
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
        const auto removed = sys::unlink_at(folder.value(), link_name(root, id));
        if (!removed && removed.error() != ENOENT) removed.or_throw("remove", link_name(root, id));
    } catch (const std::exception& error) {
        note("cannot take the container out of the registry", error);
    }
}

}  // namespace covey::runtime
