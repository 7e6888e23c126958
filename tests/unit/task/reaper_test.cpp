// Whoever is a child is reaped: known ones for whoever waits for them, unknown ones and tracees
// too.
#include "task/reaper.hpp"

#include "catch.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"
#include "sys/process.hpp"
#include "task/children.hpp"
#include "unit/task/lab.hpp"

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace covey;
using covey::test::turn_until;

namespace {

sys::Child child_that(const std::function<void()>& does) {
    auto child = sys::clone_process({0, SIGCHLD, FdRef{-1}}).or_throw("clone", "child");
    if (child.pid == 0) {
        does();
        ::_exit(0);
    }
    return child;
}

bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

struct World {
    task::Loop loop;
    task::Reaper reaper{loop};
    std::string trouble;
    task::Owner owner{loop, "owner", [this](const Error& error) { trouble = error.detail(); }};
    bool until_no_child() {
        return turn_until(loop, [] { return !has_children(); });
    }
};

}  // namespace

TEST_CASE("a known child's status goes to whoever expects it, once") {
    World world;
    const auto child = child_that([] { ::_exit(7); });
    int calls = 0;
    sys::ExitStatus status;
    const auto end = world.reaper.expect(child.pidfd, world.owner, [&](const auto& told) {
        status = told;
        ++calls;
    });
    REQUIRE(turn_until(world.loop, [&] { return calls > 0; }));
    CHECK(status.code == 7);
    CHECK_FALSE(has_children());
    world.reaper.sweep();
    CHECK(calls == 1);
}

TEST_CASE("a child that has ended before it is expected is told all the same") {
    World world;
    const auto child = child_that([] { ::raise(SIGKILL); });
    REQUIRE(sys::wait_ended(child.pidfd, 5000));
    std::optional<sys::ExitStatus> status;
    const auto end =
        world.reaper.expect(child.pidfd, world.owner, [&](const auto& told) { status = told; });
    REQUIRE(turn_until(world.loop, [&] { return status.has_value(); }));
    CHECK(status->signal == SIGKILL);
}

TEST_CASE("children that nobody knows are reaped, a thousand of them, without keeping the loop") {
    World world;
    const auto maker = child_that([] {
        // What a container's process can do: its children are its parent's.
        for (int i = 0; i < 1000; ++i) {
            const auto made = sys::clone_process({CLONE_PARENT, 0, FdRef{-1}});
            if (!made) ::_exit(1);
            if (made.value().pid == 0) ::_exit(0);
        }
    });
    std::optional<sys::ExitStatus> status;
    const auto end =
        world.reaper.expect(maker.pidfd, world.owner, [&](const auto& told) { status = told; });
    REQUIRE(world.until_no_child());
    REQUIRE(status.has_value());
    CHECK(status->code == 0);
}

TEST_CASE("who may have been told of a child reads that before it is reaped as an unknown one") {
    World world;
    task::Reaper::Child end;
    std::optional<sys::ExitStatus> status;
    const auto child = child_that([] { ::_exit(3); });
    const auto listener = world.reaper.listen_first(world.owner, [&] {
        if (!end)
            end = world.reaper.expect(child.pidfd, world.owner,
                                      [&](const auto& told) { status = told; });
        return true;
    });
    REQUIRE(turn_until(world.loop, [&] { return status.has_value(); }));
    CHECK(status->code == 3);
}

TEST_CASE("while somebody may still be told of a child, unknown ones wait and known ones do not") {
    World world;
    bool may_hear_more = true;
    const auto listener = world.reaper.listen_first(world.owner, [&] { return !may_hear_more; });
    const auto unknown = child_that([] { ::_exit(3); });
    REQUIRE(sys::wait_ended(unknown.pidfd, 5000));
    const auto known = child_that([] { ::_exit(4); });
    std::optional<sys::ExitStatus> status, late;
    const auto end =
        world.reaper.expect(known.pidfd, world.owner, [&](const auto& told) { status = told; });
    REQUIRE(turn_until(world.loop, [&] { return status.has_value(); }));
    CHECK(status->code == 4);
    REQUIRE(has_children());
    const auto late_end =
        world.reaper.expect(unknown.pidfd, world.owner, [&](const auto& told) { late = told; });
    REQUIRE(turn_until(world.loop, [&] { return late.has_value(); }));
    CHECK(late->code == 3);
}

TEST_CASE("what an expecter or a listener throws is its own, and the next child is reaped") {
    World world;
    const auto first = child_that([] {});
    const auto end = world.reaper.expect(first.pidfd, world.owner, [](const auto&) {
        throw Error(Code::internal, "the expecter's");
    });
    REQUIRE(turn_until(world.loop, [&] { return !world.trouble.empty(); }));
    CHECK(world.trouble == "the expecter's");
    const auto listener = world.reaper.listen_first(
        world.owner, []() -> bool { throw Error(Code::internal, "the listener's"); });
    (void)child_that([] {});
    REQUIRE(world.until_no_child());
    CHECK(world.trouble == "the listener's");
}

TEST_CASE("a child that makes its parent its tracer goes on without one, and its signal comes") {
    World world;
    const auto child = child_that([] {
        ::signal(SIGUSR1, [](int) { ::_exit(5); });
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGUSR1);
    });
    std::optional<sys::ExitStatus> status;
    const auto end =
        world.reaper.expect(child.pidfd, world.owner, [&](const auto& told) { status = told; });
    REQUIRE(turn_until(world.loop, [&] { return status.has_value(); }));
    CHECK(status->code == 5);
}

