// The event journal: numbers, bounds, and what a killed writer leaves behind.
#include "store/journal.hpp"

#include "catch.hpp"
#include "covey/error.hpp"
#include "support/full_disk.hpp"
#include "support/temporary_folder.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace covey;
using namespace covey::store;
using test::FullDisk;
using test::TemporaryFolder;

namespace {

std::string text_of(const TemporaryFolder& folder) {
    std::ifstream file{folder.path() + "/events.ndjson"};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void put_text(const TemporaryFolder& folder, const std::string& text) {
    std::ofstream{folder.path() + "/events.ndjson"} << text;
}

Journal open_journal(const TemporaryFolder& folder, JournalLimits limits = {}) {
    return Journal::open(folder.fd(), "events.ndjson", limits);
}

}  // namespace

TEST_CASE("numbers begin at 1 and go on after the journal is opened again") {
    const TemporaryFolder folder;
    {
        auto journal = open_journal(folder);
        CHECK(journal.last_seq() == 0);
        CHECK(journal.append(R"({"a":1})") == 1);
        CHECK(journal.append(R"({"b":2})") == 2);
    }
    auto journal = open_journal(folder);
    CHECK(journal.last_seq() == 2);
    CHECK(journal.append(R"({"c":3})") == 3);
    REQUIRE(journal.entries().size() == 3);
    CHECK(journal.entries()[1].event == R"({"b":2})");
    CHECK(text_of(folder) ==
          "{\"seq\":1,\"event\":{\"a\":1}}\n{\"seq\":2,\"event\":{\"b\":2}}\n"
          "{\"seq\":3,\"event\":{\"c\":3}}\n");
}

TEST_CASE("a journal cut anywhere loses only the line that was not complete") {
    const TemporaryFolder folder;
    {
        auto journal = open_journal(folder);
        for (int i = 0; i < 3; ++i)
            (void)journal.append(R"({"event":"x"})");
    }
    const auto whole = text_of(folder);
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        INFO("cut to " << length);
        const auto cut = whole.substr(0, length);
        put_text(folder, cut);
        const auto complete = static_cast<std::uint64_t>(std::count(cut.begin(), cut.end(), '\n'));
        auto journal = open_journal(folder);
        CHECK(journal.last_seq() == complete);
        CHECK(journal.damaged_lines() == 0);
        CHECK(journal.append("{}") == complete + 1);
        CHECK(open_journal(folder).last_seq() == complete + 1);
    }
}

TEST_CASE("a damaged line in the middle is counted and its number never given again") {
    const TemporaryFolder folder;
    put_text(folder,
             "{\"seq\":1,\"event\":{}}\nrubbish\n{\"seq\":3,\"event\":{\"x\":1}}\n{\"seq\":4}\n");
    auto journal = open_journal(folder);
    CHECK(journal.damaged_lines() == 2);
    CHECK(journal.append("{}") == 5);
    CHECK_FALSE(journal.after(0).has_value());  // 2 is lost: nobody reads across the gap unaware
    CHECK_FALSE(journal.after(3).has_value());
    REQUIRE(journal.after(4).has_value());
    CHECK(journal.after(4)->size() == 1);
}

TEST_CASE("memory and file stay within their bounds, and the newest are kept") {
    const TemporaryFolder folder;
    constexpr JournalLimits kLimits{10, 1U << 20U};
    auto journal = open_journal(folder, kLimits);
    for (int i = 1; i <= 1000; ++i) {
        (void)journal.append("{\"i\":" + std::to_string(i) + "}");
        const auto text = text_of(folder);
        REQUIRE(std::count(text.begin(), text.end(), '\n') <= 21);
        REQUIRE(journal.entries().size() <= 10);
    }
    CHECK(journal.entries().front().seq == 991);
    CHECK_FALSE(journal.after(989).has_value());
    REQUIRE(journal.after(990).has_value());
    CHECK(journal.after(990)->size() == 10);
    const auto again = open_journal(folder, kLimits);
    CHECK(again.last_seq() == 1000);
    CHECK(again.entries().size() == 10);
    CHECK(again.entries().back().event == R"({"i":1000})");
}

