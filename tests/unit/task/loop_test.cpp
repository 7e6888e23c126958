// The loop: what a callback throws is its owner's, and nobody else's; what has gone is not called.
#include "task/loop.hpp"

#include "catch.hpp"
#include "sys/file.hpp"
#include "unit/task/lab.hpp"

#include <array>
#include <new>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace covey;
using covey::test::turn_until;
using std::chrono::milliseconds;

namespace {

/// Readable from the start.
UniqueFd ready() {
    return UniqueFd{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
}

struct Told {
    std::vector<std::string> words;
    task::Owner::Handler handler() {
        return [this](const Error& error) { words.push_back(error.detail()); };
    }
};

}  // namespace

TEST_CASE("what one callback throws goes to its owner, and the loop goes on for others") {
    task::Loop loop;
    Told bad_told, good_told;
    task::Owner bad{loop, "bad", bad_told.handler()}, good{loop, "good", good_told.handler()};
    const auto first = ready();
    const auto second = ready();
    int calls = 0;
    const auto bad_watch =
        bad.watch(first, EPOLLIN, [] { throw Error(Code::internal, "one container's event"); });
    const auto good_watch = good.watch(second, EPOLLIN, [&] { ++calls; });
    REQUIRE(turn_until(loop, [&] { return !bad_told.words.empty() && calls > 3; }));
    CHECK(bad_told.words.front() == "one container's event");
    CHECK(good_told.words.empty());
}

TEST_CASE("whatever is thrown becomes an error: no memory, and what is no exception") {
    task::Loop loop;
    Told told;
    task::Owner owner{loop, "owner", told.handler()};
    CHECK_FALSE(owner.guard([] { throw std::bad_alloc{}; }));
    CHECK_FALSE(owner.guard([] { throw std::runtime_error{"a library's"}; }));
    CHECK_FALSE(owner.guard([] { throw 7; }));  // NOLINT(hicpp-exception-baseclass)
    REQUIRE(told.words.size() == 3);
    CHECK(told.words[0].find("ENOMEM") != std::string::npos);
    CHECK(told.words[1] == "a library's");
    CHECK(owner.guard([] {}));
}

TEST_CASE("a handler that throws as well ends nothing, and an owner that has gone is not told") {
    task::Loop loop;
    task::Owner owner{loop, "owner", [](const Error& error) { throw Error(error); }};
    CHECK_FALSE(owner.guard([] { throw Error(Code::internal, "first"); }));
    task::Watch watch;
    const auto fd = ready();
    int calls = 0;
    {
        task::Owner gone{loop, "gone", [&](const Error&) { FAIL("told after its end"); }};
        watch = gone.watch(fd, EPOLLIN, [&] {
            ++calls;
            throw Error(Code::internal, "late");
        });
    }
    CHECK(turn_until(loop, [&] { return calls > 0; }));
}

TEST_CASE("a watch that fails at each event rests in between, and is tried again") {
    task::Loop loop;
    Told told;
    task::Owner owner{loop, "owner", told.handler()};
    const auto fd = ready();
    const auto watch = owner.watch(fd, EPOLLIN, [] { throw Error(Code::internal, "again"); });
    const auto began = task::Loop::Clock::now();
    REQUIRE(turn_until(loop, [&] { return told.words.size() >= 4; }));
    // 10, 20 and 40 ms of rest.
    CHECK(task::Loop::Clock::now() - began >= milliseconds{70});
}

TEST_CASE("a watch that has gone is not called, in the same round and with its number reused") {
    task::Loop loop;
    task::Owner owner{loop, "owner", {}};
    std::array<UniqueFd, 2> fds{ready(), ready()};
    std::array<task::Watch, 2> watches;
    std::vector<std::size_t> called;
    UniqueFd newcomer;
    for (std::size_t i = 0; i < 2; ++i)
        watches.at(i) = owner.watch(fds.at(i), EPOLLIN, [&, i] {
            called.push_back(i);
            const auto other = 1 - i;
            const int number = fds.at(other).get();
            watches.at(other).end();
            fds.at(other).reset();
            newcomer = UniqueFd{::fcntl(fds.at(i).get(), F_DUPFD_CLOEXEC, number)};
            CHECK(newcomer.get() == number);
            watches.at(i).end();
        });
    loop.turn(milliseconds{100});
    loop.turn(milliseconds{10});
    CHECK(called.size() == 1);
}

TEST_CASE("a timer comes once, not at all when it was cancelled, and not twice in a round") {
    task::Loop loop;
    task::Owner owner{loop, "owner", {}};
    int came = 0, again = 0;
    auto timer = owner.after(milliseconds{1}, [&] { ++came; });
    auto cancelled = owner.after(milliseconds{1}, [&] { FAIL("cancelled"); });
    cancelled.cancel();
    std::function<void()> repeat;
    task::Timer repeated;
    repeat = [&] {
        ++again;
        repeated = owner.after(milliseconds{0}, repeat);
    };
    repeat();
    CHECK(timer.is_set());
    loop.turn(milliseconds{0});
    CHECK(again == 2);
    REQUIRE(turn_until(loop, [&] { return came == 1; }));
    CHECK_FALSE(timer.is_set());
}

TEST_CASE("what cannot be waited for is refused at once, and leaves nothing behind") {
    task::Loop loop;
    Told told;
    task::Owner owner{loop, "owner", told.handler()};
    // The launcher that sends a regular file as a listener: epoll_ctl says EPERM.
    const UniqueFd file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    CHECK_THROWS_AS(owner.watch(file, EPOLLIN, [] {}), Error);
    const auto fd = ready();
    int calls = 0;
    const auto watch = owner.watch(fd, EPOLLIN, [&] { ++calls; });
    CHECK(turn_until(loop, [&] { return calls > 0; }));
}
