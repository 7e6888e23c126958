// A folder of a test's own, gone with the object. Thread rule: the test thread.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

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
    TemporaryFolder(TemporaryFolder&& other) noexcept
        : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
    TemporaryFolder& operator=(TemporaryFolder&&) = delete;
    ~TemporaryFolder() {
        if (path_.empty()) return;
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
