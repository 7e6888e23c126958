// `unfreezable`: keeps a process that the freezer cannot stop, without any capability. A child has
// a second thread, which we trace with PTRACE_O_TRACEEXIT; the child's first thread executes a
// program, so the kernel ends the second, which stops in its exit for us, and the first waits for
// it in the kernel, for ever.
#include "thief.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thief {
namespace {

constexpr std::size_t kSleeperStack = 64U << 10U;

int sleeping_thread(void* /*unused*/) {
    while (true)
        syscall(SYS_pause);
    return 0;
}

[[noreturn]] void stick(int to_parent, int from_parent) {
    auto* stack = static_cast<char*>(
        mmap(nullptr, kSleeperStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const pid_t thread = clone(
        sleeping_thread, stack + kSleeperStack,
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, nullptr);
    (void)!write(to_parent, &thread, sizeof thread);
    char byte = 0;
    (void)!read(from_parent, &byte, 1);
    execl("/proc/self/exe", "thief", "stay", nullptr);
    _exit(1);
}

}  // namespace

int unfreezable(const Arguments& /*arguments*/) {
    int up[2], down[2];
    if (pipe2(up, O_CLOEXEC) != 0 || pipe2(down, O_CLOEXEC) != 0) return 1;
    const pid_t child = fork();
    if (child == 0) stick(up[1], down[0]);
    pid_t thread = 0;
    if (read(up[0], &thread, sizeof thread) != sizeof thread) return 1;
    if (ptrace(PTRACE_SEIZE, thread, nullptr, reinterpret_cast<void*>(PTRACE_O_TRACEEXIT)) != 0) {
        say("TRIED in vain: " + errno_name());
        return 1;
    }
    (void)!write(down[1], "x", 1);
    wait_a_moment(100);
    say("GOT a process in its exec: " + slurp("/proc/" + std::to_string(child) + "/wchan"));
    say("ready");
    while (true)
        pause();
}

}  // namespace thief
