// A record on disk that follows facts in memory. One that cannot be written (no space, no
// descriptors) is written again and again, and until then the facts say that it is stale: no state
// depends on it. Used by Container and Shim. Thread rule: the loop's thread. Does not block longer
// than the file system does.
#pragma once

#include "base/unique_fd.hpp"
#include "task/loop.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace covey::shim {

class RecordFile {
  public:
    /// `text` gives what is to be written; `stale` is the facts' own. All are borrowed.
    RecordFile(task::Owner& owner, std::string name, bool& stale, std::function<std::string()> text)
        : owner_(owner), name_(std::move(name)), stale_(stale), text_(std::move(text)) {}

    /// Into `folder`, which stays open. Never throws: what went wrong is logged, once for a row of
    /// failures.
    void write(FdRef folder) noexcept;
    /// Nothing more is to be written: the folder goes.
    void stop() noexcept { retry_.cancel(); }

  private:
    void retry(FdRef folder);

    task::Owner& owner_;
    std::string name_;
    bool& stale_;
    std::function<std::string()> text_;
    task::Timer retry_;
    std::chrono::milliseconds wait_{0};
};

}  // namespace covey::shim
