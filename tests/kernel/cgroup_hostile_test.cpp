// What a container can make below its own group, and be, against kill, the proof of its end, and
// the removal (lib/cgroup/{walk,killing,removal}.cpp).
#include "catch.hpp"
#include "cgroup_tree.hpp"
#include "covey/error.hpp"
#include "support/requires.hpp"
#include "sys/file.hpp"
#include "sys/proc.hpp"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

using covey::Code;
using covey::Error;
using covey::cgroup::Group;
using covey::test::CgroupTree;
using covey::test::View;
using namespace std::chrono_literals;

namespace {

std::string probe() {
    return std::filesystem::read_symlink("/proc/self/exe").replace_filename("probe").string();
}

std::function<int()> run_probe(std::vector<std::string> words) {
    words.insert(words.begin(), probe());
    return [words] {
        std::vector<char*> pointers;
        for (const auto& one : words)
            pointers.push_back(const_cast<char*>(one.c_str()));
        pointers.push_back(nullptr);
        ::execv(pointers[0], pointers.data());
        return 127;
    };
}

/// Its first thread is a zombie, and another goes on.
bool has_lost_its_first_thread(pid_t pid) {
    const auto proc = covey::sys::open_proc().or_throw("open", "/proc");
    const auto stat = covey::sys::read_stat(proc, pid);
    return stat && stat.value().state == 'Z' && stat.value().threads > 1;
}

pid_t spawn_undying(const Group& group) {
    const pid_t pid = CgroupTree::spawn(group, run_probe({"undying"}));
    REQUIRE(CgroupTree::eventually([&] { return has_lost_its_first_thread(pid); }));
    return pid;
}

void write(const std::string& path, const std::string& text) {
    INFO(path);
    const auto written = covey::sys::write_existing(path, text);
    REQUIRE(written.error() == 0);
}

/// Like wait_for, but a process that does not end fails the case instead of holding it.
int end_of(pid_t pid) {
    int status = 0;
    const bool ended =
        CgroupTree::eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, 3s);
    if (!ended) {
        ::kill(pid, SIGKILL);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The process may have so many descriptors, until the end of the case.
class FewDescriptors {
  public:
    explicit FewDescriptors(rlim_t most) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit few{most, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

std::string freezer_of(const CgroupTree& tree) {
    return tree.host().v1.at("freezer");
}

}  // namespace

TEST_CASE("a process whose first thread has ended is ended with the others") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto group = tree.create("web.pod/app.ctr");
    const pid_t pid = spawn_undying(group);
    CHECK_FALSE(group.is_empty());
    group.kill();
    CHECK(end_of(pid) == 128 + SIGKILL);
    CHECK(group.wait_empty(3s));
    // Not the same again: a group that has been killed ends who is cloned into it from another one
    // (cgroup_css_set_fork notes the maker's kill_seq, cgroup_post_fork compares the target's).
    const auto other = tree.create("web.pod/other.ctr");
    const pid_t next = spawn_undying(other);
    CHECK_NOTHROW(other.end(5s));
    CHECK(other.is_empty());
    CHECK(end_of(next) == 128 + SIGKILL);
}

TEST_CASE("a signal to all reaches a process whose first thread has ended") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    const auto group = tree.create("web.pod/app.ctr");
    const pid_t pid = spawn_undying(group);
    group.signal(SIGTERM);
    CHECK(end_of(pid) == 128 + SIGTERM);
}

TEST_CASE("who has been frozen in a group below, by v2 or by v1's freezer, is ended") {
    COVEY_REQUIRES("root");
    const CgroupTree tree;
    const auto v1 = GENERATE(false, true);
    if (v1) COVEY_REQUIRES("cgroup_v1");
    auto group = tree.create("web.pod/app.ctr");
    group.extend_to_v1();
    const bool undying = GENERATE(false, true);
    const pid_t pid =
        undying ? spawn_undying(group) : CgroupTree::spawn(group, CgroupTree::sleep_for_ever);
    const auto top = (v1 ? freezer_of(tree) : tree.host().unified) + group.path();
    REQUIRE(::mkdir((top + "/own").c_str(), 0755) == 0);
    REQUIRE(::mkdir((top + "/own/deeper").c_str(), 0755) == 0);
    write(top + "/own/deeper/cgroup.procs", std::to_string(pid));
    write(top + (v1 ? "/own/freezer.state" : "/own/cgroup.freeze"), v1 ? "FROZEN" : "1");
    write(top + (v1 ? "/own/deeper/freezer.state" : "/own/deeper/cgroup.freeze"),
          v1 ? "FROZEN" : "1");
    CHECK_NOTHROW(group.end(3s));
    CHECK(end_of(pid) == 128 + SIGKILL);
    CHECK_NOTHROW(group.remove());
}

TEST_CASE(
    "an exec's process in a frozen v1 group of its container's is ended, the others stay so") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v1");
    const CgroupTree tree;
    auto container = tree.create("web.pod/app.ctr");
    container.extend_to_v1();
    const auto exec = tree.create("web.pod/app.ctr/one.exec");
    const pid_t added = CgroupTree::spawn(exec, CgroupTree::sleep_for_ever);
    const auto top = freezer_of(tree) + container.path();
    for (const char* name : {"/own", "/other"})
        REQUIRE(::mkdir((top + name).c_str(), 0755) == 0);
    write(top + "/own/cgroup.procs", std::to_string(added));
    write(top + "/own/freezer.state", "FROZEN");
    write(top + "/other/freezer.state", "FROZEN");
    exec.kill_exec(container);
    CHECK(end_of(added) == 128 + SIGKILL);
    CHECK(covey::sys::read_file(top + "/other/freezer.state").value_or("") == "FROZEN\n");
    container.end(3s);
    container.remove();
}

