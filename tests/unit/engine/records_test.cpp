#include "engine/records.hpp"

#include "catch.hpp"
#include "support/temporary_folder.hpp"

using namespace covey;
using namespace covey::daemon;

TEST_CASE(
    "a container's record that says nothing of pid1Signals is of a daemon that ignored them") {
    const test::TemporaryFolder folder;
    ContainerRecord record;
    record.request.id = "app";
    record.request.pid_mode = spec::PidMode::pod;
    // Absent in the request is absent in the record: so an earlier version wrote it.
    write_container_record(folder.fd(), record, "this boot");
    const auto back = read_container_record(folder.fd(), "this boot");
    REQUIRE(back.record);
    CHECK(back.record->request.pid1_signals == spec::Pid1Signals::ignore);
    CHECK(back.record->request.pid_mode == spec::PidMode::pod);
}
