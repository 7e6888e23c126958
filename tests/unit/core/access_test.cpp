// Who may what, on facts made by hand: the measured table of a shared PID namespace, and what each
// obstacle alone does.
#include "core/access.hpp"

#include "catch.hpp"

#include <linux/capability.h>

using namespace covey::core;

namespace {

constexpr std::uint64_t bit(int capability) {
    return std::uint64_t{1} << static_cast<unsigned>(capability);
}
constexpr std::uint64_t kDefault = bit(CAP_CHOWN) | bit(CAP_KILL) | bit(CAP_SETUID);

AccessFacts process(const char* name, uid_t uid, std::uint64_t capabilities) {
    AccessFacts facts;
    facts.name = name;
    facts.uids.fill(uid);
    facts.gids.fill(uid);
    facts.effective = facts.permitted = capabilities;
    facts.pid_namespaces = {2, 1};
    facts.user_namespaces = {{10, 0}};
    facts.dumpable = AccessFacts::Dumpable::yes;
    return facts;
}

bool may(const AccessFacts& from, const AccessFacts& to, Action action) {
    return judge_access(from, to, action).allowed;
}

std::vector<Obstacle> why_not(const AccessFacts& from, const AccessFacts& to, Action action) {
    return judge_access(from, to, action).obstacles;
}

}  // namespace

TEST_CASE("the measured table of a shared namespace") {
    const auto root = process("root", 0, kDefault), user = process("user", 101, 0),
               stronger = process("stronger", 0, kDefault | bit(CAP_NET_ADMIN)),
               tracer = process("tracer", 0, kDefault | bit(CAP_SYS_PTRACE));
    struct Line {
        const AccessFacts &from, &to;
        bool signal, read;
    };
    const std::vector<Line> lines{
        {root, root, true, true},   {root, user, true, false},  {root, stronger, true, false},
        {tracer, root, true, true}, {tracer, user, true, true}, {tracer, stronger, true, true},
        {user, root, false, false}, {user, user, true, true},   {user, stronger, false, false}};
    for (const auto& line : lines) {
        INFO(line.from.name << " to " << line.to.name);
        CHECK(may(line.from, line.to, Action::see));
        CHECK(may(line.from, line.to, Action::signal) == line.signal);
        CHECK(may(line.from, line.to, Action::read_root) == line.read);
        CHECK(may(line.from, line.to, Action::ptrace) == line.read);
    }
}

TEST_CASE("each obstacle is named, with the least change first") {
    const auto root = process("root", 0, kDefault), user = process("user", 101, 0);
    const auto signal = judge_access(user, root, Action::signal);
    CHECK(signal.obstacles == std::vector{Obstacle::uid, Obstacle::cap_kill});
    CHECK(signal.changes == std::vector<std::string>{"add CAP_KILL to user",
                                                     "add CAP_CHOWN, CAP_KILL, CAP_SETUID to user",
                                                     "run user as 0:0"});
    const auto stronger = process("strong", 0, kDefault | bit(CAP_NET_ADMIN));
    const auto read = judge_access(root, stronger, Action::read_root);
    CHECK(read.obstacles == std::vector{Obstacle::capabilities, Obstacle::sys_ptrace});
    CHECK(read.changes ==
          std::vector<std::string>{"add CAP_NET_ADMIN to root", "add CAP_SYS_PTRACE to root"});
    auto hidden = root;
    hidden.dumpable = AccessFacts::Dumpable::no;
    CHECK(why_not(root, hidden, Action::read_root) ==
          std::vector{Obstacle::dumpable, Obstacle::sys_ptrace});
    CHECK(judge_access(root, hidden, Action::read_root).changes ==
          std::vector<std::string>{"add CAP_SYS_PTRACE to root"});
    CHECK(may(root, hidden, Action::signal));
    auto traced = root;
    traced.tracer = 77;
    CHECK(why_not(root, traced, Action::ptrace) == std::vector{Obstacle::traced});
    CHECK(may(root, traced, Action::read_root));
    auto guarded = root;
    guarded.yama = 1;
    CHECK(why_not(guarded, root, Action::ptrace) == std::vector{Obstacle::yama});
}

