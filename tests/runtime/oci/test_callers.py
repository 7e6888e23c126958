"""The exact command lines of callers that cannot be had here (CRI-O, conmon-rs, BuildKit, newer containerd),
and of those that can, word for word. This process stands in the monitor's place."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

from oci import BIN, RUNTIME, ConsoleSocket, OciTest, alive, main, namespace, only_covey, reap, wait_for


class Callers(OciTest):
    def raw(self, *words, stdin=subprocess.DEVNULL):
        """With the global flags as the caller writes them."""
        with open(self.folder / "out", "w+b") as out, open(self.folder / "err", "w+b") as err:
            run = subprocess.run([RUNTIME, *words], stdin=stdin, stdout=out, stderr=err, env=self.env, timeout=30,
                                 check=False)
        return subprocess.CompletedProcess(words, run.returncode, (self.folder / "out").read_text(encoding="utf-8"),
                                           (self.folder / "err").read_text(encoding="utf-8"))

    def good(self, *words, **options):
        run = self.raw(*words, **options)
        self.assertEqual(run.returncode, 0, (words, run.stderr))
        return run.stdout

    def process_json(self, *args, **process):
        path = self.folder / "process.json"
        path.write_text(json.dumps({"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
                                    **process}), encoding="utf-8")
        return str(path)

    def test_containerds_life_of_a_container_that_shares_its_pid_namespace(self):
        _, sandbox = self.start("probe", "sleep", "forever")
        one, bundle = self.bundle("probe", "daemonise", "sleep", "forever", "--", "sleep", "forever",
                                  change=lambda c: namespace(c, "pid", f"/proc/{sandbox}/ns/pid"))
        head = ("--root", self.root, "--log", f"{bundle}/log.json", "--log-format", "json")
        self.good(*head, "create", "--bundle", bundle, "--pid-file", f"{bundle}/init.pid", one)
        pid = int((self.folder / one / "init.pid").read_text(encoding="ascii"))
        self.good(*head, "start", one)
        self.good(*head, "kill", "--all", one, "9")
        self.wait_exit(pid)
        self.good(*head, "kill", "--all", one, "9")
        self.good(*head, "kill", "--all", one, "9")
        self.good(*head, "delete", one)
        self.good(*head, "delete", "--force", one)
        self.assertTrue(alive(sandbox))

    def test_containerds_exec(self):
        one, _ = self.start("probe", "sleep", "forever")
        head = ("--root", self.root, "--log", str(self.log), "--log-format", "json")
        path = self.folder / "e.pid"
        self.good(*head, "exec", "--process", self.process_json("probe", "exit", "3"), "--detach", "--pid-file", str(path), one)
        self.assertEqual(self.wait_exit(int(path.read_text(encoding="ascii"))), 3)

    def test_conmons(self):
        one, bundle = self.bundle("probe", "sleep", "forever")
        head = ("--log-format=json", "--log", str(self.log), "--root", self.root)
        self.good(*head, "create", "--bundle", bundle, "--pid-file", f"{bundle}/pidfile", "--no-new-keyring", one)
        self.good("--root", self.root, "start", one)
        console = ConsoleSocket(self.folder)
        path = self.folder / "e.pid"
        self.good(*head, "exec", "--pid-file", str(path), "--process", self.process_json("probe", "tty", terminal=True),
                  "--detach", "--tty", "--console-socket", console.path, one)
        master = console.take()
        self.assertIn(b'"tty":true', os.read(master, 4096))
        os.close(master)
        self.wait_exit(int(path.read_text(encoding="ascii")))
        self.good("--root", self.root, "kill", "--all", one, "9")

    @only_covey("runc's flags do not go with = after -")
    def test_conmon_rs(self):
        console = ConsoleSocket(self.folder)
        one, bundle = self.bundle("probe", "tty", "--", "sleep", "forever", terminal=True)
        self.good(f"--root={self.root}", "create", "--bundle", bundle, "--pid-file", f"{bundle}/pidfile",
                  f"--console-socket={console.path}", one)
        master = console.take()
        self.good(f"--root={self.root}", "start", one)
        self.assertIn(b'"tty":true', os.read(master, 4096))
        os.close(master)
        path = self.folder / "e.pid"
        self.good(f"--root={self.root}", f"--root={self.root}", "exec", "-d", f"--pid-file={path}", one, "probe", "exit", "8")
        self.assertEqual(self.wait_exit(int(path.read_text(encoding="ascii"))), 8)

    def test_buildkits_run_and_its_kill(self):
        one, bundle = self.bundle("probe", "sleep", "forever")
        with open(self.folder / "log", "wb") as log:
            run = subprocess.Popen([RUNTIME, "--root", self.root, "--log", str(self.log), "--log-format", "json", "run",
                                    "--bundle", bundle, "--keep", one], stdout=log, stderr=log, env=self.env)
        wait_for(lambda: self.call("state", one).returncode == 0 and self.status(one) == "running", what="its start")
        self.good("--root", self.root, "kill", one, "9")
        self.assertEqual(run.wait(10), 137)
        self.good("--root", self.root, "delete", one)

    def test_crios(self):
        one, bundle = self.bundle("probe", "sleep", "forever")
        head = (f"--root={self.root}",)
        self.good(*head, "create", "--bundle", bundle, "--pid-file", f"{bundle}/pidfile", one)
        self.good(*head, "start", one)
        state = json.loads(self.good(*head, "state", one))
        self.assertIsInstance(state["pid"], int)
        out = self.raw(*head, "exec", "--process", self.process_json("probe", "echo", "synced"), one)
        self.assertEqual((out.returncode, out.stdout), (0, "synced\n"))
        self.good(*head, "kill", "-a", one, "9")
        wait_for(lambda: self.status(one) == "stopped", what="its end")
        self.good(*head, "delete", "--force", one)

    def test_buildahs_polling(self):
        one, bundle = self.bundle("probe", "exit", "6")
        path = self.folder / "pid"
        self.good("--root", self.root, "create", "--bundle", bundle, "--pid-file", str(path), one)
        self.good("--root", self.root, "start", one)
        pid = int(path.read_text(encoding="ascii"))
        wait_for(lambda: json.loads(self.good("--root", self.root, "state", one))["status"] == "stopped", what="its end")
        self.assertEqual(self.wait_exit(pid), 6)
        self.good("--root", self.root, "delete", one)

    def test_systemds_readiness(self):
        """A unit with Type=notify: the container says READY=1, start tells the caller's socket."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(self.folder / "notify"))
        listener.settimeout(10)
        self.env["NOTIFY_SOCKET"] = str(self.folder / "notify")
        one, pid = self.create("probe", "notify", "READY=1", "--", "sleep", "forever")
        self.ok("start", one)
        said = listener.recv(4096).decode().split("\n")
        if f"MAINPID={pid}" not in said:  # runc sends two messages
            said += listener.recv(4096).decode().split("\n")
        listener.close()
        self.assertLessEqual({"READY=1", f"MAINPID={pid}"}, set(said))

    def test_a_container_that_is_never_ready(self):
        """`start` waits for READY=1 as long as the container lives, with other words and without: nobody else waits for it."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(str(self.folder / "notify"))
        self.env["NOTIFY_SOCKET"] = str(self.folder / "notify")
        for ending in ("kill", "delete"):
            one, pid = self.create("probe", "notify", "STATUS=READY=1 soon", "--", "sleep", "forever")
            start = subprocess.Popen([RUNTIME, "--root", self.root, "start", one], env=self.env, stdin=subprocess.DEVNULL)
            wait_for(lambda: json.loads(self.ok("state", one).stdout)["status"] == "running", what="its start")
            with self.assertRaises(subprocess.TimeoutExpired):
                start.wait(0.5)
            before = time.monotonic()
            if ending == "kill":
                self.ok("kill", one, "KILL")
                self.wait_exit(pid)
            else:
                self.ok("delete", "--force", one)
            self.assertEqual(start.wait(5), 0)
            self.assertLess(time.monotonic() - before, 5)
        one, pid = self.create("probe", "notify", "STATUS=READY=1 soon", "--", "sleep", "forever")
        start = subprocess.Popen([RUNTIME, "--root", self.root, "start", one], env=self.env, stdin=subprocess.DEVNULL)
        wait_for(lambda: json.loads(self.ok("state", one).stdout)["status"] == "running", what="its start")
        start.terminate()
        self.assertEqual(start.wait(5), -signal.SIGTERM)
        self.assertEqual(json.loads(self.ok("state", one).stdout)["status"], "running")

    @only_covey("runc 1.1 has no such flags")
    def test_newer_flags(self):
        console = ConsoleSocket(self.folder, "pidfd.sock")
        one, bundle = self.bundle("probe", "sleep", "forever")
        self.good("--rootless=false", "--criu", "/usr/sbin/criu", "--debug=false", "--root", "/nowhere", "--root", self.root,
                  "create", "--pidfd-socket", console.path, "-bundle", bundle, one)
        pidfd = console.take()
        signal.pidfd_send_signal(pidfd, 0)
        os.close(pidfd)

    @only_covey("other words")
    @unittest.skipIf(os.path.isdir("/run/systemd/system"), "systemd runs here: tests/vm/systemd.sh is the test")
    def test_systemd_cgroups_where_systemd_does_not_run(self):
        for flag in (["--systemd-cgroup"], ["--cgroup-manager", "systemd"], ["--systemd-cgroup", "--systemd-cgroup=true"]):
            one, bundle = self.bundle("probe", "exit", "0", change=lambda config: config["linux"].update(
                cgroupsPath="system.slice:test:one"))
            for command in ("create", "run"):
                self.fails("--systemd-cgroup: systemd does not run here: missing: /run/systemd/system (ENOENT) (fix: leave "
                           "--systemd-cgroup away", command, "--bundle", bundle, one, globals_=flag)
            self.assertEqual((self.groups(), os.listdir(self.root)), ([], []))

    @only_covey("runc 1.1 looks for systemd first")
    def test_systemd_cgroups_with_a_path_that_is_none(self):
        one, bundle = self.bundle("probe", "exit", "0")
        self.fails('expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got '
                   f'"{self.group}/{one}" instead', "create", "--bundle", bundle, one, globals_=["--systemd-cgroup"])
        self.assertEqual((self.groups(), os.listdir(self.root)), ([], []))

    @only_covey("runc 1.1 has no such annotations, or obeys all")
    def test_a_property_of_systemd_that_is_not_the_scopes(self):
        def change(config):
            config["linux"]["cgroupsPath"] = "system.slice:test:one"
            config["annotations"] = {"org.systemd.property.SuccessAction": "'poweroff-force'"}
        one, bundle = self.bundle("probe", "exit", "0", change=change)
        self.fails("org.systemd.property.SuccessAction is not obeyed", "create", "--bundle", bundle, one,
                   globals_=["--systemd-cgroup"])

    @only_covey("a program of ours")
    def test_features_tell_of_the_systemd_driver(self):
        cgroup = json.loads(self.ok("features").stdout)["linux"]["cgroup"]
        there = (BIN / "covey-systemd").exists()
        self.assertEqual((cgroup["systemd"], cgroup["systemdUser"]), (there, there))

    @only_covey("runc 1.1 needs a cgroup")
    def test_podman_without_cgroups(self):
        one, bundle = self.bundle("probe", "sleep", "forever")
        head = ("--cgroup-manager", "disabled", "--root", self.root)
        self.good(*head, "create", "--bundle", bundle, "--pid-file", f"{bundle}/pid", one)
        self.assertEqual(self.groups(), [])
        pid = int((self.folder / one / "pid").read_text(encoding="ascii"))
        self.good(*head, "start", one)
        self.good(*head, "kill", "--all", one, "9")
        self.assertEqual(self.wait_exit(pid), -9)
        self.good(*head, "delete", one)

    @only_covey("runc leaves the container in the caller's v2 group")
    def test_two_callers_one_id_and_a_group_for_each(self):
        """Each in a v2 group of its own, without a cgroupsPath: one's delete must not end the other's."""
        unified = pathlib.Path("/sys/fs/cgroup/unified")
        if not unified.is_dir():
            self.skipTest("v2 alone: both are refused the group while it has processes")
        hierarchies = [path for path in pathlib.Path("/sys/fs/cgroup").iterdir() if path.is_dir() and not path.is_symlink()]
        names = [f"covey-oci-{os.getpid()}-{number}" for number in (1, 2)]
        roots = [str(self.folder / name) for name in names]
        pids = []

        def enter(name):
            for hierarchy in hierarchies:
                (hierarchy / name / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        try:
            for name, root in zip(names, roots):
                for hierarchy in hierarchies:
                    (hierarchy / name).mkdir()
                    for file in ("cpuset.cpus", "cpuset.mems"):
                        if (hierarchy / file).exists():
                            (hierarchy / name / file).write_text((hierarchy / file).read_text(encoding="ascii"), encoding="ascii")
                _, bundle = self.bundle("probe", "sleep", "forever", change=lambda c: c["linux"].pop("cgroupsPath"))
                self.ok("--root", root, "run", "-d", "--bundle", bundle, "web", preexec_fn=lambda name=name: enter(name))
                pids.append(json.loads(self.ok("--root", root, "state", "web").stdout)["pid"])
                self.assertIn(f"/{name}/web", pathlib.Path(f"/proc/{pids[-1]}/cgroup").read_text(encoding="ascii").splitlines()[-1])
            self.ok("--root", roots[0], "delete", "-f", "web")
            wait_for(lambda: not alive(pids[0]), what="the end of the first")
            self.assertTrue(alive(pids[1]))
        finally:
            for root in roots:
                self.call("--root", root, "delete", "-f", "web")
            reap()
            for hierarchy in hierarchies:
                for name in names:
                    if (hierarchy / name).exists():
                        (hierarchy / name).rmdir()


if __name__ == "__main__":
    main()
