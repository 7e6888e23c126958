// A folder that lives as long as one `covey run`: the bundle of a container that was given as a
// rootfs, and the FIFOs of its streams. coveyd has its own copy of the configuration once the
// container is created. Thread rule: one thread. Blocks as the filesystem does.
#pragma once

#include <string>
#include <string_view>

namespace covey::ctl {

class TemporaryBundle {
  public:
    /// Makes the folder, mode 0700, in $XDG_RUNTIME_DIR or /tmp.
    TemporaryBundle();
    TemporaryBundle(const TemporaryBundle&) = delete;
    TemporaryBundle& operator=(const TemporaryBundle&) = delete;
    /// Removes it and all in it, unless keep() was called.
    ~TemporaryBundle();

    void write_config(std::string_view config_json) const;
    /// Makes a FIFO and answers its path.
    [[nodiscard]] std::string make_fifo(std::string_view name) const;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    void keep() noexcept { kept_ = true; }

  private:
    std::string path_;
    bool kept_ = false;
};

}  // namespace covey::ctl