TEST_CASE("who has no number in the caller's namespace is out of its reach, whatever its rights") {
    const auto all = process("all", 0, ~std::uint64_t{0});
    auto beside = process("beside", 0, 0), below = beside;
    beside.pid_namespaces = {3, 1};
    below.pid_namespaces = {4, 2, 1};
    for (const auto action : kActions) {
        CHECK(why_not(all, beside, action) == std::vector{Obstacle::pid_namespace});
        CHECK(judge_access(all, beside, action).changes ==
              std::vector<std::string>{"run all and beside with pid mode pod"});
        CHECK(may(all, below, action));
        CHECK(why_not(below, all, action).front() == Obstacle::pid_namespace);
    }
}

TEST_CASE("what a restricted container may not do no capability gives back") {
    auto restricted = process("restricted", 0, ~std::uint64_t{0});
    restricted.restricted = {true, true, true};
    const auto other = process("other", 0, 0);
    for (const auto action : kActions)
        CHECK(why_not(restricted, other, action) == std::vector{Obstacle::landlock});
    CHECK(judge_access(restricted, other, Action::signal).changes ==
          std::vector<std::string>{"give restricted the access signal: pod"});
    restricted.restricted = {false, true, true};
    CHECK(may(restricted, other, Action::see));
    CHECK(may(other, restricted, Action::see));
}

TEST_CASE("a capability counts where the target's user namespace is, or around it") {
    const auto outside = process("outside", 0, kDefault | bit(CAP_SYS_PTRACE));
    auto inside = process("inside", 100000, kDefault | bit(CAP_SYS_PTRACE));
    inside.user_namespaces = {{20, 0}, {10, 0}};
    CHECK(may(outside, inside, Action::ptrace));
    CHECK(why_not(inside, outside, Action::ptrace) ==
          std::vector{Obstacle::uid, Obstacle::capabilities, Obstacle::user_namespace});
    CHECK(why_not(inside, outside, Action::signal) ==
          std::vector{Obstacle::uid, Obstacle::user_namespace});
    // What is to be asked for is in the numbers of the caller's user namespace.
    auto sibling = process("sibling", 100007, 0);
    sibling.user_namespaces = inside.user_namespaces;
    sibling.uid_map = sibling.gid_map = {{0, 100000, 65536}};
    CHECK(judge_access(sibling, inside, Action::signal).changes ==
          std::vector<std::string>{"add CAP_KILL to sibling",
                                   "add CAP_CHOWN, CAP_KILL, CAP_SETUID, CAP_SYS_PTRACE to sibling",
                                   "run sibling as 0:0"});
    // Whoever made a namespace may do all in it.
    CHECK(may(process("maker", 0, 0), inside, Action::ptrace));
    CHECK_FALSE(may(process("other", 1000, 0), inside, Action::ptrace));
}

TEST_CASE("at most, a process has its bounding set and any user, unless no_new_privs") {
    auto from = process("from", 1000, 0);
    from.bounding = kDefault;
    const auto to = process("to", 0, kDefault);
    CHECK_FALSE(may(from, to, Action::read_root));
    CHECK(may(at_most(from, to), to, Action::read_root));
    CHECK(at_most(from, to).effective == kDefault);
    from.no_new_privs = true;
    CHECK(at_most(from, to).permitted == 0);
    CHECK_FALSE(may(at_most(from, to), to, Action::read_root));
    // No program is needed to become another user.
    from.permitted = kDefault | bit(CAP_SETGID);
    CHECK(may(at_most(from, to), to, Action::read_root));
    from.permitted = kDefault;  // without CAP_SETGID the group stays
    CHECK_FALSE(may(at_most(from, to), to, Action::read_root));
    // A domain is for good.
    from.no_new_privs = false;
    from.restricted.inspect = true;
    CHECK_FALSE(may(at_most(from, to), to, Action::read_root));
}

TEST_CASE("at least, a process has no capability and can be read") {
    auto to = process("to", 0, kDefault | bit(CAP_SYS_ADMIN));
    to.dumpable = AccessFacts::Dumpable::no;
    const auto from = process("from", 0, 0);
    CHECK_FALSE(may(from, to, Action::read_root));
    CHECK(may(from, at_least(to), Action::read_root));
}
