#include "spec/checks.hpp"

#include "base/text.hpp"
#include "catch.hpp"
#include "spec/collector.hpp"

#include <string>

using namespace covey::spec;

TEST_CASE("semantic versions are told from other texts") {
    for (const char* const good : {"1.0.0", "1.2.0", "10.20.30", "1.0.2-dev", "1.0.0-rc.1",
                                   "1.0.0-0.3.7", "1.0.0+build.007", "1.0.0-a-b+c-d"}) {
        INFO(good);
        CHECK(is_semver(good));
    }
    for (const char* const bad :
         {"", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.0 ", "01.0.0", "1.0.-1", "1.0.0-", "1.0.0+",
          "1.0.0-a..b", "1.0.0-00", "1..0", "1.0.0-a_b"}) {
        INFO(bad);
        CHECK_FALSE(is_semver(bad));
    }
}

TEST_CASE("CPU lists are told from other texts") {
    for (const char* const good : {"0", "0-3", "0-3,7", "0,2,4", "0-31:2/4", "1, 2"}) {
        INFO(good);
        CHECK(is_cpu_list(good));
    }
    for (const char* const bad : {"", ",", "0,", "-1", "3-1", "a", "0-3:", "0-3:0/2", "0-3:3/2",
                                  "0x1", "0-3-5", "1;2", "99999999999"}) {
        INFO(bad);
        CHECK_FALSE(is_cpu_list(bad));
    }
}

TEST_CASE("sysctl names cannot leave /proc/sys") {
    for (const char* const good : {"net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding",
                                   "kernel.shm_rmid_forced", "fs.mqueue.msg-max", "a"}) {
        INFO(good);
        CHECK(is_sysctl_key(good));
    }
    for (const char* const bad : {"", ".", "..", "/", "/etc", "a/../b", "a..b", "a//b", "a.", "a/",
                                  "a b", "a\nb", "a+b", "a*", "ä"}) {
        INFO(bad);
        CHECK_FALSE(is_sysctl_key(bad));
    }
}

TEST_CASE("file names are one safe component") {
    CHECK(is_file_name("memory.max"));
    CHECK(is_file_name("..."));
    for (const char* const bad : {"", ".", "..", "a/b", "/", "a\nb"}) {
        CHECK_FALSE(is_file_name(bad));
    }
}

TEST_CASE("texts of others are quoted so that a message stays one short line of UTF-8") {
    CHECK(quote("a'b") == "'a'b'");
    CHECK(quote("a\nb\x1b") == "'a\\x0ab\\x1b'");
    const std::string text = "a" + [] {
        std::string umlauts;
        for (int i = 0; i < 100; ++i)
            umlauts += "ä";
        return umlauts;
    }();
    CHECK(covey::is_utf8(quote(text)));
    CHECK(quote(text).size() < 90);
    CHECK(quote(text).ends_with("…'"));
}

TEST_CASE("a place writes itself as a JSON pointer") {
    const Place document;
    const Place a{&document, "a/b"};
    const Place b{&a, std::size_t{3}};
    const Place c{&b, "~"};
    CHECK(document.pointer().empty());
    CHECK(c.pointer() == "/a~1b/3/~0");
}

TEST_CASE("a pointer is clean when nothing at or below it was wrong") {
    Collector problems;
    CHECK(problems.clean(""));
    problems.add("/linux/namespaces/0", "x");
    CHECK_FALSE(problems.clean("/linux/namespaces/0"));
    CHECK_FALSE(problems.clean("/linux/namespaces"));
    CHECK(problems.clean("/linux/name"));
    CHECK(problems.clean("/linux/namespaces/0/type"));
    CHECK_FALSE(problems.clean(""));
}