TEST_CASE("a tree deeper than there are descriptors, or wide, is listed, killed and removed") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/app.ctr");
    const bool deep = GENERATE(true, false);
    const auto made = CgroupTree::spawn(
        group, run_probe({deep ? "deep-groups" : "wide-groups", group.identity_dir(), "400",
                          "cgroup.procs", "--", "sleep", "forever"}));
    REQUIRE(CgroupTree::eventually([&] {
        const auto below = covey::sys::open_dir(group.identity_dir() + (deep ? "/d" : "/w399"));
        return below && (!deep || covey::sys::read_file(group.identity_dir() + "/cgroup.procs")
                                      .value_or("x")
                                      .empty());
    }));
    const FewDescriptors few{64};
    CHECK(group.processes() == std::vector<pid_t>{made});
    CHECK_FALSE(group.is_empty());
    CHECK_NOTHROW(group.end(5s));
    CHECK(end_of(made) == 128 + SIGKILL);
    const auto dir = group.identity_dir();
    CHECK_NOTHROW(group.remove());
    CHECK_FALSE(covey::sys::open_dir(dir));
}

TEST_CASE("an exec's group that its container has made a threaded one is killed all the same") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v2");
    const CgroupTree tree;
    auto container = tree.create("web.pod/app.ctr");
    const auto exec = tree.create("web.pod/app.ctr/one.exec");
    write(exec.identity_dir() + "/cgroup.type", "threaded");
    const bool undying = GENERATE(false, true);
    const pid_t pid = undying ? spawn_undying(container)
                              : CgroupTree::spawn(container, CgroupTree::sleep_for_ever);
    write(exec.identity_dir() + "/cgroup.procs", std::to_string(pid));
    CHECK_FALSE(exec.is_empty());
    CHECK_NOTHROW(exec.kill_exec(container));
    CHECK(end_of(pid) == 128 + SIGKILL);
    CHECK_NOTHROW(exec.end(3s));
}

