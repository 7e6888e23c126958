#!/usr/bin/python3
"""containerd through ctr, with `--runc-binary`: docs/engines/containerd.md."""
import json
import os

import engine_test
import private
from containerd import ContainerdTest
from engine_test import Terminal

BUSYBOX = "docker.io/library/busybox:latest"


class Ctr(ContainerdTest):
    @classmethod
    def start_engine(cls):
        super().start_engine()
        private.output(["ctr", "-a", cls.socket, "-n", cls.namespace, "run", "--rm", "--runc-binary", private.RUNTIME, BUSYBOX, "first", "true"])

    def run_words(self, *flags):
        return ["run", "--runc-binary", private.RUNTIME, *flags]

    def start(self, name, *command, flags=()):
        self.ctr(*self.run_words("-d", *flags), BUSYBOX, name, *command)

    def status(self, name):
        lines = [line.split() for line in self.ctr("task", "ls")[0].splitlines()[1:]]
        return next((line[2] for line in lines if line[0] == name), None)

    def remove_containers(self):
        for name in self.ctr("task", "ls", "-q")[0].split():
            self.ctr("task", "resume", name, status=None, timeout=10)
            self.ctr("task", "rm", "-f", name, status=None, timeout=20)
        for name in self.ctr("container", "ls", "-q")[0].split():
            self.ctr("container", "rm", name, status=None)

    def test_run(self):
        self.assertEqual(self.ctr(*self.run_words("--rm"), BUSYBOX, "a", "echo", "hi")[0], "hi\n")
        self.ctr(*self.run_words("--rm"), BUSYBOX, "b", "sh", "-c", "exit 7", status=7)
        _, err = self.ctr(*self.run_words("--rm"), BUSYBOX, "c", "/no/such/program", status=1)
        self.assertIn("no such file" if private.IS_RUNC else "executable file not found", err)

    def test_home_is_the_images(self):
        """Seen failing: it was not set."""
        say = ("sh", "-c", "cd; pwd; echo ~ $HOME")
        self.assertEqual(self.ctr(*self.run_words("--rm"), BUSYBOX, "a", *say)[0], "/root\n/root /root\n")
        self.start("main", "sleep", "1000")
        self.assertEqual(self.ctr("task", "exec", "--exec-id", "1", "main", *say)[0], "/root\n/root /root\n")
        self.assertEqual(self.ctr("task", "exec", "--exec-id", "2", "--user", "101", "main", "sh", "-c", "echo $HOME")[0], "/\n")

    def test_a_link_to_nothing_in_the_place_of_resolv_conf(self):
        """Seen failing: ENOENT."""
        source = self.folder / "resolv.conf"
        source.write_text("nameserver 192.0.2.1\n", encoding="ascii")
        mount = f"type=bind,src={source},dst=/etc/resolv.conf,options=rbind:ro"
        self.assertEqual(self.ctr(*self.run_words("--rm", "--mount", mount), BUSYBOX, "a", "cat", "/etc/resolv.conf")[0],
                         "nameserver 192.0.2.1\n")

    def test_exec(self):
        self.start("main", "sleep", "1000")
        self.assertEqual(self.ctr("task", "exec", "--exec-id", "1", "main", "echo", "hi")[0], "hi\n")
        self.ctr("task", "exec", "--exec-id", "2", "main", "sh", "-c", "exit 3", status=3)
        self.assertEqual(self.ctr("task", "exec", "--exec-id", "3", "--cwd", "/tmp", "--user", "101", "main", "sh", "-c", "pwd; id -u")[0],
                         "/tmp\n101\n")
        out, err = self.ctr("task", "exec", "--exec-id", "4", "main", "no-such-program", status=1)
        self.assertIn("executable file not found", out + err)

    def test_terminal(self):
        environment = dict(os.environ, TERM="xterm")
        words = ["ctr", "-a", self.socket, "-n", self.namespace]
        shell = Terminal([*words, *self.run_words("--rm", "-t"), BUSYBOX, "main", "sh"], environment)
        shell.expect("# ")
        shell.type("tty; exit 5\n")
        shell.expect("/dev/pts/0")
        self.assertEqual(shell.end()[0], 5)
        self.start("other", "sleep", "1000")
        shell = Terminal([*words, "task", "exec", "-t", "--exec-id", "1", "other", "sh"], environment)
        shell.expect("# ")
        shell.type("test -t 0 && exit 6\n")
        self.assertEqual(shell.end()[0], 6)

    def test_pause_kill_delete(self):
        self.start("main", "sleep", "1000")
        self.ctr("task", "pause", "main")
        self.assertEqual(self.status("main"), "PAUSED")
        self.ctr("task", "resume", "main")
        self.assertEqual(self.status("main"), "RUNNING")
        self.ctr("task", "kill", "-s", "SIGKILL", "main")
        private.wait_for(lambda: self.status("main") == "STOPPED", 10, "end by SIGKILL")
        self.assertIn("137", self.ctr("task", "rm", "main")[1])
        self.ctr("container", "rm", "main")

    def test_ps_and_metrics(self):
        self.start("main", "sh", "-c", "sleep 1000 & exec sleep 1000")
        processes = lambda: self.ctr("task", "ps", "main")[0].splitlines()[1:]
        private.wait_for(lambda: len(processes()) == 2, 5, "both processes")
        metrics = json.loads(self.ctr("task", "metrics", "--format", "json", "main")[0])
        self.assertTrue(metrics)

    def test_shared_pid_namespace(self):
        """A second container in the first one's: the shim calls `kill --all` three times for it, and no sibling may die."""
        self.start("first", "sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1; done")
        pid = next(line.split()[1] for line in self.ctr("task", "ls")[0].splitlines() if line.startswith("first "))
        self.start("second", "sh", "-c", "(trap '' TERM; setsid sleep 1000) & sleep 1000", flags=["--with-ns", f"pid:/proc/{pid}/ns/pid"])
        seen = lambda: self.ctr("task", "exec", "--exec-id", os.urandom(4).hex(), "first", "ps")[0]
        private.wait_for(lambda: seen().count("sleep 1000") >= 2, 5, "the second container's processes")
        self.ctr("task", "kill", "--all", "-s", "SIGKILL", "second")
        private.wait_for(lambda: self.status("second") == "STOPPED", 10, "end of the second container")
        self.assertIn("137", self.ctr("task", "rm", "second")[1])
        self.assertNotIn("sleep 1000", seen())
        self.assertEqual(self.status("first"), "RUNNING")


if __name__ == "__main__":
    engine_test.main()
