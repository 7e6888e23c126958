// What every container needs of its shim. Thread rule: the loop's thread. Borrowed, all of it.
#pragma once

#include "base/unique_fd.hpp"
#include "cgroup/cgroup.hpp"
#include "shim/homes.hpp"
#include "shim/peers.hpp"
#include "shim/sandbox.hpp"
#include "task/loop.hpp"
#include "task/reaper.hpp"
#include "task/stillness.hpp"

#include <functional>
#include <string>

namespace covey::shim {

class Container;

struct Context {
    task::Loop& loop;
    task::Reaper& reaper;
    Peers& peers;
    const cgroup::Host& host;
    FdRef folder;         // the sandbox's state folder
    FdRef seccomp_cache;  // folder of compiled filters
    FdRef pause;          // the program that does nothing
    Sandbox& sandbox;
    /// The container's object may go now (it is destroyed later, from the loop).
    std::function<void(const std::string& id)> forget;
    /// It has become `stopped`, or its launch failed.
    std::function<void()> ended;
    /// Null: there is none of that id.
    std::function<const Container*(const std::string& id)> find;
    task::Stillness& stillness;
    Homes& homes;
};

}  // namespace covey::shim
