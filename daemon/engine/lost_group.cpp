#include "engine/lost_group.hpp"

#include "base/text.hpp"
#include "cgroup/turns.hpp"
#include "covey/error.hpp"
#include "engine/async.hpp"
#include "sys/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace covey::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostGroupsNamed = 3;

/// Finds groups by the last part of their path, outside of containers': what is below those has
/// names of their choice.
class GroupSearch {
  public:
    GroupSearch(FdRef top, std::string name)
        : walk_(cgroup::Walk::at(top)), name_(std::move(name)) {}

    /// True: it is through.
    bool turn(Clock::time_point until) {
        while (walk_.next()) {
            look();
            if (Clock::now() >= until) return false;
        }
        return true;
    }

    [[nodiscard]] const std::vector<std::string>& found() const noexcept { return found_; }

  private:
    void look() {
        const auto here = walk_.here();
        way_.resize(here.depth);
        if (here.depth == 0) return;
        way_.back() = std::string{here.name};
        const auto in_container =
            std::any_of(way_.begin(), way_.end(),
                        [](const std::string& part) { return part.ends_with(".ctr"); });
        if (here.name == name_ && !in_container && found_.size() < kMostGroupsNamed)
            found_.push_back("/" + join(way_, "/"));
    }

    cgroup::Walk walk_;
    std::string name_;
    std::vector<std::string> way_, found_;
};

}  // namespace

asio::awaitable<void> refuse_lost_group(StatePtr state, SandboxPtr sandbox) {
    const auto& host = state->surroundings->host();
    const bool has_groups = !host.unified.empty() || host.v1.contains("freezer");
    if (sandbox->problem.empty() || !sandbox->cgroup().empty() || !has_groups) co_return;
    const auto id = sandbox->request.id;
    const auto top = sys::open_dir(host.identity_mount()).or_throw("open", host.identity_mount());
    GroupSearch search{top, id + ".pod"};
    Signal timer(state->executor);
    while (!search.turn(Clock::now() + cgroup::kTurn))
        co_await timer.wait_until(Clock::now());
    if (search.found().empty()) co_return;
    throw Error(Code::failed_precondition,
                fmt::format("sandbox '{}': its records cannot be read, so nobody knows whether "
                            "cgroup {} is its, or another's of the same name",
                            id, join(search.found(), " or ")))
        .with_fix(
            "look who is in there (cgroup.procs); end them and remove the group, then delete "
            "the sandbox again");
}

}  // namespace covey::daemon
