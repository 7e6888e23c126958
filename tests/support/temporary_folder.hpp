// A folder of a test's own, gone with the object. Thread rule: the test thread.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <fcntl.h>

namespace covey::test {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string path = "/tmp/covey-test-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) std::abort();
        path_ = path;
        fd_ = UniqueFd{::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] FdRef fd() const noexcept { return fd_; }

  private:
    std::string path_;
    UniqueFd fd_;
};

}  // namespace covey::test
