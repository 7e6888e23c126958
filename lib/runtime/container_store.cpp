#include "runtime/container_store.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "covey/error.hpp"
#include "store/state_dir.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace covey::runtime {
namespace {

constexpr const char* kLockName = "lock";
constexpr mode_t kFolderMode = 0700;

Error does_not_exist(const std::string& id) {
    return Error(Code::not_found, fmt::format("container \"{}\" does not exist", id));
}

}  // namespace

std::string absolute_name(const std::string& path) {
    if (path.empty() || path.starts_with('/')) return path;
    return sys::readlink_at(sys::kCwd, "/proc/self/cwd").or_throw("read", "working directory") +
           "/" + path;
}

std::string default_root() {
    if (::geteuid() == 0) return "/run/covey/runtime";
    const char* folder = std::getenv("XDG_RUNTIME_DIR");
    return folder != nullptr && *folder == '/'
               ? std::string{folder} + "/covey/runtime"
               : fmt::format("/run/user/{}/covey/runtime", ::geteuid());
}

ContainerFolder::ContainerFolder(std::string id, UniqueFd folder)
    : id_(std::move(id)), folder_(std::move(folder)) {
}

void ContainerFolder::lock(int seconds) {
    auto file = sys::open_at(folder_, kLockName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!file && file.error() == ENOENT) throw does_not_exist(id_);  // deleted meanwhile
    auto held = std::move(file).or_throw("open lock of", id_);
    auto locked = sys::try_lock(held);
    if (!locked && locked.error() == EWOULDBLOCK) locked = sys::lock_within(held, seconds);
    if (!locked && locked.error() == EWOULDBLOCK)
        throw Error(Code::failed_precondition,
                    fmt::format("another command works on container {} since {} s", id_, seconds))
            .with_fix("wait for it, or end it");
    locked.or_throw("lock", id_);
    // Whoever had it before may have removed the folder.
    if (!sys::stat_at(folder_, kLockName)) throw does_not_exist(id_);
    lock_ = std::move(held);
}

bool ContainerFolder::is_locked_by_other() const {
    if (lock_) return false;
    const auto file = sys::open_at(folder_, kLockName, O_RDWR | O_NOFOLLOW);
    return file && !sys::try_lock(file.value());
}

void ContainerFolder::write(const core::ContainerRecord& record) const {
    store::write_record(folder_, core::kContainerRecordName, core::encode_record(record),
                        sys::boot_id().or_throw("read", "boot id"));
}

store::RecordResult ContainerFolder::read_raw() const {
    return store::read_record(folder_, core::kContainerRecordName,
                              sys::boot_id().or_throw("read", "boot id"));
}

core::ContainerRecord ContainerFolder::read(bool* of_this_boot) const {
    const auto record = read_raw();
    switch (record.state) {
        case store::RecordState::valid:
        case store::RecordState::foreign_boot:
            if (of_this_boot != nullptr) *of_this_boot = record.state == store::RecordState::valid;
            return core::decode_record(record.body);
        case store::RecordState::absent:
        case store::RecordState::damaged:
        case store::RecordState::newer_schema:
            break;
    }
    // Before its intent is written; --force would destroy what is being made.
    if (record.state == store::RecordState::absent && is_locked_by_other())
        throw Error(Code::failed_precondition, fmt::format("container {} is being created", id_))
            .with_fix("ask again when its create has ended");
    throw Error(Code::failed_precondition,
                fmt::format("the state of container {} cannot be read: {}", id_, record.problem))
        .with_fix(record.state == store::RecordState::newer_schema
                      ? "use the newer covey-runtime that made it"
                      : fmt::format("covey-runtime delete --force {}", id_));
}

ContainerStore::ContainerStore(std::string root, UniqueFd folder)
    : root_(std::move(root)), folder_(std::move(folder)) {
}

ContainerStore ContainerStore::open(const std::string& root) {
    const auto state = store::StateDir::open(absolute_name(root));
    return {state.path(), sys::duplicate(state.fd()).or_throw("dup", root)};
}

ContainerStore ContainerStore::open_existing(const std::string& root) {
    const auto path = absolute_name(root);
    if (const auto there = sys::stat_at(sys::kCwd, path); !there && there.error() == ENOENT)
        return {path, UniqueFd{}};
    return open(root);
}

ContainerFolder ContainerStore::create(const std::string& id) const {
    require_valid_container_id(id);
    const auto made = sys::mkdir_at(folder_, id, kFolderMode);
    if (!made && made.error() == EEXIST)
        throw Error(Code::already_exists,
                    fmt::format("container with given ID already exists: {}", id))
            .with_fix("delete it, or choose another id");
    made.or_throw("make folder", root_ + "/" + id);
    return {id, sys::open_dir_at(folder_, id).or_throw("open folder", id)};
}

ContainerFolder ContainerStore::open_container(const std::string& id) const {
    require_valid_container_id(id);
    if (!folder_) throw does_not_exist(id);
    auto folder = sys::open_at(folder_, id, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!folder && (folder.error() == ENOENT || folder.error() == ENOTDIR))
        throw does_not_exist(id);
    return {id, std::move(folder).or_throw("open folder", root_ + "/" + id)};
}

bool ContainerStore::has(const std::string& id) const {
    return folder_.valid() && sys::stat_at(folder_, id).has_value();
}

void ContainerStore::remove(const std::string& id) const {
    sys::remove_tree_at(folder_, id).or_throw("remove folder", root_ + "/" + id);
}

std::vector<core::ContainerRecord> ContainerStore::records() const {
    std::vector<core::ContainerRecord> all;
    for (const auto& id : ids())
        try {
            all.push_back(open_container(id).read());
        } catch (const Error&) {
            // Deleted meanwhile, or damaged.
        }
    return all;
}

std::vector<std::string> ContainerStore::ids() const {
    if (!folder_) return {};
    const auto folder = sys::open_at(folder_, ".", O_RDONLY | O_DIRECTORY).or_throw("open", root_);
    auto names = sys::list_dir(folder).or_throw("list", root_);
    std::erase_if(names, [&](const std::string& name) {
        const auto status = sys::stat_at(folder, name);
        return !status || !S_ISDIR(status.value().st_mode);
    });
    return names;
}

}  // namespace covey::runtime
