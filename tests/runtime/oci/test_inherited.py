"""What a caller passes on without meaning to (docs/RUNTIME.md, "What a caller passes on"): the container's program, an
exec and a hook are the same whoever calls; and the command itself is not misled. Each row of the table is a case here."""
import ctypes
import json
import os
import resource
import signal
import subprocess
import time

from oci import IS_COVEY, RUNTIME, OciTest, main, only_covey

PR_SET_SECUREBITS, PR_SET_TIMERSLACK, PR_SET_THP_DISABLE = 28, 29, 41
SECBIT_NOROOT, NO_SETUID_FIXUP, NO_SETUID_FIXUP_LOCKED, NO_AMBIENT_RAISE = 0x01, 0x04, 0x08, 0x40
MPOL_INTERLEAVE = 3
SYS_SET_MEMPOLICY = 238
ADDR_NO_RANDOMIZE = 0x0040000
LIBC = ctypes.CDLL(None, use_errno=True)


def prctl(option, value):
    if LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def interleave():
    mask = ctypes.c_ulong(1)
    if LIBC.syscall(SYS_SET_MEMPOLICY, MPOL_INTERLEAVE, ctypes.byref(mask), 64) != 0:
        raise OSError(ctypes.get_errno(), "set_mempolicy")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def ignore_signals():
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})


