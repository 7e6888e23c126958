// covey-pause: PID 1 of a pod's PID namespace. It holds the namespaces, reaps orphans and does
// nothing else. Started by the shim's set-up stage with an empty read-only root, uid 65535, no
// capability, no descriptor and no_new_privs; it ends only by SIGKILL from outside the pod.
//
// No handler for any signal: the kernel then drops every signal that is sent from inside the
// namespace, SIGKILL included (pid_namespaces(7)). SIGCHLD ignored: the kernel reaps all children
// by itself (waitpid(2), POSIX.1-2001), so there is no loop and no code that could fail.
//
// No libc: a handful of system calls, a few hundred bytes, 6 KiB of memory.

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
static long call(long number, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
static void wait_for_signal(void) {
    call(__NR_pause, 0, 0, 0, 0);
}
#define WAIT_CALL __NR_pause
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
static long call(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
// No pause(2) on this architecture: wait for no descriptor, for ever.
static void wait_for_signal(void) {
    call(__NR_ppoll, 0, 0, 0, 0);
}
#define WAIT_CALL __NR_ppoll
#else
#error "covey-pause: add this architecture's system call instruction"
#endif

// The kernel's layout of struct sigaction, all zero but the handler.
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

// Waiting is all that is left to do; any other call is a break-in and ends in SIGSYS.
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),  // seccomp_data.arch
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // seccomp_data.nr
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WAIT_CALL, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

__attribute__((noreturn, used)) void _start(void) {
    struct kernel_sigaction ignore = {SIG_IGN, 0, 0, 0};
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    call(__NR_rt_sigaction, SIGCHLD, (long)&ignore, 0, sizeof ignore.mask);
    call(__NR_prctl, PR_SET_NAME, (long)"pause", 0, 0);
    // exec made us dumpable again; see the shim for the other half of the hardening.
    call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0);
    call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0);
    for (;;)
        wait_for_signal();
}
