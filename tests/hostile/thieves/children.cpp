// `children zombies COUNT [stay]`, `children traceme [stay]`, `children both COUNT [stay]`: makes
// children of its own parent, who is the shim or an engine's monitor. Zombies by
// clone(CLONE_PARENT); a thread whose tracer is the parent by PTRACE_TRACEME, so that it cannot be
// released before that one has let it go. With `stay` it lives on.
#include "thief.hpp"

#include <cstdlib>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace thief {
namespace {

constexpr std::size_t kStack = 64U << 10U;

/// Nothing of libc in there but the system calls: it shares all with the first thread.
int traced_thread(void* /*unused*/) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    syscall(SYS_exit, 0);
    return 0;
}

int make_traced_thread() {
    auto* stack = static_cast<char*>(
        mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (stack == MAP_FAILED) return -1;
    return clone(traced_thread, stack + kStack,
                 CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
                 nullptr);
}

/// One of which nobody knows, and which is its parent's to wait for.
int make_zombie(bool traced) {
    const auto made = syscall(SYS_clone, static_cast<unsigned long>(CLONE_PARENT | SIGCHLD),
                              nullptr, nullptr, nullptr, nullptr);
    if (made != 0) return static_cast<int>(made);
    if (traced) {
        make_traced_thread();
        wait_a_moment(20);
    }
    _exit(0);
}

}  // namespace

int children(const Arguments& arguments) {
    const std::string kind = arguments.empty() ? "" : arguments[0];
    if (kind != "zombies" && kind != "traceme" && kind != "both") {
        say("usage: children zombies|traceme|both [COUNT] [stay]");
        return 2;
    }
    const int count = arguments.size() > 1 ? std::atoi(arguments[1].c_str()) : 1;
    int made = 0;
    if (kind != "traceme")
        for (int number = 0; number < count; ++number)
            made += make_zombie(kind == "both") > 0 ? 1 : 0;
    if (kind != "zombies") made += make_traced_thread() > 0 ? 1 : 0;
    wait_a_moment(50);
    say("GOT " + std::to_string(made) + " children for its parent");
    say("ready");
    while (arguments.back() == "stay")
        pause();
    return 0;
}

}  // namespace thief