TEST_CASE("a child that is only stopped stays so") {
    World world;
    const auto child = child_that([] { ::raise(SIGSTOP); });
    std::optional<sys::ExitStatus> status;
    const auto end =
        world.reaper.expect(child.pidfd, world.owner, [&](const auto& told) { status = told; });
    for (int i = 0; i < 5; ++i)
        world.loop.turn(std::chrono::milliseconds{20});
    CHECK_FALSE(status.has_value());
    sys::pidfd_send_signal(child.pidfd, SIGCONT).or_throw("signal");
    REQUIRE(turn_until(world.loop, [&] { return status.has_value(); }));
}

TEST_CASE(
    "a child whose tracer keeps its end to itself is told with its status, and reaped later") {
    World world;
    const auto child = child_that([] { ::pause(); });
    auto tracer = child_that([pid = child.pid] {
        if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) ::_exit(1);
        ::kill(pid, SIGKILL);
        ::pause();
    });
    std::optional<sys::ExitStatus> status, tracer_status;
    const auto tracer_end = world.reaper.expect(tracer.pidfd, world.owner,
                                                [&](const auto& told) { tracer_status = told; });
    const auto end =
        world.reaper.expect(child.pidfd, world.owner, [&](const auto& told) { status = told; });
    REQUIRE(turn_until(world.loop, [&] { return status.has_value() || tracer_status; }));
    REQUIRE(status.has_value());
    CHECK(status->signal == SIGKILL);
    CHECK(has_children());
    sys::pidfd_send_signal(tracer.pidfd, SIGKILL).or_throw("signal");
    REQUIRE(world.until_no_child());
}

TEST_CASE("a program without a loop waits for all its children, but not for ever") {
    (void)child_that([] {});
    const auto stays = child_that([] { ::pause(); });
    const auto began = task::Loop::Clock::now();
    task::reap_all_children(std::chrono::milliseconds{100});
    CHECK(task::Loop::Clock::now() - began < std::chrono::seconds{2});
    CHECK(has_children());
    sys::pidfd_send_signal(stays.pidfd, SIGKILL).or_throw("signal");
    task::reap_all_children(std::chrono::seconds{5});
    CHECK_FALSE(has_children());
}

TEST_CASE("who waits without a loop takes the status of a child that a tracer keeps") {
    const auto child = child_that([] { ::pause(); });
    const auto tracer = child_that([pid = child.pid] {
        if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) ::_exit(1);
        ::kill(pid, SIGKILL);
        ::pause();
    });
    REQUIRE(sys::wait_ended(child.pidfd, 5000));
    CHECK(task::take_status(child.pidfd).signal == SIGKILL);
    sys::pidfd_send_signal(tracer.pidfd, SIGKILL).or_throw("signal");
    task::reap_all_children(std::chrono::seconds{5});
    CHECK_FALSE(has_children());
}

TEST_CASE("a child is ending though a tracer keeps one of its threads") {
    const auto proc = sys::open_proc().or_throw("open", "/proc");
    auto told = sys::make_pipe().or_throw("pipe");
    const auto child = child_that([&] {
        std::thread{[&] {
            const pid_t thread = ::gettid();
            (void)!::write(told.write.get(), &thread, sizeof thread);
            ::pause();
        }}.join();
    });
    pid_t thread = 0;
    REQUIRE(::read(told.read.get(), &thread, sizeof thread) == sizeof thread);
    const auto tracer = child_that([&] {
        const auto done = ::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr);
        (void)!::write(told.write.get(), "x", 1);
        if (done == 0) ::pause();
    });
    char ready = 0;
    REQUIRE(::read(told.read.get(), &ready, 1) == 1);
    CHECK_FALSE(sys::is_ending(proc, child.pid));
    sys::pidfd_send_signal(child.pidfd, SIGKILL).or_throw("signal");
    // What this is for: the kernel does not say so.
    CHECK_FALSE(sys::wait_ended(child.pidfd, 200));
    CHECK(sys::is_ending(proc, child.pid));
    CHECK(task::take_status(child.pidfd).signal == SIGKILL);
    sys::pidfd_send_signal(tracer.pidfd, SIGKILL).or_throw("signal");
    task::reap_all_children(std::chrono::seconds{5});
    CHECK_FALSE(has_children());
}

TEST_CASE("a tracee's stop is told by a wait for ends, and is taken for none") {
    const auto child = child_that([] {
        (void)::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGCONT);
    });
    const auto told_next = [](int flags) {
        auto told = task::any_child(flags);
        for (int tries = 0; !told && tries < 1000; ++tries, ::poll(nullptr, 0, 5))
            told = task::any_child(flags);
        return told;
    };
    const auto stopped = told_next(WEXITED);
    REQUIRE(stopped.has_value());
    // What this is for.
    CHECK(stopped->si_code == CLD_TRAPPED);
    CHECK(task::release(*stopped));
    const auto ended = told_next(WEXITED);
    REQUIRE(ended.has_value());
    CHECK(ended->si_code == CLD_EXITED);
    CHECK_FALSE(task::release(*ended));
    CHECK_FALSE(has_children());
}
