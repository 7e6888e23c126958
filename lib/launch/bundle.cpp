#include "launch/bundle.hpp"

#include "base/result.hpp"
#include "covey/error.hpp"
#include "spec/load.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include <fcntl.h>

namespace covey::launch {
namespace {

Result<std::string> read_config(FdRef bundle, Pipes pipes) {
    if (pipes == Pipes::refused)
        return sys::read_file_at(bundle, "config.json", spec::kLargestConfig);
    const auto file = sys::open_at(bundle, "config.json", O_RDONLY | O_NOCTTY);
    if (!file) return Errno{file.error()};
    return sys::read_all(file.value(), spec::kLargestConfig);
}

}  // namespace

Bundle read_bundle(const std::string& folder, Pipes pipes) {
    auto dir = sys::open(folder, O_PATH | O_DIRECTORY);
    if (!dir)
        throw Error::from_errno(dir.error(), "open bundle", folder)
            .with_fix("a bundle is a folder with a config.json and a root filesystem");
    auto text = read_config(dir.value(), pipes);
    if (!text && text.error() == EFBIG)
        throw Error(Code::too_large, fmt::format("{}/config.json is larger than {} bytes", folder,
                                                 spec::kLargestConfig));
    if (!text)
        throw Error::from_errno(text.error(), "read", folder + "/config.json")
            .with_fix("make one with `runc spec`, or name the folder that has it");
    Bundle bundle{std::move(text).value(), {}};
    bundle.spec = spec::load(bundle.text);
    return bundle;
}

}  // namespace covey::launch