TEST_CASE("who cannot be ended is named, with what it waits for") {
    COVEY_REQUIRES("root");
    COVEY_REQUIRES("cgroup_v1");
    const CgroupTree tree;
    const auto group = tree.create("web.pod/app.ctr");
    const pid_t pid = CgroupTree::spawn(group, [] {
        ::prctl(PR_SET_NAME, "a\n\x1b[2J");
        return CgroupTree::sleep_for_ever();
    });
    // Somebody else's freezer, which is not ours to thaw.
    const auto foreign = freezer_of(tree) + "/covey-test-foreign-" + std::to_string(::getpid());
    REQUIRE(::mkdir(foreign.c_str(), 0755) == 0);
    write(foreign + "/cgroup.procs", std::to_string(pid));
    write(foreign + "/freezer.state", "FROZEN");
    try {
        group.end(100ms);
        FAIL("ended");
    } catch (const Error& error) {
        CHECK(error.code() == Code::timeout);
        INFO(error.detail());
        CHECK(error.detail().find("process " + std::to_string(pid) + " (a\\x0a\\x1b[2J)") !=
              std::string::npos);
        CHECK(error.detail().find("waits in ") != std::string::npos);
        CHECK_FALSE(error.fix().empty());
    }
    write(foreign + "/freezer.state", "THAWED");
    CHECK(end_of(pid) == 128 + SIGKILL);
    CHECK(CgroupTree::eventually([&] { return ::rmdir(foreign.c_str()) == 0; }));
}

TEST_CASE("a process so deep that its path is cut off is found by a group above, and ends") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = tree.create("web.pod/app.ctr");
    const pid_t pid = CgroupTree::spawn(
        group, run_probe({"deep-groups", group.identity_dir(), "20", "cgroup.procs",
                          std::string(250, 'd'), "--", "sleep", "forever"}));
    const auto proc = covey::sys::open_proc().or_throw("open", "/proc");
    const auto identity = [&] { return covey::cgroup::identity_of(tree.host(), proc, pid); };
    REQUIRE(CgroupTree::eventually([&] { return identity().size() > 3500; }));
    CHECK(covey::cgroup::is_in_group(identity(), group.path()));
    CHECK(identity().ends_with("/" + std::string(250, 'd')));
    CHECK(Group::open(tree.host(), identity()).processes() == std::vector<pid_t>{pid});
    CHECK_NOTHROW(group.end(5s));
    CHECK(end_of(pid) == 128 + SIGKILL);
    CHECK_NOTHROW(group.remove());
}

TEST_CASE("what Covey puts foreign code into is in every hierarchy, bounded, and leaves nothing") {
    COVEY_REQUIRES("root");
    COVEY_EACH_VIEW(view);
    const CgroupTree tree{view};
    auto group = Group::create_everywhere(tree.host(), tree.path("web.pod/app.ctr"));
    for (const auto& [name, mount] : tree.host().v1)
        CHECK(covey::sys::open_dir(mount + group.path()).has_value());
    const auto bound = [&](const std::string& file) {
        return covey::sys::read_file(group.identity_dir() + "/" + file).value_or("");
    };
    if (!tree.host().unified.empty()) {
        CHECK(bound("cgroup.max.depth") == "32\n");
        CHECK(bound("cgroup.max.descendants") == "4096\n");
        covey::cgroup::Limits limits;
        limits.unified["cgroup.max.depth"] = "max";
        group.apply(limits);
        CHECK(bound("cgroup.max.depth") == "max\n");
    }
    const pid_t pid = CgroupTree::spawn(group, CgroupTree::sleep_for_ever);
    std::ifstream file{"/proc/" + std::to_string(pid) + "/cgroup"};
    for (std::string line; std::getline(file, line);) {
        if (view == View::v1_only && line.starts_with("0::")) continue;
        const auto controllers = line.substr(line.find(':'), line.rfind(':') - line.find(':') + 1);
        const bool below = controllers == "::" || controllers == ":memory:" ||
                           controllers == ":pids:" || controllers == ":cpu:" ||
                           (controllers == ":freezer:" && view == View::v1_only);
        CHECK(line.ends_with(":" + group.path() + (below ? "/main" : "")));
    }
    group.end(3s);
    CHECK(end_of(pid) == 128 + SIGKILL);
    group.remove();

    auto broken = tree.host();
    broken.v1["zz"] = "/proc/no-such-hierarchy";
    CHECK_THROWS_AS(Group::create_everywhere(broken, tree.path("web.pod/app.ctr")), Error);
    CHECK_FALSE(covey::sys::open_dir(tree.host().identity_mount() + tree.path("web.pod/app.ctr")));
    for (const auto& [name, mount] : tree.host().v1)
        CHECK_FALSE(covey::sys::open_dir(mount + tree.path("web.pod/app.ctr")));
}
