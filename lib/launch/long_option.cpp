#include "launch/long_option.hpp"

#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/mount.hpp"

#include <fmt/format.h>

#include <vector>

#include <fcntl.h>

namespace covey::launch {
namespace {

struct Layer {
    std::string path;
    bool is_data = false;  // behind "::"
};

/// "/a:/b\:c::/d": a colon of a name is escaped (overlayfs.rst).
std::vector<Layer> split_layers(const std::string& value) {
    std::vector<Layer> layers(1);
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) {
            layers.back().path += value[++i];
        } else if (value[i] != ':') {
            layers.back().path += value[i];
        } else if (layers.back().path.empty() && layers.size() > 1) {
            layers.back().is_data = true;
        } else {
            layers.emplace_back();
        }
    }
    return layers;
}

Error option_refused(FdRef context, int error, const std::string& key, const std::string& path,
                     const char* fix) {
    auto result = Error::from_errno(error, "set overlay option " + key, path).with_fix(fix);
    if (auto message = sys::context_message(context); !message.empty())
        result.add_cause("kernel: " + message);
    return result;
}

void set_path(FdRef context, const std::string& key, const std::string& path, const char* fix) {
    if (path.size() <= kLongestOption) {
        const auto set = sys::configure(context, key, path);
        if (!set) throw option_refused(context, set.error(), key, path, fix);
        return;
    }
    const auto folder = sys::open(path, O_PATH | O_DIRECTORY).or_throw("open " + key, path);
    const auto set = sys::configure_fd(context, key, folder);
    if (!set)
        throw option_refused(context, set.error(), key, path,
                             "use paths of at most 255 bytes (symlinks will do), or Linux 6.13");
}

}  // namespace

void set_long_option(FdRef context, const std::string& type, const std::string& key,
                     const std::string& value) {
    if (type == "overlay" && key == "lowerdir") {
        for (const auto& layer : split_layers(value))
            set_path(context, layer.is_data ? "datadir+" : "lowerdir+", layer.path,
                     "use a shorter list of layers (255 bytes), or Linux 6.7");
        return;
    }
    if (type == "overlay" && (key == "upperdir" || key == "workdir"))
        return set_path(context, key, value, "");
    throw Error(Code::unsupported_by_host,
                fmt::format("mount option {}: its value has {} bytes, the kernel takes {} at most",
                            key, value.size(), kLongestOption))
        .with_fix("shorten it");
}

}  // namespace covey::launch
