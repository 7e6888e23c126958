#include "shim/record_file.hpp"

#include "base/fault.hpp"
#include "base/log.hpp"
#include "sys/file.hpp"

#include <algorithm>
#include <exception>

#include <sys/stat.h>

namespace covey::shim {
namespace {

constexpr mode_t kRecordMode = 0600;
constexpr std::chrono::milliseconds kFirst{50}, kLongest{5000};

}  // namespace

void RecordFile::write(FdRef folder) noexcept {
    const bool was_stale = stale_;
    stale_ = false;  // what is written says so of itself
    try {
        fault_point("shim.record");
        sys::replace_file_at(folder, name_, text_(), kRecordMode)
            .or_throw("write record of", owner_.name());
        retry_.cancel();
        wait_ = {};
        if (was_stale) log::info("a record is up to date again", {{"owner", owner_.name()}});
    } catch (const std::exception& error) {
        stale_ = true;
        const std::string why = error.what();
        (void)owner_.guard([&] {
            if (!was_stale)
                log::error("a record is stale", {{"owner", owner_.name()}, {"error", why}});
            retry(folder);
        });
    }
}

void RecordFile::retry(FdRef folder) {
    wait_ = std::clamp(wait_ * 2, kFirst, kLongest);
    retry_ = owner_.after(wait_, [this, folder] { write(folder); });
}

}  // namespace covey::shim
