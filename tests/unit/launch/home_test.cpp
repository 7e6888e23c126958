// passwd(5) as images have it, and as somebody may have written it.
#include "launch/home.hpp"

#include "catch.hpp"
#include "support/temporary_folder.hpp"
#include "sys/file.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace covey;
using launch::home_in;

TEST_CASE("the home folder is that of the first entry with the number") {
    const std::string passwd =
        "root:x:0:0:root:/root:/bin/sh\n"
        "# a comment\n"
        "short:x:5\n"
        "\n"
        "app:x:1000:1000:An App,,,:/home/app:/bin/sh\n"
        "again:x:1000:1000::/home/again:/bin/sh\n"
        "last:x:65534:65534::/nonexistent:";
    CHECK(home_in(passwd, 0) == "/root");
    CHECK(home_in(passwd, 1000) == "/home/app");
    CHECK(home_in(passwd, 65534) == "/nonexistent");
    CHECK_FALSE(home_in(passwd, 5));
    CHECK_FALSE(home_in(passwd, 1));
    CHECK_FALSE(home_in("", 0));
}

TEST_CASE("what is no number or no home folder says nothing") {
    CHECK_FALSE(home_in("a:x:-1:0::/a:\n", 4294967295U));
    CHECK_FALSE(home_in("a:x:+7:0::/a:\n", 7));
    CHECK_FALSE(home_in("a:x: 7:0::/a:\n", 7));
    CHECK_FALSE(home_in("a:x:7x:0::/a:\n", 7));
    CHECK_FALSE(home_in("a:x::0::/a:\n", 0));
    CHECK_FALSE(home_in("a:x:4294967296:0::/a:\n", 0));
    CHECK_FALSE(home_in("a:x:7:0:::\n", 7));
    CHECK_FALSE(home_in("a:x:7:0::/a\033[2J:\n", 7));
    CHECK_FALSE(home_in(std::string{"a:x:7:0::/a\0b:\n", 15}, 7));
    CHECK(home_in("a:x:007:0::/a:\n", 7) == "/a");
}

// A container that runs may do so while an exec into it begins.
TEST_CASE("who exchanges the database meanwhile neither holds an exec nor sends it outside") {
    const test::TemporaryFolder folder;
    const auto root = folder.path() + "/root", etc = root + "/etc";
    std::filesystem::create_directories(etc);
    std::ofstream{folder.path() + "/passwd"} << "host:x:7:7::/of-the-host:\n";
    std::ofstream{etc + "/good"} << "app:x:7:7::/home/app:\n";
    REQUIRE(::mkfifo((etc + "/fifo").c_str(), 0666) == 0);
    std::filesystem::create_symlink("../../passwd", etc + "/out");
    std::filesystem::create_directories(etc + "/folder");
    const auto fd = sys::open_dir(root).or_throw("open", root);
    const auto place = sys::open_dir(etc).or_throw("open", etc);
    std::atomic<bool> over{false};
    std::thread other{[&] {
        while (!over)
            for (const char* name : {"good", "fifo", "out", "folder"}) {
                (void)::unlinkat(place.get(), "passwd", 0);
                (void)::symlinkat(name, place.get(), "passwd");
            }
    }};
    int found = 0, missing = 0;
    for (int i = 0; i < 20'000 && (found == 0 || missing == 0 || i < 5000); ++i) {
        plan::ProcessPlan process;
        process.uid = 7;
        launch::complete_home(process, fd);
        const auto home = process.env.at(0);
        found += home == "HOME=/home/app" ? 1 : 0;
        missing += home == "HOME=/" ? 1 : 0;
        if (home != "HOME=/home/app" && home != "HOME=/") FAIL(home);
    }
    over = true;
    other.join();
    CHECK(found > 0);
    CHECK(missing > 0);
}
