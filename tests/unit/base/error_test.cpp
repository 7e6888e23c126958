#include "covey/error.hpp"

#include "base/result.hpp"
#include "base/rollback.hpp"
#include "catch.hpp"

#include <cerrno>
#include <string>

using namespace covey;

TEST_CASE("an error says operation, object and errno, and keeps its fix") {
    const auto error = Error::from_errno(EACCES, "open", "/x").with_fix("chmod");
    CHECK(error.detail() == "open /x: Permission denied (EACCES)");
    CHECK(error.code() == Code::permission_denied);
    CHECK(error.errno_value() == EACCES);
    CHECK(error.fix() == "chmod");
}

TEST_CASE("an errno of a full account names it, with its fix, and is never internal") {
    struct Case {
        int error;
        const char* operation;
        const char* word;
    };
    for (const auto& [error, operation, word] : {
             Case{ETOOMANYREFS, "send", "descriptors in flight"},
             Case{EDQUOT, "join session keyring", "kernel.keys"},
             Case{EDQUOT, "write record", "quota"},
             Case{EMFILE, "make folder watch", "fs.inotify.max_user_instances"},
             Case{EMFILE, "open", "RLIMIT_NOFILE"},
             Case{ENFILE, "open", "fs.file-max"},
             Case{ENOSPC, "watch", "fs.inotify.max_user_watches"},
             Case{ENOSPC, "epoll_ctl", "fs.epoll.max_user_watches"},
             Case{ENOSPC, "unshare", "user.max_"},
             Case{ENOSPC, "attach mount on", "fs.mount-max"},
             Case{ENOSPC, "open pseudo terminal", "kernel.pty.max"},
             Case{ENOSPC, "create cgroup", "cgroup.max.descendants"},
             Case{ENOSPC, "write record", "filesystem"},
             Case{EAGAIN, "clone", "pids.max"},
             Case{EUSERS, "unshare", "user namespaces"},
         }) {
        const auto problem = Error::from_errno(error, operation, "/x");
        CAPTURE(problem.detail());
        CHECK(problem.code() == Code::resource_exhausted);
        CHECK(problem.detail().find(word) != std::string::npos);
        CHECK_FALSE(problem.fix().empty());
    }
    CHECK(Error::from_errno(EAGAIN, "read", "/x").fix().empty());
}

TEST_CASE("codes and their names are one list") {
    for (int i = 0; i <= static_cast<int>(Code::resource_exhausted); ++i) {
        const auto code = static_cast<Code>(i);
        CHECK(code_from_name(code_name(code)) == code);
    }
}

TEST_CASE("a result gives its value or throws with the words it was given") {
    CHECK(Result<int>{7}.or_throw("read") == 7);
    CHECK_THROWS_WITH((Result<int>{Errno{ENOENT}}.or_throw("read", "/y")),
                      "read /y: No such file or directory (ENOENT)");
}

TEST_CASE("undo steps run in reverse, all of them, unless released") {
    std::string order;
    {
        Rollback rollback;
        rollback.add([&] { order += 'a'; });
        rollback.add([] { throw 1; });
        rollback.add([&] { order += 'b'; });
    }
    CHECK(order == "ba");
    {
        Rollback rollback;
        rollback.add([&] { order += 'x'; });
        rollback.release();
    }
    CHECK(order == "ba");
}