class Inherited(OciTest):
    def status_of(self, text, *names):
        fields = dict(line.split(":\t", 1) for line in text.splitlines())
        return [fields[name].strip() for name in names]

    def seen(self, taint, file):
        """What a program reads in `file` of its own: as a container's first process, and by an exec. `taint` runs in the caller."""
        one, bundle = self.bundle("probe", "read", f"/proc/self/{file}")
        run = self.call("run", "--bundle", bundle, one, preexec_fn=taint)
        self.assertEqual(run.returncode, 0, run.stderr)
        two, _ = self.start("probe", "sleep", "forever")
        exec_ = self.call("exec", two, "probe", "read", f"/proc/self/{file}", preexec_fn=taint)
        self.assertEqual(exec_.returncode, 0, exec_.stderr)
        return run.stdout, exec_.stdout

    def all_cpus(self):
        with open("/sys/fs/cgroup/cpuset/cpuset.cpus" if os.path.exists("/sys/fs/cgroup/cpuset/cpuset.cpus")
                  else "/sys/devices/system/cpu/online", encoding="ascii") as file:
            return file.read().strip()

    def test_cpu_affinity(self):
        """All of the cpuset, as before Linux 6.2 and as runc since 1.2.7."""
        first = {min(os.sched_getaffinity(0))}
        if len(os.sched_getaffinity(0)) == 1:
            self.skipTest("a single CPU")
        for text in self.seen(lambda: os.sched_setaffinity(0, first), "status"):
            self.assertEqual(self.status_of(text, "Cpus_allowed_list"), [self.all_cpus()])

    def test_cpu_affinity_and_a_cpuset(self):
        last = max(os.sched_getaffinity(0))
        first = {min(os.sched_getaffinity(0))}
        one, bundle = self.bundle("probe", "read", "/proc/self/status",
                                  change=lambda c: c["linux"].update(resources={"cpu": {"cpus": str(last), "mems": "0"}}))
        run = self.ok("run", "--bundle", bundle, one, preexec_fn=lambda: os.sched_setaffinity(0, first))
        self.assertEqual(self.status_of(run.stdout, "Cpus_allowed_list"), [str(last)])

    def test_an_execs_own_affinity_counts(self):
        last = max(os.sched_getaffinity(0))
        first = {min(os.sched_getaffinity(0))}
        one, _ = self.start("probe", "sleep", "forever", execCPUAffinity={"initial": str(last), "final": str(last)})
        run = self.ok("exec", one, "probe", "read", "/proc/self/status", preexec_fn=lambda: os.sched_setaffinity(0, first))
        if IS_COVEY:
            self.assertEqual(self.status_of(run.stdout, "Cpus_allowed_list"), [str(last)])

    def test_signals_that_are_ignored_or_blocked(self):
        for text in self.seen(ignore_signals, "status"):
            self.assertEqual([int(one, 16) for one in self.status_of(text, "SigIgn", "SigBlk")], [0, 0])

    def test_the_exit_status_of_a_child_with_sigchld_ignored(self):
        one, bundle = self.bundle("probe", "exit", "7")
        run = self.call("run", "--bundle", bundle, one, preexec_fn=ignore_signals)
        self.assertEqual((run.returncode, run.stderr), (7, ""))
        two, _ = self.start("probe", "sleep", "forever")
        self.assertEqual(self.call("exec", two, "probe", "exit", "8", preexec_fn=ignore_signals).returncode, 8)

    def test_timers(self):
        """execve(2) keeps them: an alarm(2) of the caller's would end the command."""
        one, bundle = self.bundle("probe", "sleep", "1.5")
        run = self.call("run", "--bundle", bundle, one, preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 0.7))
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    @only_covey("peers pass a signal on whatever nohup says")
    def test_nohup_holds(self):
        """A signal that is ignored on purpose neither ends the command nor reaches the container."""
        def nohup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        one, bundle = self.bundle("probe", "sleep", "2")
        run = subprocess.Popen([RUNTIME, "--root", self.root, "run", "--bundle", bundle, one], env=self.env, preexec_fn=nohup)
        time.sleep(0.8)
        run.send_signal(signal.SIGHUP)
        self.assertEqual(run.wait(20), 0)

    def test_umask(self):
        for text in self.seen(lambda: os.umask(0o777), "status"):
            self.assertEqual(self.status_of(text, "Umask"), ["0022"])

    @only_covey("peers pass it on")
    def test_personality(self):
        """setarch -R of the caller's would take address space randomization from the container."""
        for text in self.seen(lambda: LIBC.personality(ADDR_NO_RANDOMIZE), "personality"):
            self.assertEqual(int(text, 16), 0)

    @only_covey("peers pass it on")
    def test_memory_policy(self):
        for text in self.seen(interleave, "numa_maps"):
            self.assertNotIn("interleave", text)
            self.assertIn("default", text)

    @only_covey("peers pass it on")
    def test_coredump_filter(self):
        for text in self.seen(lambda: write("/proc/self/coredump_filter", "0x7f"), "coredump_filter"):
            self.assertEqual(int(text, 16), 0x33)

    @only_covey("peers pass it on")
    def test_timer_slack(self):
        for text in self.seen(lambda: prctl(PR_SET_TIMERSLACK, 1_000_000_000), "timerslack_ns"):
            self.assertEqual(int(text), 50_000)

    @only_covey("peers pass it on")
    def test_transparent_huge_pages(self):
        for text in self.seen(lambda: prctl(PR_SET_THP_DISABLE, 1), "status"):
            self.assertEqual(self.status_of(text, "THP_enabled"), ["1"])

    @only_covey("peers pass them on")
    def test_securebits(self):
        """With NO_SETUID_FIXUP a program that changes its user would keep its capabilities."""
        get_securebits = ("probe", "syscall", "157", "27")
        one, bundle = self.bundle(*get_securebits)
        run = self.ok("run", "--bundle", bundle, one, preexec_fn=lambda: prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP | NO_AMBIENT_RAISE))
        self.assertEqual(run.stdout.strip(), "0")
        two, _ = self.start("probe", "sleep", "forever")
        run = self.ok("exec", two, *get_securebits, preexec_fn=lambda: prctl(PR_SET_SECUREBITS, NO_AMBIENT_RAISE))
        self.assertEqual(run.stdout.strip(), "0")
        for locked in (NO_SETUID_FIXUP | NO_SETUID_FIXUP_LOCKED, SECBIT_NOROOT):  # with the latter nobody could set them back
            three, bundle = self.bundle("probe")
            run = self.fails("securebits", "create", "--bundle", bundle, three, preexec_fn=lambda bits=locked: prctl(PR_SET_SECUREBITS, bits))
            self.assertIn("fix", run.stderr)

    def test_hooks_have_none_of_it_either(self):
        def taint():
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            ignore_signals()
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat /proc/self/status > {self.folder}/$0", "HOOK"], "env": ["PATH=/bin:/usr/bin"]}
        kinds = ("createRuntime", "poststart", "poststop")
        one, bundle = self.bundle("probe", "exit", "0", change=lambda c: c.update(
            hooks={kind: [{**hook, "args": [*hook["args"][:3], kind]}] for kind in kinds}))
        self.assertEqual(self.call("run", "--bundle", bundle, one, preexec_fn=taint).returncode, 0)
        for kind in kinds:
            text = (self.folder / kind).read_text(encoding="ascii")
            seen = self.status_of(text, "SigIgn", "SigBlk", "Cpus_allowed_list")
            self.assertEqual([int(seen[0], 16), int(seen[1], 16)], [0, 0], kind)
            if IS_COVEY:
                self.assertEqual(seen[2], self.all_cpus(), kind)

    def test_a_session_of_its_own(self):
        one, bundle = self.bundle("probe", "ids")
        ids = json.loads(self.ok("run", "--bundle", bundle, one).stdout)
        self.assertEqual((ids["sid"], ids["pgid"]), (ids["pid"], ids["pid"]))

    def test_what_is_passed_on_on_purpose(self):
        """The specification says so of oom_score_adj; limits and niceness are what an operator gives an engine."""
        def taint():
            write("/proc/self/oom_score_adj", "300")
            os.nice(5)
            resource.setrlimit(resource.RLIMIT_NOFILE, (512, 4096))
        self.assertEqual({text.strip() for text in self.seen(taint, "oom_score_adj")}, {"300"})
        for text in self.seen(taint, "stat"):
            self.assertEqual(text.rpartition(")")[2].split()[16], "5")  # nice
        for text in self.seen(taint, "limits"):
            line = next(line for line in text.splitlines() if line.startswith("Max open files"))
            self.assertEqual(line.split()[3:5], ["512", "4096"])

    def test_closed_standard_streams(self):
        one, bundle = self.bundle("probe", "cat", "--", "echo", "text", "--", "exit", "6")
        run = self.call("run", "--bundle", bundle, one, preexec_fn=lambda: os.closerange(0, 3))
        self.assertEqual(run.returncode, 6)
        two, _ = self.start("probe", "sleep", "forever")
        run = self.call("exec", two, "probe", "cat", "--", "exit", "5", preexec_fn=lambda: os.close(0))
        self.assertEqual((run.returncode, run.stdout), (5, ""))


if __name__ == "__main__":
    main()
