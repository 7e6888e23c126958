// reaper PROGRAM [ARGUMENT...]: runs a test as a machine's init would: what the test's processes
// leave behind comes to us (PR_SET_CHILD_SUBREAPER, prctl(2)) and is waited for at once. The real
// init may take its time (seconds, in some sandboxes), and until then a dead process is still seen,
// and a pod's PID namespace with such a process in it does not end (zap_pid_ns_processes waits).
// Exits with the program's status, or 128 and its signal's number, as soon as it has ended.
#include <csignal>
#include <cstdio>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char** words) {
    if (count < 2) {
        std::fputs("usage: reaper PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        std::perror("reaper: prctl PR_SET_CHILD_SUBREAPER");
        return 1;
    }
    const pid_t program = fork();
    if (program < 0) {
        std::perror("reaper: fork");
        return 1;
    }
    if (program == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is over time ends with us
        execvp(words[1], words + 1);
        std::perror(words[1]);
        _exit(127);
    }
    int status = 0;
    while (true) {
        const pid_t ended = wait(&status);
        if (ended == program)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}
