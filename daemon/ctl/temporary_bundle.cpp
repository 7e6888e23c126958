#include "ctl/temporary_bundle.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"

#include <cerrno>
#include <cstdlib>

#include <stdlib.h>

namespace covey::ctl {

TemporaryBundle::TemporaryBundle() {
    const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR");
    path_ = runtime_dir != nullptr && *runtime_dir == '/' ? runtime_dir : "/tmp";
    path_ += "/covey-run.XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr)
        throw Error::from_errno(errno, "make a folder for the bundle", path_)
            .with_fix("set XDG_RUNTIME_DIR to a folder that can be written");
}

TemporaryBundle::~TemporaryBundle() {
    // Nothing depends on it any more; what cannot be removed is left to the next boot.
    if (!kept_) static_cast<void>(sys::remove_tree_at(sys::kCwd, path_).has_value());
}

void TemporaryBundle::write_config(std::string_view config_json) const {
    const auto folder = sys::open_dir(path_).or_throw("open", path_);
    sys::replace_file_at(folder, "config.json", config_json, 0600)
        .or_throw("write", path_ + "/config.json");
}

std::string TemporaryBundle::make_fifo(std::string_view name) const {
    std::string fifo = path_ + "/" + std::string{name};
    sys::mkfifo_at(sys::kCwd, fifo, 0600).or_throw("make the FIFO", fifo);
    return fifo;
}

}  // namespace covey::ctl
