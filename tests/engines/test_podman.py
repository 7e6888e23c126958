#!/usr/bin/python3
"""Podman with its runtime replaced. The configuration is docs/engines/podman.md's."""
import json
import os
import pathlib
import time

import engine_test
import private
import snippets
from engine_test import EngineTest, Terminal

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs/examples"
# docs/engines/podman.md, on hosts without systemd.
NO_SYSTEMD = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'


class Podman(EngineTest):
    @classmethod
    def start_engine(cls):
        first, _systemd, ulimits = snippets.blocks("podman.md", "toml")
        config = cls.folder / "containers.conf"
        config.write_text(first.replace("[engine]\n", NO_SYSTEMD, 1) + ulimits, encoding="utf-8")
        cls.environment = {"PATH": os.environ["PATH"], "HOME": str(cls.folder), "CONTAINERS_CONF": str(config), "TERM": "xterm"}
        cls.words = ["podman", "--root", cls.folder / "root", "--runroot", cls.folder / "run", "--tmpdir", cls.folder / "tmp",
                     "--storage-driver", "vfs"]
        private.output([*cls.words, "load", "-q", "-i", cls.archive], env=cls.environment)
        private.output([*cls.words, "run", "--rm", "--network", "none", "busybox", "true"], env=cls.environment)

    # Kept for all containers: their parent cgroup, and where Podman mounts network namespaces.
    keeps = ("/libpod_parent", " /run/netns")

    def watched(self):
        """Podman gives the runtime no --root: its state is at its default place."""
        return ("/run/covey/runtime", "/run/covey/engines", "/run/runc")

    def podman(self, *words, **options):
        return self.call([*self.words, *words], environment=self.environment, **options)

    def run_busybox(self, *words, flags=(), **options):
        return self.podman("run", "--rm", "--network", "none", *flags, "busybox", *words, **options)

    def start_busybox(self, name, *words, flags=()):
        self.podman("run", "-d", "--name", name, "--network", "none", *flags, "busybox", *words)

    def inspect(self, name, form):
        return self.podman("inspect", "--format", form, name)[0].strip()

    def remove_containers(self):
        self.podman("pod", "rm", "-f", "-a", "-t", "0", status=None)
        self.podman("rm", "-f", "-a", "-t", "0", status=None)
        self.podman("volume", "prune", "-f", status=None)

    def test_run(self):
        self.assertEqual(self.run_busybox("echo", "hello")[0], "hello\n")
        self.assertEqual(self.run_busybox("cat", flags=["-i"], data=b"through")[0], "through")
        self.run_busybox("sh", "-c", "exit 7", status=7)
        out, err = self.run_busybox("sh", "-c", "echo out; echo error >&2")
        self.assertEqual((out, err), ("out\n", "error\n"))

    def test_exit_codes_of_what_cannot_be_run(self):
        """Podman makes 126 and 127 of the runtime's words."""
        self.run_busybox("/no/such/program", status=127)
        self.run_busybox("no-such-program", status=127)
        self.run_busybox("/etc/passwd", status=126)
        self.run_busybox("/etc", status=126)

    def test_a_working_directory_that_only_the_engine_may_enter(self):
        """Seen failing: access refused."""
        flags = ["-w", "/home/app", "-u", "4242", "--cap-drop", "all"]
        self.assertEqual(self.run_busybox("pwd", flags=flags)[0], "/home/app\n")
        self.start_busybox("main", "sleep", "1000", flags=flags)
        self.assertEqual(self.podman("exec", "-u", "0:0", "main", "pwd")[0], "/home/app\n")

    def test_mounts_in_a_read_only_tmpfs(self):
        """Seen failing: EROFS."""
        flags = ["--tmpfs", "/mnt:ro", "-v", "/etc:/mnt/etc:ro"]
        out, err = self.run_busybox("sh", "-c", "test -f /mnt/etc/passwd && echo there; touch /mnt/x", flags=flags, status=1)
        self.assertEqual(out, "there\n")
        self.assertIn("Read-only file system", err)

    def test_a_link_to_nothing_in_the_place_of_resolv_conf(self):
        """Seen failing: ENOENT, and no container of such an image."""
        source = self.folder / "resolv.conf"
        source.write_text("nameserver 192.0.2.1\n", encoding="ascii")
        for flags in (["--network", "none", "-v", f"{source}:/etc/resolv.conf:ro"], ["--network", "host", "--dns", "192.0.2.1"]):
            out, _ = self.podman("run", "--rm", *flags, "busybox", "cat", "/etc/resolv.conf")
            self.assertIn("nameserver 192.0.2.1", out, flags)

    def test_the_hosts_dev_and_a_terminal(self):
        """Seen failing: /process/terminal needs a devpts."""
        shell = Terminal([*self.words, "run", "--rm", "-it", "--network", "none", "--privileged", "-v", "/dev:/dev", "busybox", "sh"],
                         self.environment)
        shell.expect("# ")
        shell.type("tty; test -c /dev/full && exit 5\n")
        shell.expect("/dev/pts/")
        self.assertEqual(shell.end()[0], 5)

    def test_exec(self):
        self.start_busybox("main", "sleep", "1000")
        self.assertEqual(self.podman("exec", "main", "echo", "hi")[0], "hi\n")
        self.assertEqual(self.podman("exec", "-i", "main", "cat", data=b"in")[0], "in")
        self.podman("exec", "main", "sh", "-c", "exit 3", status=3)
        self.podman("exec", "main", "no-such-program", status=127)
        self.assertEqual(self.podman("exec", "-u", "101:101", "-w", "/tmp", "-e", "A=b", "main", "sh", "-c", "id -u; pwd; echo $A")[0],
                         "101\n/tmp\nb\n")
        self.podman("exec", "-d", "main", "sh", "-c", "echo detached > /tmp/file")
        private.wait_for(lambda: self.podman("exec", "main", "cat", "/tmp/file", status=None)[0] == "detached\n", 10, "exec -d")
        self.podman("rm", "-f", "-t", "0", "main")
        self.podman("exec", "main", "true", status=125)

    def test_terminal(self):
        shell = Terminal([*self.words, "run", "--rm", "-it", "--network", "none", "busybox", "sh"], self.environment)
        shell.expect("# ")
        shell.type("tty; stty size; echo a''b; exit 5\n")
        shell.expect("/dev/pts/0")
        shell.expect("ab")
        self.assertEqual(shell.end()[0], 5)

    def test_exec_on_a_terminal(self):
        self.start_busybox("main", "sleep", "1000")
        shell = Terminal([*self.words, "exec", "-it", "main", "sh"], self.environment)
        shell.expect("# ")
        shell.type("test -t 0 && echo is''tty; exit 4\n")
        shell.expect("istty")
        self.assertEqual(shell.end()[0], 4)

    def test_nested_and_private_by_annotation(self):
        self.podman("pod", "create", "--name", "pod", "--share", "pid,ipc", "--network", "none")
        start = lambda name, *flags: self.podman("run", "-d", "--name", name, "--pod", "pod", *flags, "busybox", "sleep", name)
        start("1001", "--annotation", "covey.dev/pid=nested")
        start("1002", "--annotation", "covey.dev/access=private", "--cap-add", "SYS_PTRACE")
        start("1003", "--cap-add", "SYS_PTRACE")
        seen = lambda name: "\n".join(self.podman("exec", name, "ps")[0].splitlines())
        self.assertRegex(seen("1001"), r"\n +1 .*sleep 1001")
        self.assertNotRegex(seen("1001"), "1002|1003|catatonit|pause")
        self.assertIn("sleep 1002", seen("1002"))
        self.assertNotRegex(seen("1002"), "1001|1003|catatonit|pause")
        for name in ("1001", "1002", "1003"):
            self.assertIn("sleep " + name, seen("1003"))
        self.assertNotIn("covey", seen("1003"))
        self.podman("exec", "1002", "kill", "-9", "1", status=1)
        self.podman("exec", "1002", "ls", "/proc/1/root", status=1)
        self.assertIn("bin", self.podman("exec", "1002", "ls", "/proc/self/root")[0])
        self.podman("exec", "1002", "sh", "-c", "exit 7", status=7)
        self.assertEqual(self.podman("exec", "-i", "1002", "cat", data=b"through")[0], "through")
        shell = Terminal([*self.words, "exec", "-it", "1002", "sh"], self.environment)
        shell.expect("# ")
        shell.type("test -t 0 && stty size && echo is''tty; exit 4\n")
        shell.expect("istty")
        self.assertEqual(shell.end()[0], 4)
        self.podman("exec", "-d", "1002", "sh", "-c", "echo detached > /tmp/file")
        private.wait_for(lambda: self.podman("exec", "1002", "cat", "/tmp/file", status=None)[0] == "detached\n", 10, "exec -d")
        self.podman("stop", "-t", "1", "1001")
        self.assertEqual(self.inspect("1001", "{{.State.ExitCode}}"), "137")
        self.podman("stop", "-t", "1", "1002")
        self.assertEqual(self.inspect("1003", "{{.State.Status}}"), "running")
        self.podman("start", "1001")
        self.assertRegex(seen("1001"), r"\n +1 .*sleep 1001")
        self.podman("run", "--pod", "pod", "--annotation", "covey.dev/access=privat", "busybox", "true", status=126)
        self.podman("pod", "rm", "-f", "-t", "0", "pod")

    def test_pod_shares_pid(self):
        self.podman("pod", "create", "--name", "pod", "--share", "pid,ipc", "--network", "none")
        self.podman("run", "-d", "--name", "nginx", "--pod", "pod", "nginx")
        self.podman("run", "-d", "--name", "shell", "--pod", "pod", "busybox", "sleep", "1000")
        private.wait_for(lambda: "httpd" in self.podman("exec", "shell", "ps")[0], 10, "nginx's worker")
        lines = self.podman("exec", "shell", "ps")[0].splitlines()
        self.assertRegex("\n".join(lines), r"\n +1 .*(catatonit|pause)")
        self.podman("kill", "-s", "KILL", "nginx")
        private.wait_for(lambda: "nginx" not in self.podman("exec", "shell", "ps")[0], 10, "end of all of nginx's processes")
        self.assertEqual(self.inspect("shell", "{{.State.Status}}"), "running")
        self.podman("pod", "stop", "-t", "1", "pod")
        self.podman("pod", "start", "pod")
        self.podman("pod", "rm", "-f", "-t", "0", "pod")

    def test_kube_play(self):
        """docs/examples word for word."""
        for file in ("share-process-namespace.yaml", "blog-pod-private.yaml", "blog-pod-shared.yaml"):
            with self.subTest(file=file):
                self.podman("kube", "play", "--network", "none", EXAMPLES / file)
                try:
                    self.check_kube_pod(file)
                finally:
                    self.podman("kube", "down", EXAMPLES / file)

    def check_kube_pod(self, file):
        if file == "share-process-namespace.yaml":
            private.wait_for(lambda: "httpd" in self.podman("exec", "nginx-shell", "ps")[0], 10, "nginx's worker")
            before = self.podman("exec", "nginx-shell", "ps")[0]
            self.assertIn("catatonit", before)
            master = next(line.split()[0] for line in before.splitlines() if "/usr/sbin/nginx" in line)
            worker = lambda: self.podman("exec", "nginx-shell", "pidof", "httpd", status=None)[0]
            old = worker()
            self.podman("exec", "nginx-shell", "kill", "-HUP", master)
            private.wait_for(lambda: worker() not in ("", old), 10, "a new worker after SIGHUP")
            self.assertIn("user  nginx", self.podman("exec", "nginx-shell", "head", f"/proc/{master}/root/etc/nginx/nginx.conf")[0])
        elif file == "blog-pod-private.yaml":
            for name in ("pod-container1", "pod-container2"):
                self.assertRegex(self.podman("exec", name, "ps")[0], r"\n +1 .*(envoy|sleep 3600)")
        else:
            first = self.podman("exec", "pod-container2", "ps")[0]
            self.assertRegex(first, r"\n +1 .*catatonit")
            self.assertIn("envoy", first)
            self.assertEqual(self.podman("logs", "pod-container2")[0], "hello\n")

    def test_healthcheck(self):
        self.start_busybox("main", "sh", "-c", "touch /tmp/healthy; sleep 1000",
                           flags=["--health-cmd", "test -e /tmp/healthy", "--health-interval", "disable", "--health-retries", "1"])
        private.wait_for(lambda: not self.podman("exec", "main", "test", "-e", "/tmp/healthy")[1], 5)
        self.podman("healthcheck", "run", "main")
        self.podman("exec", "main", "rm", "/tmp/healthy")
        self.podman("healthcheck", "run", "main", status=1)

    def group_file(self, name, file):
        """A value of the container's own cgroup, by the host's eyes."""
        pid = self.inspect(name, "{{.State.Pid}}")
        for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == file.split(".")[0] or (controllers == "" and os.path.exists(f"/sys/fs/cgroup{path}/{file}")):
                base = "/sys/fs/cgroup/" + controllers
                return pathlib.Path(base + path, file).read_text(encoding="ascii").strip()
        self.skipTest(f"no cgroup controller for {file}")

    def test_update_and_limits(self):
        self.start_busybox("main", "sleep", "1000", flags=["--memory", "64m", "--pids-limit", "50", "--cpu-shares", "512"])
        self.assertEqual(self.group_file("main", "memory.limit_in_bytes"), str(64 << 20))
        self.assertEqual(self.group_file("main", "pids.max"), "50")
        self.assertEqual(self.group_file("main", "cpu.shares"), "512")
        self.podman("update", "--memory", "96m", "--cpu-shares", "256", "main")
        self.assertEqual(self.group_file("main", "memory.limit_in_bytes"), str(96 << 20))
        self.assertEqual(self.group_file("main", "cpu.shares"), "256")

    def test_no_pids_limit(self):
        """Podman 4 writes 0 for it, in a configuration of a version before 1.3, where that is no limit."""
        self.start_busybox("main", "sleep", "1000", flags=["--pids-limit", "-1"])
        self.assertEqual(self.group_file("main", "pids.max"), "max")

    def test_pids_limit_holds(self):
        out, err = self.run_busybox("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo done", status=None,
                                    flags=["--pids-limit", "5"])
        self.assertIn("an't fork", out + err)

    def test_pause(self):
        self.start_busybox("main", "sh", "-c", "i=0; while true; do echo $((i+=1)); sleep 0.05; done")
        self.podman("pause", "main")
        self.assertEqual(self.inspect("main", "{{.State.Status}}"), "paused")
        before = self.podman("logs", "main")[0]
        time.sleep(0.3)
        self.assertEqual(self.podman("logs", "main")[0], before)
        self.podman("unpause", "main")
        private.wait_for(lambda: self.podman("logs", "main")[0] != before, 5, "output after unpause")

    def test_stats_top_and_logs(self):
        self.start_busybox("main", "sh", "-c", "echo line; exec sleep 1000")
        stats = json.loads(self.podman("stats", "--no-stream", "--format", "json", "main")[0])[0]
        self.assertEqual((stats["name"], stats["pids"]), ("main", "1"))
        self.assertIn("sleep 1000", self.podman("top", "main", "pid", "args")[0])
        private.wait_for(lambda: self.podman("logs", "main")[0] == "line\n", 5, "the log")

    def test_stop(self):
        self.start_busybox("kind", "sh", "-c", "trap 'exit 9' TERM; trap 'exit 8' USR1; echo ready; while true; do sleep 0.1; done")
        private.wait_for(lambda: self.podman("logs", "kind")[0] == "ready\n", 5, "ready")
        self.podman("stop", "-t", "10", "kind")
        self.assertEqual(self.inspect("kind", "{{.State.ExitCode}}"), "9")
        self.start_busybox("stubborn", "sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.1; done")
        private.wait_for(lambda: self.podman("logs", "stubborn")[0] == "ready\n", 5, "ready")
        begin = time.monotonic()
        self.podman("stop", "-t", "1", "stubborn")
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertEqual(self.inspect("stubborn", "{{.State.ExitCode}}"), "137")
        self.podman("start", "kind")
        self.podman("restart", "-t", "0", "kind")
        self.podman("kill", "-s", "USR1", "kind")
        self.assertEqual(self.podman("wait", "kind")[0], "8\n")

    def test_init(self):
        self.assertRegex(self.run_busybox("ps", flags=["--init"])[0], r"\n +1 .*(catatonit|podman-init)")

    def test_user_namespace(self):
        out = self.run_busybox("sh", "-c", "cat /proc/self/uid_map; id -u; touch /file; stat -c %u /file",
                               flags=["--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000"])[0]
        self.assertEqual(out.split(), ["0", "100000", "5000", "0", "0"])

    def test_read_only(self):
        self.run_busybox("touch", "/file", flags=["--read-only"], status=1)
        self.run_busybox("touch", "/tmp/file", flags=["--read-only"])
        out = self.run_busybox("sh", "-c", "df /scratch | tail -1; touch /scratch/a; id -u",
                               flags=["--read-only", "--tmpfs", "/scratch:size=1m,mode=1777"])[0]
        self.assertIn("1024", out)

    def test_volumes(self):
        host = self.folder / "host"
        host.mkdir(exist_ok=True)
        (host / "file").write_text("from the host")
        self.assertEqual(self.run_busybox("cat", "/data/file", flags=["-v", f"{host}:/data"])[0], "from the host")
        self.run_busybox("touch", "/data/new", flags=["-v", f"{host}:/data:ro"], status=1)
        self.run_busybox("sh", "-c", "echo kept > /data/file", flags=["-v", "kept:/data"])
        self.assertEqual(self.run_busybox("cat", "/data/file", flags=["-v", "kept:/data"])[0], "kept\n")

    def test_seccomp_profile(self):
        profile = self.folder / "seccomp.json"
        profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}))
        out, err = self.run_busybox("mkdir", "/folder", flags=["--security-opt", f"seccomp={profile}"], status=1)
        self.assertIn("not implemented", out + err)
        self.assertIn("Seccomp:\t2", self.run_busybox("grep", "Seccomp:", "/proc/self/status")[0])
        self.assertIn("Seccomp:\t0", self.run_busybox("grep", "Seccomp:", "/proc/self/status", flags=["--security-opt", "seccomp=unconfined"])[0])

    def test_cgroups_disabled(self):
        if private.IS_RUNC:
            self.skipTest("runc cannot: it has no --cgroup-manager")
        with open("/proc/self/cgroup", encoding="ascii") as file:
            ours = file.read()
        self.assertEqual(self.run_busybox("cat", "/proc/self/cgroup", flags=["--cgroups=disabled", "--cgroupns=host"])[0], ours)

    def test_namespaces_of_the_host(self):
        for kind, flag in (("pid", "--pid"), ("net", "--network"), ("ipc", "--ipc"), ("uts", "--uts")):
            out = self.podman("run", "--rm", *(["--network", "none"] if kind != "net" else []), flag, "host", "busybox",
                              "readlink", f"/proc/self/ns/{kind}")[0]
            self.assertEqual(out.strip(), os.readlink(f"/proc/self/ns/{kind}"))

    def test_privileges(self):
        self.assertIn("NoNewPrivs:\t1", self.run_busybox("grep", "NoNewPrivs", "/proc/self/status",
                                                          flags=["--security-opt", "no-new-privileges"])[0])
        bits = self.run_busybox("grep", "CapEff", "/proc/self/status", flags=["--cap-drop", "all", "--cap-add", "KILL"])[0].split()[1]
        self.assertEqual(int(bits, 16), 1 << 5)
        self.assertEqual(self.run_busybox("sh", "-c", "id -u; id -g; id -G", flags=["-u", "101:101", "--group-add", "7"])[0].split()[:2], ["101", "101"])
        self.assertEqual(self.run_busybox("hostname", flags=["--hostname", "name"])[0], "name\n")
        self.assertEqual(self.run_busybox("cat", "/proc/sys/kernel/msgmax", flags=["--sysctl", "kernel.msgmax=65536"])[0], "65536\n")
        self.assertEqual(self.run_busybox("sh", "-c", "ulimit -n", flags=["--ulimit", "nofile=100:100", "--ulimit", "nproc=100:100"])[0], "100\n")
        self.assertEqual(self.run_busybox("ls", "/dev/fuse", flags=["--device", "/dev/fuse"])[0], "/dev/fuse\n")


if __name__ == "__main__":
    engine_test.main()
