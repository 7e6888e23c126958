// A folder that plays the kernel's files: declared as a nested list, gone with the object.
// Used by tests/unit/cgroup. Thread rule: the test thread.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/detect.hpp"
#include "sys/file.hpp"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/magic.h>

namespace covey::test {

class FakeTree {
  public:
    /// Path below the root → text; parents are made.
    explicit FakeTree(const std::vector<std::pair<std::string, std::string>>& files) {
        char name[] = "/tmp/covey-fake-XXXXXX";
        if (::mkdtemp(name) == nullptr) std::abort();
        root_ = name;
        for (const auto& [path, text] : files)
            add(path, text);
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;
    ~FakeTree() { (void)sys::remove_tree_at(sys::kCwd, root_); }

    void add(const std::string& path, const std::string& text) const {
        const auto file = root_ + path;
        sys::mkdir_all_at(sys::kCwd, file.substr(0, file.rfind('/')), 0755).or_throw("mkdir", file);
        const auto opened =
            sys::open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644).or_throw("create", file);
        sys::write_all(opened, text).or_throw("write", file);
    }
    [[nodiscard]] std::string read(const std::string& path) const {
        return sys::read_file(root_ + path).value_or("(not there)");
    }
    [[nodiscard]] const std::string& root() const { return root_; }
    /// statfs as the tree would have it: cgroup filesystems at these paths, tmpfs elsewhere.
    [[nodiscard]] cgroup::FilesystemType types(
        std::vector<std::pair<std::string, std::uint64_t>> mounts) const {
        return [root = root_, mounts = std::move(mounts)](const std::string& path) {
            for (const auto& [point, type] : mounts)
                if (path == root + point) return type;
            return std::uint64_t{TMPFS_MAGIC};
        };
    }

  private:
    std::string root_;
};

}  // namespace covey::test
