// A terminal's output into a FIFO: whoever fills it holds the terminal's program back, not the
// loop.
#include "task/terminal_copy.hpp"

#include "catch.hpp"
#include "support/temporary_folder.hpp"
#include "sys/file.hpp"
#include "unit/task/lab.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

using namespace covey;
using covey::test::turn_until;

namespace {

struct Pty {
    UniqueFd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)}, slave;
    Pty() {
        REQUIRE(master.valid());
        REQUIRE(::unlockpt(master.get()) == 0);
        slave = UniqueFd{::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
        REQUIRE(slave.valid());
        termios raw{};
        REQUIRE(::tcgetattr(slave.get(), &raw) == 0);
        ::cfmakeraw(&raw);
        REQUIRE(::tcsetattr(slave.get(), TCSANOW, &raw) == 0);
    }
};

std::size_t fill(FdRef fifo) {
    std::size_t all = 0;
    for (std::size_t size = 4096; size > 0; size /= 2) {
        const std::string noise(size, '.');
        for (ssize_t sent = 0; (sent = ::write(fifo.get(), noise.data(), size)) > 0;)
            all += static_cast<std::size_t>(sent);
    }
    return all;
}

std::string take(FdRef fifo) {
    std::string text;
    std::array<char, 65536> chunk{};
    for (ssize_t got = 0; (got = ::read(fifo.get(), chunk.data(), chunk.size())) > 0;)
        text.append(chunk.data(), static_cast<std::size_t>(got));
    return text;
}

}  // namespace

// Seen failing without the flush in rest(): the words stay until the terminal has more to say.
// (That the other writer comes between poll(2) and write(2), where the loop waited once, is a
// race.)
TEST_CASE("a FIFO that another writer fills keeps no loop waiting, and loses nothing") {
    test::TemporaryFolder folder;
    const auto path = folder.path() + "/fifo";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    const auto reader = sys::open(path, O_RDWR | O_NONBLOCK).or_throw("open", path);
    auto output = sys::open(path, O_RDWR).or_throw("open", path);
    Pty pty;
    task::Loop loop;
    task::Owner owner{loop, "owner", [](const Error& error) { FAIL(error.detail()); }};
    task::TerminalCopy copy{owner, std::move(pty.master), std::move(output)};

    const auto noise = fill(reader);
    REQUIRE(noise > 0);
    const std::string words(3000, 'x');
    REQUIRE(sys::write_all(pty.slave, words));
    for (int turns = 0; turns < 20; ++turns)
        loop.turn(std::chrono::milliseconds{5});
    std::string all;
    REQUIRE(turn_until(loop, [&] {
        all += take(reader);
        return all.size() >= noise + words.size();
    }));
    CHECK(all.size() == noise + words.size());
    CHECK(std::count(all.begin(), all.end(), 'x') == static_cast<std::ptrdiff_t>(words.size()));
}

// A drain() that reads until the pty is empty ends with the flood, as long as that keeps up.
TEST_CASE("who floods a terminal that was passed on keeps no end waiting") {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::seconds kFlood{3};
    Pty pty;
    task::Loop loop;
    task::Owner owner{loop, "owner", [](const Error& error) { FAIL(error.detail()); }};
    task::TerminalCopy copy{owner, std::move(pty.master),
                            sys::open("/dev/null", O_WRONLY).or_throw("open", "/dev/null")};
    sys::set_nonblocking(pty.slave, true).or_throw("fcntl", "pty");
    std::atomic<bool> over = false, begun = false;
    std::thread flood{[&] {
        const std::string words(4096, 'x');
        for (const auto until = Clock::now() + kFlood; !over && Clock::now() < until; begun = true)
            (void)!::write(pty.slave.get(), words.data(), words.size());
    }};
    while (!begun)
        ::poll(nullptr, 0, 1);
    const auto began = Clock::now();
    copy.drain();
    const auto took = Clock::now() - began;
    over = true;
    flood.join();
    CHECK(took < kFlood / 2);
}