TEST_CASE("a few large events are bounded by their bytes") {
    const TemporaryFolder folder;
    auto journal = open_journal(folder, {1000, 1000});
    const auto large = "{\"x\":\"" + std::string(400, 'y') + "\"}";
    for (int i = 0; i < 50; ++i)
        (void)journal.append(large);
    CHECK(journal.entries().size() == 2);
    CHECK(text_of(folder).size() < 2 * 1000 + 500);
    (void)journal.append("{\"x\":\"" + std::string(5000, 'z') + "\"}");
    CHECK(journal.entries().size() == 1);
    CHECK(open_journal(folder, {1000, 1000}).last_seq() == 51);
}

TEST_CASE("a reader at the end gets nothing, one from another journal is told") {
    const TemporaryFolder folder;
    auto journal = open_journal(folder);
    REQUIRE(journal.after(0).has_value());
    CHECK(journal.after(0)->empty());
    (void)journal.append("{}");
    REQUIRE(journal.after(1).has_value());
    CHECK(journal.after(1)->empty());
    CHECK_FALSE(journal.after(2).has_value());
}

TEST_CASE("only one JSON object on one line is an event") {
    const TemporaryFolder folder;
    auto journal = open_journal(folder);
    for (const char* text : {"", "7", "[]", "{", "{}\n", "{\n}", "{} {}", "{}x"}) {
        INFO(text);
        CHECK_THROWS_AS(journal.append(text), Error);
    }
    CHECK(journal.last_seq() == 0);
    CHECK(text_of(folder).empty());
}

TEST_CASE("events of a full filesystem are kept and come into the file when there is room again") {
    const TemporaryFolder folder;
    auto journal = open_journal(folder);
    (void)journal.append("{}");
    {
        const FullDisk full(40);
        CHECK(journal.append("{\"x\":\"" + std::string(100, 'y') + "\"}") == 2);
        CHECK(journal.append(R"({"z":1})") == 3);
        CHECK(journal.unwritten() == 2);
        CHECK_FALSE(journal.write_out());
        CHECK(journal.entries().size() == 3);
        CHECK(text_of(folder) == "{\"seq\":1,\"event\":{}}\n");
    }
    CHECK(journal.append("{}") == 4);
    CHECK(journal.unwritten() == 0);
    CHECK(journal.lost() == 0);
    const auto again = open_journal(folder);
    CHECK(again.last_seq() == 4);
    CHECK(again.entries().size() == 4);
    CHECK(again.damaged_lines() == 0);
}

TEST_CASE("events that memory forgets before they can be written are counted, and the gap told") {
    const TemporaryFolder folder;
    {
        auto journal = open_journal(folder, {4, 4096});
        (void)journal.append("{}");
        {
            const FullDisk full(20);
            for (int i = 0; i < 10; ++i)
                (void)journal.append("{}");
        }
        CHECK(journal.unwritten() == 4);
        CHECK(journal.lost() == 6);
        CHECK(journal.write_out());
        CHECK(journal.unwritten() == 0);
    }
    const auto again = open_journal(folder, {4, 4096});
    CHECK(again.last_seq() == 11);
    CHECK_FALSE(again.after(6).has_value());
    CHECK(again.after(7).has_value());
}

TEST_CASE("what is no regular file is refused as a journal, and neither opened nor followed") {
    const TemporaryFolder folder;
    const auto path = folder.path() + "/events.ndjson";
    const auto refusal = [&] {
        try {
            (void)open_journal(folder);
        } catch (const Error& error) {
            CHECK(error.code() == Code::failed_precondition);
            CHECK_FALSE(error.fix().empty());
            return error.detail();
        }
        return std::string{"taken"};
    };
    const auto contains = [](const std::string& text, const char* word) {
        return text.find(word) != std::string::npos;
    };
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    CHECK(contains(refusal(), "is a FIFO"));
    REQUIRE(unlink(path.c_str()) == 0);
    REQUIRE(symlink("/dev/null", path.c_str()) == 0);
    CHECK(contains(refusal(), "is a symlink"));
    REQUIRE(unlink(path.c_str()) == 0);
    REQUIRE(mkdir(path.c_str(), 0700) == 0);
    CHECK(contains(refusal(), "is a folder"));
}
