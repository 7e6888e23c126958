// Records and the state folder: what is not ours, not whole or not of this boot is said to be so.
#include "store/record.hpp"

#include "catch.hpp"
#include "covey/error.hpp"
#include "store/state_dir.hpp"
#include "support/requires.hpp"
#include "support/temporary_folder.hpp"

#include <fstream>
#include <optional>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace covey;
using namespace covey::store;
using test::TemporaryFolder;

namespace {

std::string file_text(const std::string& path) {
    std::ifstream file{path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::optional<Error> refusal(const std::string& path) {
    try {
        (void)StateDir::open(path);
    } catch (const Error& error) {
        return error;
    }
    return {};
}

}  // namespace

TEST_CASE("a record reads back what was written") {
    const TemporaryFolder folder;
    write_record(folder.fd(), "record.json", R"({"b":[1,2],"a":"ü"})", "boot-1");
    const auto result = read_record(folder.fd(), "record.json", "boot-1");
    CHECK(result.state == RecordState::valid);
    CHECK(result.body == R"({"a":"ü","b":[1,2]})");
    CHECK(result.problem.empty());
    struct stat status {};
    REQUIRE(::stat((folder.path() + "/record.json").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
}

TEST_CASE("a record of another boot is given, and said to be one") {
    const TemporaryFolder folder;
    write_record(folder.fd(), "record.json", R"({"a":1})", "boot-1");
    const auto result = read_record(folder.fd(), "record.json", "boot-2");
    CHECK(result.state == RecordState::foreign_boot);
    CHECK(result.body == R"({"a":1})");
    CHECK(result.problem.find("earlier boot") != std::string::npos);
}

TEST_CASE("a record cut anywhere is damaged, never half a record") {
    const TemporaryFolder folder;
    write_record(folder.fd(), "record.json", R"({"a":{"b":1}})", "boot-1");
    const auto path = folder.path() + "/record.json";
    const auto whole = file_text(path);
    for (std::size_t length = 0; length + 1 < whole.size(); ++length) {  // the newline may lack
        INFO("cut to " << length);
        std::ofstream{path} << whole.substr(0, length);
        const auto result = read_record(folder.fd(), "record.json", "boot-1");
        CHECK(result.state == RecordState::damaged);
        CHECK(result.body.empty());
        CHECK(result.problem.find("record.json") != std::string::npos);
    }
}

TEST_CASE("what is no record of ours is named as such") {
    const TemporaryFolder folder;
    CHECK(read_record(folder.fd(), "record.json", "b").state == RecordState::absent);
    const auto path = folder.path() + "/record.json";
    for (const char* text :
         {"[]", "{}", R"({"schema":"1","bootId":"b","body":{}})", R"({"schema":1,"body":{}})",
          R"({"schema":1,"bootId":7,"body":{}})", R"({"schema":1,"bootId":"b","body":[]})"}) {
        INFO(text);
        std::ofstream{path} << text;
        CHECK(read_record(folder.fd(), "record.json", "b").state == RecordState::damaged);
    }
    std::ofstream{path} << R"({"schema":2,"bootId":"b","body":{}})";
    CHECK(read_record(folder.fd(), "record.json", "b").state == RecordState::newer_schema);
    std::ofstream{path} << R"({"schema":1,"bootId":"b","body":{"x":1},"later":true})";
    CHECK(read_record(folder.fd(), "record.json", "b").state == RecordState::valid);
    ::unlink(path.c_str());
    ::mkfifo(path.c_str(), 0600);  // and it does not hang
    CHECK(read_record(folder.fd(), "record.json", "b").state == RecordState::damaged);
}

TEST_CASE("a body that is not a JSON object is refused and nothing is written") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(write_record(folder.fd(), "record.json", "[]", "b"), Error);
    CHECK_THROWS_AS(write_record(folder.fd(), "record.json", "{", "b"), Error);
    CHECK(read_record(folder.fd(), "record.json", "b").state == RecordState::absent);
}

TEST_CASE("the state folder is made for its owner alone, parents included") {
    const TemporaryFolder folder;
    const auto state = StateDir::open(folder.path() + "/a/b/covey/");
    CHECK(state.path() == folder.path() + "/a/b/covey");
    struct stat status {};
    REQUIRE(::stat(state.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0700U);
    CHECK(state.folder("sandboxes/web").valid());
    CHECK(::access((state.path() + "/sandboxes/web").c_str(), F_OK) == 0);
}

TEST_CASE("a second daemon on the same state folder is refused with a remedy") {
    const TemporaryFolder folder;
    auto first = StateDir::open(folder.path());
    first.lock();
    auto second = StateDir::open(folder.path());
    try {
        second.lock();
        FAIL("both have the lock");
    } catch (const Error& error) {
        CHECK(error.code() == Code::failed_precondition);
        CHECK(error.detail().find(folder.path()) != std::string::npos);
        CHECK(error.fix().find("--root") != std::string::npos);
    }
    { const auto gone = std::move(first); }
    CHECK_NOTHROW(second.lock());
}

TEST_CASE("a state folder that others can write is refused with a remedy") {
    const TemporaryFolder folder;
    for (const mode_t mode : {0770U, 0707U, 0722U}) {
        ::chmod(folder.path().c_str(), mode);
        const auto error = refusal(folder.path());
        REQUIRE(error.has_value());
        CHECK(error->code() == Code::permission_denied);
        CHECK(error->fix().find("chmod") != std::string::npos);
    }
    ::chmod(folder.path().c_str(), 0755);
    CHECK_FALSE(refusal(folder.path()).has_value());
}

TEST_CASE("a state folder of another user is refused with a remedy") {
    COVEY_REQUIRES("root");
    const TemporaryFolder folder;
    REQUIRE(::chown(folder.path().c_str(), 65534, 65534) == 0);
    const auto error = refusal(folder.path());
    REQUIRE(error.has_value());
    CHECK(error->code() == Code::permission_denied);
    CHECK(error->fix().find("chown") != std::string::npos);
}

TEST_CASE("a state folder that is a link or a file or relative is refused") {
    const TemporaryFolder folder;
    REQUIRE(::symlink("/tmp", (folder.path() + "/link").c_str()) == 0);
    std::ofstream{folder.path() + "/file"} << "x";
    for (const char* name : {"/link", "/file"}) {
        const auto error = refusal(folder.path() + name);
        REQUIRE(error.has_value());
        CHECK(error->code() == Code::permission_denied);
    }
    REQUIRE(refusal("run/covey").has_value());
    CHECK(refusal("run/covey")->code() == Code::invalid_argument);
}
