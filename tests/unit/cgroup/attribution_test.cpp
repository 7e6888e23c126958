#include "catch.hpp"
#include "fake_tree.hpp"

using covey::cgroup::Host;
using covey::cgroup::identity_of;
using covey::test::FakeTree;

namespace {

Host v2_host() {
    Host host;
    host.unified = "/sys/fs/cgroup";
    return host;
}

Host v1_host() {
    Host host;
    host.layout = covey::cgroup::Layout::v1;
    host.v1 = {{"freezer", "/sys/fs/cgroup/freezer"}, {"cpu", "/sys/fs/cgroup/cpu"}};
    return host;
}

std::string identity(const Host& host, const std::string& text) {
    const FakeTree tree{{{"/proc/7/cgroup", text}}};
    const auto proc = covey::sys::open_dir(tree.root() + "/proc").or_throw("open");
    return identity_of(host, proc, 7);
}

}  // namespace

TEST_CASE("a process is attributed by the v2 line wherever there is a v2 tree") {
    CHECK(identity(v2_host(), "0::/covey/web.pod/nginx.ctr\n") == "/covey/web.pod/nginx.ctr");
    CHECK(identity(v2_host(), "8:pids:/other\n1:name=systemd:/\n0::/covey/a.pod\n") ==
          "/covey/a.pod");
    CHECK(identity(v2_host(), "0::/\n") == "/");
    CHECK(identity(v2_host(), "0::/a:b/c\n") == "/a:b/c");
}

TEST_CASE("on pure v1 the freezer's line counts") {
    CHECK(identity(v1_host(), "8:pids:/x\n6:freezer:/covey/a.pod/b.ctr\n0::/no\n") ==
          "/covey/a.pod/b.ctr");
    CHECK(identity(v1_host(), "6:blkio,freezer:/covey/a.pod\n") == "/covey/a.pod");
    CHECK(identity(v1_host(), "8:pids:/x\n0::/no\n").empty());
}

TEST_CASE("a zombie whose group was removed is still attributed to it") {
    CHECK(identity(v2_host(), "0::/covey/web.pod/nginx.ctr (deleted)\n") ==
          "/covey/web.pod/nginx.ctr");
}

TEST_CASE("a process that is gone, or lines that make no sense, belong to nobody") {
    const FakeTree tree{{{"/proc/7/cgroup", "0::/x\n"}}};
    const auto proc = covey::sys::open_dir(tree.root() + "/proc").or_throw("open");
    CHECK(identity_of(v2_host(), proc, 8).empty());
    CHECK(identity(v2_host(), "").empty());
    CHECK(identity(v2_host(), "nonsense\n0\n0:\n").empty());
}

TEST_CASE("paths are told as the mount shows them, and processes beside it stay outside") {
    auto host = v2_host();
    host.identity_root = "/docker/x";
    CHECK(identity(host, "0::/docker/x/covey/web.pod\n") == "/covey/web.pod");
    CHECK(identity(host, "0::/docker/x\n") == "/");
    CHECK(identity(host, "0::/docker/xy/covey/web.pod\n") == "/../docker/xy/covey/web.pod");
    CHECK(identity(host, "0::/covey/web.pod\n") == "/../covey/web.pod");
}

TEST_CASE("a group is in another one by whole components of its path") {
    using covey::cgroup::is_in_group;
    CHECK(is_in_group("/covey/web.pod", "/covey/web.pod"));
    CHECK(is_in_group("/covey/web.pod/app.ctr", "/covey/web.pod"));
    CHECK(is_in_group("/covey", "/"));
    // Once `kill` with `all` asked for the beginning alone, and web.pod2's processes have it too.
    CHECK_FALSE(is_in_group("/covey/web.pod2", "/covey/web.pod"));
    CHECK_FALSE(is_in_group("/covey", "/covey/web.pod"));
    CHECK_FALSE(is_in_group("", "/covey/web.pod"));
}
