#!/usr/bin/python3
"""The exact command lines of engines that cannot be had here: CRI-O (by conmon), conmon-rs, BuildKit. This program is the
subreaper in the monitor's place: init must come back to it, with its exit status."""
import array
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import engine_test
import private
from engine_test import EngineTest

MOUNTS = [{"destination": "/proc", "type": "proc", "source": "proc"},
          {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
          {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]}]


class Replay(EngineTest):
    @classmethod
    def start_engine(cls):
        cls.rootfs = cls.folder / "rootfs"
        for name in ("bin", "proc", "dev", "tmp"):
            (cls.rootfs / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", cls.rootfs / "bin/busybox")
        private.output(["chroot", cls.rootfs, "/bin/busybox", "--install", "-s", "/bin"])
        cls.root = cls.folder / "root"
        # conmon and CRI-O call with almost nothing in the environment.
        cls.environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run"}

    def setUp(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        super().setUp()
        self.bundle = self.folder / "bundle"
        shutil.rmtree(self.bundle, ignore_errors=True)
        self.bundle.mkdir()
        self.log = self.bundle / "log.json"

    def watched(self):
        return (self.root, "/run/covey/engines")

    def remove_containers(self):
        for item in list(self.root.iterdir()):
            self.runtime(f"--root={self.root}", "delete", "--force", item.name, status=None)

    def runtime(self, *words, **options):
        return self.call([private.RUNTIME, *words], environment=self.environment, **options)

    def spec(self, *command, pid=None, **process):
        namespaces = [{"type": name} for name in ("network", "ipc", "uts", "mount")]
        namespaces.append({"type": "pid", "path": pid} if pid else {"type": "pid"})
        config = {"ociVersion": "1.0.2", "root": {"path": str(self.rootfs), "readonly": True}, "mounts": MOUNTS,
                  "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": list(command), **process},
                  "linux": {"namespaces": namespaces, "resources": {"devices": [{"allow": True, "access": "rwm"}]}}}
        (self.bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")

    def process_file(self, *command, **fields):
        file = self.bundle / "process.json"
        file.write_text(json.dumps({"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": list(command), **fields}))
        return file

    def pid_of(self, file):
        """As Atoi reads it: digits, no newline. And the process is the subreaper's own child."""
        text = (self.bundle / file).read_bytes()
        self.assertRegex(text, rb"^[0-9]+$")
        stat = private.stat_of(int(text))
        self.assertEqual(stat[1], os.getpid(), f"{text} is not a child of the caller's subreaper: {stat}")
        return int(text)

    def end_of(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def create_with_output(self, *words):
        """`words` with a pipe as the container's output. (the pipe, what the log says)"""
        read, write = os.pipe()
        done = subprocess.run([private.RUNTIME, *map(str, words)], stdin=subprocess.DEVNULL, stdout=write, stderr=write, timeout=20,
                              env=self.environment, check=False)
        os.close(write)
        self.assertEqual(done.returncode, 0)
        return open(read, "rb", buffering=0)

    # conmon 2.1 for CRI-O and Podman: global flags both ways, then the command's.
    def conmon(self, *words):
        return [f"--root={self.root}", "--log-format=json", "--log", self.log, *words]

    def test_life_under_conmon(self):
        self.spec("sh", "-c", "echo out; trap 'exit 9' TERM; while true; do sleep 0.1; done")
        output = self.create_with_output(*self.conmon("create", "--bundle", self.bundle, "--pid-file", self.bundle / "pidfile", "one"))
        init = self.pid_of("pidfile")
        state = json.loads(self.runtime(f"--root={self.root}", "state", "one")[0])
        self.assertEqual((state["status"], state["pid"], state["id"], state["bundle"]), ("created", init, "one", str(self.bundle)))
        self.runtime(f"--root={self.root}", "start", "one")
        self.assertEqual(output.read(4), b"out\n")
        self.runtime(f"--root={self.root}", "kill", "one", "15")
        self.assertEqual(self.end_of(init), 9)
        state = json.loads(self.runtime(f"--root={self.root}", "state", "one")[0])
        self.assertEqual((state["status"], state["pid"]), ("stopped", 0))
        _, err = self.runtime(f"--root={self.root}", "kill", "one", "KILL", status=1)
        self.assertRegex(err.lower(), "container not running|no such process|process already finished")
        self.runtime(f"--root={self.root}", "delete", "--force", "one")
        self.runtime(f"--root={self.root}", "delete", "--force", "one")
        output.close()

    def test_failure_is_one_line_of_json(self):
        self.spec("/no/such/program")
        self.runtime(*self.conmon("create", "--bundle", self.bundle, "--pid-file", self.bundle / "pidfile", "one"), status=1)
        lines = self.log.read_text().splitlines()
        self.assertEqual(len(lines), 1, lines)
        problem = json.loads(lines[0])
        self.assertEqual(problem["level"], "error")
        self.assertRegex(problem["msg"], "no such file" if private.IS_RUNC else r"executable file not found in \$PATH")

    def test_exec_under_conmon(self):
        self.spec("sleep", "1000")
        self.create_with_output(*self.conmon("create", "--bundle", self.bundle, "--pid-file", self.bundle / "pidfile", "one")).close()
        self.runtime(f"--root={self.root}", "start", "one")
        output = self.create_with_output(*self.conmon("exec", "--pid-file", self.bundle / "execpid", "--process",
                                                      self.process_file("sh", "-c", "echo exec; exit 6"), "--detach", "one"))
        pid = int((self.bundle / "execpid").read_bytes())
        self.assertEqual(self.end_of(pid), 6)
        self.assertEqual(output.read(), b"exec\n")
        output.close()
        # CRI-O itself, in the foreground
        out, _ = self.runtime(f"--root={self.root}", "exec", "--process", self.process_file("sh", "-c", "cat; exit 4"), "one", data=b"in", status=4)
        self.assertEqual(out, "in")
        self.runtime(f"--root={self.root}", "pause", "one")
        self.assertEqual(json.loads(self.runtime("--root", self.root, "state", "one")[0])["status"], "paused")
        self.runtime(f"--root={self.root}", "resume", "one")
        self.runtime(f"--root={self.root}", "update", "--resources", "-", "one", data=b'{"pids": {"limit": 77}}')
        stats = json.loads(self.runtime("--root", self.root, "events", "--stats", "one")[0])
        self.assertEqual((stats["type"], stats["id"], stats["data"]["pids"]["limit"]), ("stats", "one", 77))
        processes = json.loads(self.runtime("--root", self.root, "ps", "--format", "json", "one")[0])
        self.assertEqual(processes, [self.pid_of("pidfile")])
        self.runtime(f"--root={self.root}", "kill", "-a", "one", "9")
        self.assertEqual(self.end_of(self.pid_of("pidfile")), -9)

    def receive_terminal(self, listener):
        connection, _ = listener.accept()
        with connection:
            _, messages, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        return array.array("i", messages[0][2])[0]

    def test_terminal_by_console_socket(self):
        self.spec("sh", "-c", "test -t 0 && tty; exit 3", terminal=True)
        path = self.bundle / "attach"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            # A pipe that is read to its end, as go-runc does: init may not keep it.
            self.runtime(*self.conmon("create", "--bundle", self.bundle, "--pid-file", self.bundle / "pidfile", "--console-socket", path, "one"),
                         timeout=15)
            terminal = self.receive_terminal(listener)
        init = self.pid_of("pidfile")
        self.runtime(f"--root={self.root}", "start", "one")
        self.assertEqual(self.end_of(init), 3)
        self.assertIn(b"/dev/pts/0", os.read(terminal, 100))
        os.close(terminal)

    def test_conmon_rs(self):
        """It names the root twice, and gives exec its command as words."""
        double = [f"--root={self.root}", f"--root={self.root}"]
        self.spec("sleep", "1000")
        self.create_with_output(*double, "create", "--bundle", self.bundle, "--pid-file", self.bundle / "pidfile", "one").close()
        init = self.pid_of("pidfile")
        self.runtime(*double, "start", "one")
        output = self.create_with_output(*double, "exec", "-d", f"--pid-file={self.bundle / 'execpid'}", "one", "sh", "-c", "echo -n $0 $@; exit 2",
                                         "--pid-file=x", "-d")
        self.assertEqual(self.end_of(int((self.bundle / "execpid").read_bytes())), 2)
        self.assertEqual(output.read(), b"--pid-file=x -d")
        output.close()
        path = self.bundle / "attach"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            self.runtime(*double, "exec", "-d", f"--console-socket={path}", "--tty", f"--pid-file={self.bundle / 'execpid'}", "one", "tty", timeout=15)
            terminal = self.receive_terminal(listener)
        self.assertEqual(self.end_of(int((self.bundle / "execpid").read_bytes())), 0)
        self.assertIn(b"/dev/pts/0", os.read(terminal, 100))
        os.close(terminal)
        self.runtime(*double, "kill", "one", "SIGKILL")
        self.assertEqual(self.end_of(init), -signal.SIGKILL)

    def test_buildkit(self):
        """run in the foreground, and a kill by number from outside."""
        words = ["--log", self.log, "--log-format", "json", "--root", self.root]
        self.spec("sh", "-c", "cat; exit 3")
        out, _ = self.runtime(*words, "run", "--bundle", self.bundle, "--keep", "one", data=b"through", status=3)
        self.assertEqual(out, "through")
        self.assertEqual(json.loads(self.runtime(*words, "state", "one")[0])["status"], "stopped")
        self.runtime(*words, "delete", "one")
        self.spec("sleep", "1000")
        with subprocess.Popen([private.RUNTIME, *map(str, words), "run", "--bundle", str(self.bundle), "--keep", "two"], env=self.environment,
                              stdin=subprocess.DEVNULL) as running:
            private.wait_for(lambda: '"running"' in self.runtime(*words, "state", "two", status=None)[0], 10, "run")
            self.runtime(*words, "kill", "two", "9")
            self.assertEqual(running.wait(10), 137)
        self.runtime(*words, "delete", "two")

    def test_shared_pid_life(self):
        """What containerd's shim sends for a container in its pod's pid namespace: three times `kill --all`, delete, forced delete."""
        self.spec("sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done")
        self.create_with_output("--root", self.root, "create", "--bundle", self.bundle, "--pid-file", self.bundle / "pause.pid", "pause").close()
        pause = self.pid_of("pause.pid")
        self.runtime("--root", self.root, "start", "pause")
        self.spec("sh", "-c", "setsid sleep 1000 & exec sleep 1000", pid=f"/proc/{pause}/ns/pid")
        self.create_with_output("--root", self.root, "create", "--bundle", self.bundle, "--pid-file", self.bundle / "one.pid", "one").close()
        init = self.pid_of("one.pid")
        self.runtime("--root", self.root, "start", "one")
        of_one = lambda: [pid for pid, stat in private.descendants().items() if "sleep 1000" in stat[2] and stat[0] != "Z"]
        private.wait_for(lambda: len(of_one()) == 2, 5, "both processes")
        self.runtime("--root", self.root, "kill", "--all", "one", "9")
        self.assertEqual(self.end_of(init), -9)
        self.runtime("--root", self.root, "kill", "--all", "one", "9")
        self.runtime("--root", self.root, "kill", "--all", "one", "9")
        private.wait_for(lambda: not of_one(), 5, "end of all of the container's processes")
        self.runtime("--root", self.root, "delete", "one")
        self.runtime("--root", self.root, "delete", "--force", "one")
        self.assertEqual(json.loads(self.runtime("--root", self.root, "state", "pause")[0])["status"], "running")
        self.runtime("--root", self.root, "kill", "pause", "15")
        self.assertEqual(self.end_of(pause), 0)
        self.runtime("--root", self.root, "delete", "pause")

    def test_probes(self):
        version = self.runtime("--version")[0].splitlines()
        self.assertRegex(version[0], r"^\S+ version \S+")
        if private.IS_RUNC:
            return  # 1.1.5 has no features that CRI-O reads, and can checkpoint
        self.assertEqual(len([line for line in version if "version" in line]), 1)
        self.assertRegex(version[-1], r"^spec: 1\.\d+\.\d+")
        features = json.loads(self.runtime("features")[0])
        self.assertTrue(features["ociVersionMin"] and features["ociVersionMax"])
        self.assertIn("rro", features["mountOptions"])
        self.assertIn("enabled", features["linux"]["mountExtensions"]["idmap"])
        self.assertNotEqual(subprocess.run([private.RUNTIME, "checkpoint", "--help"], stdin=subprocess.DEVNULL, capture_output=True,
                                           check=False).returncode, 0)
        out, err = self.runtime("restore", "--lsm-mount-context", status=1)
        self.assertFalse(re.search("flag needs an argument|requires an argument", out + err))

    def test_words(self):
        """What callers look for in the text: containerd, CRI-O, Podman."""
        for words in (["state", "nobody"], ["kill", "nobody", "9"], ["delete", "nobody"], ["start", "nobody"]):
            self.assertIn("does not exist", self.runtime("--root", self.root, *words, status=1)[1])
        self.runtime("--root", self.root, "delete", "--force", "nobody")
        self.spec("sleep", "1000")
        self.create_with_output("--root", self.root, "create", "--bundle", self.bundle, "one").close()
        self.assertIn("container with given ID already exists",
                      self.runtime("--root", self.root, "create", "--bundle", self.bundle, "one", status=1)[1])
        self.runtime("--root", self.root, "kill", "--all", "one", "KILL")
        private.wait_for(lambda: json.loads(self.runtime("--root", self.root, "state", "one")[0])["status"] == "stopped", 5)
        self.assertIn("cannot exec in a stopped container", self.runtime("--root", self.root, "exec", "one", "true", status=255)[1])
        self.runtime("--root", self.root, "delete", "one")


if __name__ == "__main__":
    engine_test.main()
