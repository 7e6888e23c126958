#include "core/programs.hpp"

#include "base/text.hpp"
#include "covey/error.hpp"
#include "sys/file.hpp"
#include "sys/sealed.hpp"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace covey::core {
namespace {

std::vector<std::string> places(const std::string& own = {}) {
    std::vector<std::string> result;
    if (!own.empty())
        result.push_back(own);
    else if (const auto self = sys::readlink_at(sys::kCwd, "/proc/self/exe"))
        result.push_back(self.value().substr(0, self.value().rfind('/')));
    result.emplace_back(COVEY_LIBEXECDIR);
    // secure_getenv: not for a program that gained privileges by being executed.
    if (const char* extra = ::secure_getenv("COVEY_LIBEXEC"); extra != nullptr && *extra == '/')
        result.emplace_back(extra);
    return result;
}

UniqueFd find_in(const std::vector<std::string>& folders, const std::string& name) {
    for (const auto& folder : folders) {
        const auto path = folder + "/" + name;
        auto file = sys::open(path, O_RDONLY | O_NONBLOCK);
        if (!file) continue;
        const auto status = sys::stat_fd(file.value()).or_throw("stat", path);
        if (S_ISREG(status.st_mode)) return std::move(file).value();
    }
    throw Error(Code::unavailable, "no " + name + " in " + join(folders, ", "))
        .with_fix("install Covey's programs, or name their folder in COVEY_LIBEXEC");
}

UniqueFd sealed(const std::vector<std::string>& folders, const std::string& name) {
    return sys::sealed_copy(find_in(folders, name), name).or_throw("copy into memory", name);
}

}  // namespace

UniqueFd open_program(std::string_view name, const std::string& folder) {
    return find_in(places(folder), std::string{name});
}

Programs Programs::load() {
    const auto folders = places();
    Programs programs;
    programs.shim_ = sealed(folders, "covey-shim");
    programs.pause_ = sealed(folders, "covey-pause");
    return programs;
}

}  // namespace covey::core
