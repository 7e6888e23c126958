#include "catch.hpp"
#include "cgroup/cgroup.hpp"
#include "covey/error.hpp"

using covey::Error;
using namespace covey::cgroup;

namespace {

Host hybrid() {
    Host host;
    host.layout = Layout::hybrid;
    host.unified = "/cg/unified";
    host.v1 = {{"cpu", "/cg/cpu,cpuacct"},
               {"cpuacct", "/cg/cpu,cpuacct"},
               {"freezer", "/cg/freezer"},
               {"memory", "/cg/memory"},
               {"name=systemd", "/cg/systemd"}};
    return host;
}

Host v1_only() {
    auto host = hybrid();
    host.layout = Layout::v1;
    host.unified.clear();
    return host;
}

constexpr std::string_view kOwn =
    "9:name=systemd:/init.scope\n6:freezer:/\n4:memory:/api/x\n2:cpu,cpuacct:/work\n0::/u/own\n";

}  // namespace

TEST_CASE("an absolute cgroupsPath is below each hierarchy's mount") {
    CHECK(resolve_path_with("/kubepods/pod1/c", "id", hybrid(), kOwn) ==
          Placement{"/kubepods/pod1/c"});
    CHECK(resolve_path_with("/a//b/./../c/", "id", v1_only(), kOwn) == Placement{"/a/c"});
}

TEST_CASE("a relative one is below the caller's own cgroup, with v2 alone beside it") {
    const auto place = resolve_path_with("a/b", "id", hybrid(), kOwn);
    CHECK(place.path == "/u/own/a/b");
    auto v2 = hybrid();
    v2.layout = Layout::v2;
    v2.v1.clear();
    CHECK(resolve_path_with("a/b", "id", v2, kOwn) == Placement{"/u/a/b"});
    CHECK(place.in("/cg/memory") == "/api/x/a/b");
    CHECK(place.in("/cg/cpu,cpuacct") == "/work/a/b");
    CHECK(place.in("/cg/systemd") == "/init.scope/a/b");
    CHECK(place.in("/cg/freezer") == "/a/b");
    CHECK(place.in("/cg/other") == "/u/own/a/b");
    const auto v1 = resolve_path_with("a/b", "id", v1_only(), kOwn);
    CHECK(v1.path == "/a/b");
    CHECK_FALSE(v1.v1_paths.contains("/cg/freezer"));
}

TEST_CASE("callers of different groups have different groups for one id") {
    const auto one = resolve_path_with("", "web", hybrid(), "0::/u/one\n");
    const auto two = resolve_path_with("", "web", hybrid(), "0::/u/two\n");
    CHECK(one.path == "/u/one/web");
    CHECK(two.path == "/u/two/web");
    // A group with processes could not pass a controller of v2 on to it.
    const auto limited = resolve_path_with("", "web", hybrid(), "0::/u/one\n", NeedsV2::yes);
    CHECK(limited.path == "/u/web");
}

TEST_CASE("without a path the id is the path") {
    CHECK(resolve_path_with("", "web", hybrid(), kOwn).in("/cg/memory") == "/api/x/web");
    CHECK(resolve_path_with("", "web", hybrid(), "0::/\n") == Placement{"/web"});
}

TEST_CASE("no path leads out of the tree") {
    CHECK(resolve_path_with("/../../etc", "id", hybrid(), kOwn) == Placement{"/etc"});
    CHECK(resolve_path_with("../../etc", "id", hybrid(), kOwn).in("/cg/memory") == "/api/x/etc");
    for (const std::string_view path : {"/", "/..", "..", ".", "a/../..", "/a\nb"})
        CHECK_THROWS_AS(resolve_path_with(path, "id", hybrid(), kOwn), Error);
}

TEST_CASE("a mount that shows only a part of its hierarchy is reckoned with") {
    auto host = hybrid();
    host.identity_root = "/u";
    host.v1_roots = {{"/cg/memory", "/api"}, {"/cg/cpu,cpuacct", "/elsewhere"}};
    const auto place = resolve_path_with("c", "id", host, kOwn);
    CHECK(place.path == "/own/c");
    CHECK(place.in("/cg/memory") == "/x/c");
    CHECK(place.in("/cg/cpu,cpuacct") == "/c");
}

TEST_CASE("a placement goes on below in every hierarchy") {
    const auto child = resolve_path_with("a", "id", hybrid(), kOwn).below("e.exec");
    CHECK(child.path == "/u/own/a/e.exec");
    CHECK(child.in("/cg/memory") == "/api/x/a/e.exec");
    CHECK(child.in("/cg/freezer") == "/a/e.exec");
}
