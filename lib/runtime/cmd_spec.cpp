// covey-runtime spec: writes a config.json to start from.
#include "covey/error.hpp"
#include "runtime/commands.hpp"
#include "runtime/default_spec.hpp"
#include "sys/file.hpp"

#include <cerrno>

#include <fcntl.h>

namespace covey::runtime {
namespace {

int spec(Invocation& call) {
    std::string bundle = ".";
    bool rootless = false;
    Flags flags;
    flags.text("bundle", 'b', bundle, "folder to write it to (default: the working directory)")
        .boolean("rootless", 0, rootless, "for a user without privileges");
    if (!call.parse(flags, 0, 0)) return 0;
    const auto folder = sys::open_dir(bundle).or_throw("open bundle", bundle);
    constexpr mode_t kMode = 0644;
    auto file =
        sys::open_at(folder, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kMode);
    if (!file && file.error() == EEXIST)
        throw Error(Code::already_exists, "File config.json exists. Remove it first");
    sys::write_all(std::move(file).or_throw("create", "config.json"), default_spec(rootless))
        .or_throw("write", "config.json");
    return 0;
}

}  // namespace

const Command kSpec{"spec", "", "write a config.json to start from", spec};

}  // namespace covey::runtime
