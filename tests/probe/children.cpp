// What a process without any capability can do to its parent, which outside the container is the
// shim: make children of the parent's, and make it the tracer of a thread.
#include "probe.hpp"

#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace probe {
namespace {

[[noreturn]] void wait_for_ever() {
    while (true)
        pause();
}

void* be_traced(void*) {
    say_result(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
    // It stops for its tracer, and when that lets it go, goes on.
    (void)syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
    say("went on");
    return nullptr;
}

void* idle(void*) {
    wait_for_ever();
}

}  // namespace

/// `two-threads`: both wait.
int two_threads(const Arguments&) {
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, idle, nullptr) != 0) return 1;
    say("both");
    wait_for_ever();
}

/// `unfreezable`: execve(2) waits in the kernel for the end of a thread that a child of its own
/// traces and does not wait for: no freezer stops it. Without any capability.
int unfreezable(const Arguments&) {
    static pid_t traced = 0;
    pthread_t thread{};
    const auto begin = [](void* told) -> void* {
        *static_cast<pid_t*>(told) = static_cast<pid_t>(syscall(SYS_gettid));
        wait_for_ever();
    };
    if (pthread_create(&thread, nullptr, begin, &traced) != 0) return 1;
    while (*static_cast<volatile pid_t*>(&traced) == 0)
        usleep(1000);
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return 1;
    if (fork() == 0) {
        const long seized = ptrace(PTRACE_SEIZE, traced, nullptr, nullptr);
        const char word = seized == 0 ? 'y' : 'n';
        (void)!write(ready[1], &word, 1);
        wait_for_ever();
    }
    char word = 'n';
    (void)!read(ready[0], &word, 1);
    say(word == 'y' ? "held" : "not held");
    char* const words[] = {const_cast<char*>("probe"), const_cast<char*>("sleep"),
                           const_cast<char*>("forever"), nullptr};
    execv("/bin/probe", words);
    return 1;
}

/// `burden NUMBER`: so many children of the parent's that have ended at once; then it waits.
int burden(const Arguments& arguments) {
    const long number = arguments.empty() ? 1 : std::strtol(arguments[0].c_str(), nullptr, 0);
    for (long i = 0; i < number; ++i) {
        clone_args args{};
        args.flags = CLONE_PARENT;
        const long pid = syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0) _exit(0);
        if (pid < 0) return say_result(pid);
    }
    say("made");
    wait_for_ever();
}

/// `traced-thread`: the parent becomes the tracer of a thread that ends; then the process waits.
int traced_thread(const Arguments&) {
    signal(SIGUSR1, [](int) {});
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, be_traced, nullptr) != 0) return 1;
    pthread_join(thread, nullptr);
    say("joined");
    wait_for_ever();
}

}  // namespace probe
