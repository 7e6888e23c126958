"""exec in all its forms, and terminals: through a console socket and in the foreground."""
import errno
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import time
import unittest

from oci import IS_COVEY, RUNTIME, ConsoleSocket, OciTest, main, only_covey, read_to_end, reap, wait_for


def read_until(fd, text, seconds=10):
    """What a terminal shows, up to `text`."""
    end, got = time.monotonic() + seconds, b""
    while text not in got:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        if not ready:
            raise AssertionError(f"{text!r} did not come: {got!r}")
        try:
            chunk = os.read(fd, 4096)
        except OSError:
            chunk = b""
        if not chunk:
            raise AssertionError(f"{text!r} did not come before the end: {got!r}")
        got += chunk
    return got


class Exec(OciTest):
    # Of an attempt to write to the command's file.
    refusals = (errno.EROFS, errno.EPERM)

    def process_of(self, pid):
        """The process of an exec whose pid file has this number."""
        return pid

    def setUp(self):
        super().setUp()
        self.one, self.pid = self.start("probe", "sleep", "forever")

    def process_file(self, *args, **process):
        path = self.folder / "process.json"
        base = {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(args), "env": ["PATH=/bin"], "cwd": "/",
                "capabilities": {}, **process}
        path.write_text(json.dumps(base), encoding="utf-8")
        return str(path)

    def ids(self, *flags):
        return json.loads(self.ok("exec", *flags, self.one, "probe", "ids").stdout)

    def state_of(self, *flags):
        return json.loads(self.ok("exec", *flags, self.one, "probe", "state").stdout)

    def test_a_command_line(self):
        run = self.call("exec", self.one, "probe", "echo", "-n", "--help")
        self.assertEqual((run.returncode, run.stdout), (0, "-n --help\n"))
        self.assertEqual(self.call("exec", self.one, "probe", "exit", "9").returncode, 9)

    def test_it_is_in_the_containers_namespaces_and_group(self):
        inner = self.state_of()
        for name in ("pid", "net", "ipc", "uts", "mnt"):
            self.assertEqual(inner["namespaces"][name],
                             int(os.readlink(f"/proc/{self.pid}/ns/{name}").split("[")[1].rstrip("]")), name)
        path = self.folder / "pid"
        self.ok("exec", "-d", "--pid-file", str(path), self.one, "probe", "sleep", "forever")
        with open(f"/proc/{self.pid}/cgroup", encoding="ascii") as init, \
                open(f"/proc/{self.process_of(int(path.read_text()))}/cgroup", encoding="ascii") as other:
            self.assertEqual(init.read(), other.read())
        # Its parent now is this process: the PID namespace ends only when it is reaped.
        self.ok("kill", self.one, "9")
        self.wait_exit(int(path.read_text(encoding="ascii")))

    def in_groups(self, *flags):
        """Of an exec with these flags: controller → its group below the container's."""
        path = self.folder / "pid"
        self.ok("exec", "-d", *flags, "--pid-file", str(path), self.one, "probe", "sleep", "forever")
        number = int(path.read_text(encoding="ascii"))
        own = f"{self.group}/{self.one}"
        with open(f"/proc/{self.process_of(number)}/cgroup", encoding="ascii") as file:
            lines = [line.rstrip().split(":", 2) for line in file]
        os.kill(number, signal.SIGKILL)
        self.wait_exit(number)
        return {name: place.removeprefix(own) for _, names, place in lines for name in names.split(",") if place.startswith(own)}

    def make_groups(self, name, as_seen=False):
        """Below the container's groups, or as the container sees them: below those of its processes."""
        for group in self.groups():
            if as_seen and (group / "main").is_dir():
                group /= "main"
            (group / name).mkdir()
            for file in ("cpuset.cpus", "cpuset.mems"):  # v1: empty at first, and then nobody may join
                if (group / file).exists() and (group / "tasks").exists():
                    (group / name / file).write_text((group / file).read_text(encoding="ascii"), encoding="ascii")

    def test_a_group_below_the_containers(self):
        self.make_groups("sub")
        inside = self.in_groups("--cgroup", "/sub")
        self.assertEqual(set(inside.values()), {"/sub"}, inside)
        self.assertTrue(set(self.in_groups().values()) <= {"", "/main"})

    def test_a_group_as_the_container_sees_it(self):
        self.make_groups("seen", as_seen=True)
        inside = self.in_groups("--cgroup", "seen")
        self.assertTrue(set(inside.values()) <= {"/seen", "/main/seen"}, inside)

    @unittest.skipUnless(os.path.isdir("/sys/fs/cgroup/pids"), "needs v1 hierarchies")
    def test_a_group_of_its_own_for_some_controllers(self):
        self.make_groups("sub")
        inside = self.in_groups("--cgroup", "pids,memory:sub", "--cgroup", "freezer:/sub/")
        self.assertEqual({name for name, place in inside.items() if place == "/sub"}, {"pids", "memory", "freezer"}, inside)
        self.assertEqual(inside["devices"], "")

    @only_covey("it is this runtime's record")
    def test_a_class_of_intel_rdt_is_joined(self):
        """By who makes the process, so that it is in it from the start: "0" is the writer (resctrl.rst). The class is played
        by a folder that a record names; it is not the runtime's to remove. Seen failing without the call."""
        classes = self.folder / "resctrl"
        (classes / "gold/mon_groups/c1").mkdir(parents=True)
        tasks = [classes / "gold/tasks", classes / "gold/mon_groups/c1/tasks"]
        one, _ = self.start("probe", "sleep", "forever")
        for file in tasks:
            file.touch()
        record = pathlib.Path(self.root, one, "record.json")
        content = json.loads(record.read_text(encoding="utf-8"))
        content["body"].update(resctrlGroup=str(classes / "gold"), resctrlMonitor=str(classes / "gold/mon_groups/c1"))
        record.write_text(json.dumps(content), encoding="utf-8")
        self.assertEqual(self.ok("exec", one, "probe", "echo", "x").stdout, "x\n")
        self.assertEqual([file.read_text(encoding="ascii") for file in tasks], ["0", "0"])
        tasks[0].unlink()
        self.fails("join resctrl group", "exec", one, "probe", "echo", "x", status=255)
        tasks[1].unlink()
        self.ok("delete", "--force", one)
        self.assertFalse((classes / "gold/mon_groups/c1").exists())
        self.assertTrue((classes / "gold").is_dir())

    def test_bad_groups_are_refused(self):
        for flags in (["x"], ["../.."], ["nope:x"], [":x"], ["pids:x", "pids:x"], ["a", "b"], ["pids:.."], ["pids:x:y"]):
            with self.subTest(flags):
                run = self.call("exec", *(word for flag in flags for word in ("--cgroup", flag)), self.one, "probe", "ids")
                self.assertEqual((run.returncode, run.stdout), (255, ""))
                if IS_COVEY:
                    self.assertIn("--cgroup", run.stderr)

    def test_a_process_file(self):
        file = self.process_file("probe", "state", user={"uid": 12, "gid": 34, "additionalGids": [56]}, cwd="/tmp",
                                 env=["PATH=/bin", "A=b"], noNewPrivileges=True)
        state = json.loads(self.ok("exec", "--process", file, self.one).stdout)
        self.assertEqual((state["uid"], state["gid"], state["groups"]), (12, 34, [56]))
        self.assertEqual((state["cwd"], state["noNewPrivs"]), ("/tmp", True))
        self.assertIn("A=b", state["env"])
        self.assertEqual(state["caps"]["effective"], "0" * 16)

    def test_flags(self):
        state = self.state_of("--user", "5:6", "--cwd", "/tmp", "--env", "X=1", "--env", "Y=2", "-g", "7", "--cap", "CAP_CHOWN",
                              "--no-new-privs")
        self.assertEqual((state["uid"], state["gid"], state["cwd"]), (5, 6, "/tmp"))
        self.assertEqual(state["groups"], [7])
        self.assertLess({"X=1", "Y=2"}, set(state["env"]))
        self.assertEqual(int(state["caps"]["bounding"], 16) & 1, 1)

    def test_an_added_capability_is_not_inherited(self):
        """CVE-2022-29162. Seen failing while --cap also went to the inheritable and ambient sets."""
        caps = self.state_of("--cap", "CAP_CHOWN")["caps"]
        for name in ("bounding", "permitted", "effective"):
            self.assertEqual(int(caps[name], 16) & 1, 1, name)
        self.assertEqual((int(caps["inheritable"], 16), int(caps["ambient"], 16)), (0, 0))

    def test_one_variable_replaces_one(self):
        env = self.state_of("--env", "TERM=vt100")["env"]
        self.assertEqual([entry for entry in env if entry.startswith("TERM=")], ["TERM=vt100"])
        self.assertIn("PATH=/bin", env)

    @only_covey("runc passes a word without = on as it is")
    def test_a_variable_without_a_value_is_refused(self):
        self.fails("environment variable 1 of 1 is not NAME=VALUE", "exec", "--env", "NOPE", self.one, "probe", status=255)

    @only_covey("runc 1.1 says: malformed")
    def test_a_user_of_three_parts_is_refused(self):
        self.fails("flag --user: '1:2:3' is not UID or UID:GID", "exec", "--user", "1:2:3", self.one, "probe", status=255)

    def test_no_descriptor_of_the_host_gets_in(self):
        self.assertEqual([entry["fd"] for entry in self.state_of()["fds"]], [0, 1, 2])

    def test_detached_with_a_pid_file_and_the_exit_status_by_wait(self):
        path = self.folder / "pid"
        file = self.process_file("probe", "exit", "5")
        self.ok("exec", "--process", file, "--detach", "--pid-file", str(path), self.one)
        self.assertEqual(self.wait_exit(int(path.read_text(encoding="ascii"))), 5)

    def test_a_stopped_container_is_refused_with_255(self):
        self.ok("kill", self.one, "9")
        self.wait_exit(self.pid)
        self.fails("cannot exec in a stopped container", "exec", self.one, "probe", status=255)

    def test_what_cannot_be_run_is_255(self):
        run = self.call("exec", self.one, "nope")
        self.assertEqual(run.returncode, 255)
        self.assertIn("executable file not found in $PATH", run.stderr)
        self.assertEqual(self.call("exec", self.one).returncode, 255)

    def test_a_console_socket(self):
        console = ConsoleSocket(self.folder)
        file = self.process_file("probe", "tty", terminal=True, consoleSize={"height": 12, "width": 34})
        path = self.folder / "pid"
        self.ok("exec", "--pid-file", str(path), "--process", file, "--detach", "--tty", "--console-socket", console.path,
                self.one)
        master = console.take()
        shown = json.loads(read_until(master, b"}"))
        os.close(master)
        self.assertTrue(shown["tty"])
        self.assertTrue(shown["name"].startswith("/dev/pts/"))
        if IS_COVEY:  # runc 1.1 sets the size of create's terminal only
            self.assertEqual((shown["rows"], shown["columns"]), (12, 34))
        self.wait_exit(int(path.read_text(encoding="ascii")))

    def foreground(self, *words):
        """A command on a terminal of its own, as a person's shell has it: its process and our side."""
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(RUNTIME, [RUNTIME, "--root", self.root, *words], self.env)
        return pid, master

    def test_a_terminal_in_the_foreground(self):
        pid, master = self.foreground("exec", "--tty", self.one, "probe", "tty", "--", "cat")
        self.assertIn(b'"tty":true', read_until(master, b"}"))
        os.write(master, b"typed\r")
        self.assertEqual(read_until(master, b"typed\r\ntyped").count(b"typed"), 2)
        os.write(master, b"\x04")
        self.assertEqual(self.wait_exit(pid), 0)
        os.close(master)

    @only_covey("runc gives the same, and wants a terminal of the caller's for it")
    def test_what_is_captured_of_a_terminal_ends_its_lines_as_they_were_written(self):
        """As with runc; crun 1.8 gives \\r\\n."""
        for words in (["exec", "-t", self.one, "probe", "echo", "a", "--", "echo", "b"],):
            self.assertEqual(self.ok(*words).stdout, "a\nb\n")
        one, bundle = self.bundle("probe", "echo", "a", "--", "echo", "b", terminal=True)
        self.assertEqual(self.ok("run", "--bundle", bundle, one).stdout, "a\nb\n")

    @only_covey("how runc leaves the caller's terminal meanwhile is its own business")
    def test_the_callers_terminal_still_shows_lines(self):
        leader, follower = pty.openpty()
        run = subprocess.Popen([RUNTIME, "--root", self.root, "exec", "-t", self.one, "probe", "echo", "a"],
                               stdin=follower, stdout=follower, stderr=follower, env=self.env)
        os.close(follower)
        self.assertEqual(read_to_end(leader), b"a\r\n")
        self.assertEqual(run.wait(20), 0)
        os.close(leader)

    def test_an_added_capability_is_ambient_where_it_is_inheritable(self):
        """As with runc 1.4: another user's program has it then."""
        sets = {name: ["CAP_KILL", "CAP_AUDIT_WRITE"] for name in ("bounding", "permitted", "inheritable", "effective")}
        one, _ = self.start("probe", "sleep", "forever", capabilities=sets, user={"uid": 1000, "gid": 1000})
        caps = json.loads(self.ok("exec", "--cap", "CAP_KILL", "--cap", "CAP_SYS_TIME", one, "probe", "state").stdout)["caps"]
        if IS_COVEY:  # runc 1.1 makes none ambient
            self.assertEqual(int(caps["ambient"], 16), 1 << 5)
            self.assertEqual(int(caps["effective"], 16), 1 << 5)

    def test_the_terminals_size_follows(self):
        import fcntl
        import termios
        pid, master = self.foreground("exec", "-t", self.one, "probe", "sleep", "0.5", "--", "tty")
        time.sleep(0.2)
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
        self.assertIn(b'"rows":31,"columns":97', read_until(master, b"}"))
        self.wait_exit(pid)
        os.close(master)

    def test_nobody_inside_types_into_the_operators_terminal(self):
        """CVE-2016-10124, CVE-2017-5226: TIOCSTI. Seen failing without the setsid() of lib/launch/init.cpp: the letter was
        typed."""
        typed = ("probe", "syscall", "16", "0", "0x5412", "@x")  # ioctl(0, TIOCSTI, "x")
        # Long enough for what was typed to be echoed.
        pid, master = self.foreground("exec", self.one, *typed, "--", "sleep", "0.3")
        shown = read_to_end(master)
        self.assertEqual(self.wait_exit(pid), 0)
        os.close(master)
        self.assertIn(shown.split()[0], (b"EPERM", b"EIO"), shown)
        self.assertNotIn(b"x", shown)

    def test_signals_reach_it(self):
        with open(self.folder / "out", "w+b") as out:
            run = subprocess.Popen([RUNTIME, "--root", self.root, "exec", self.one, "probe", "signals", "1"], stdout=out,
                                   stderr=out, env=self.env)
            wait_for(lambda: b"ready" in (self.folder / "out").read_bytes(), what="the start")
            run.send_signal(signal.SIGUSR2)
            self.assertEqual(run.wait(10), 0)

    @only_covey("runc 1.1 protects its children alone")
    def test_the_commands_file_cannot_be_written_by_what_is_inside(self):
        """CVE-2019-5736: who holds the command's /proc/<pid>/exe must not own the host's file when it has ended.
        Seen failing with runc 1.1, which protects its children alone: the open succeeds."""
        with open(self.folder / "out", "w+b") as out:
            run = subprocess.Popen([RUNTIME, "--root", self.root, "exec", self.one, "probe", "signals", "1"], env=self.env,
                                   stdout=out, stderr=out)
            wait_for(lambda: b"ready" in (self.folder / "out").read_bytes(), what="the start")
            held = os.open(f"/proc/{run.pid}/exe", os.O_PATH)
            run.terminate()
            self.assertEqual(run.wait(10), 0)
        try:
            for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
                with self.assertRaises(OSError) as refused:
                    os.close(os.open(f"/proc/self/fd/{held}", flags))
                self.assertIn(refused.exception.errno, self.refusals)
        finally:
            os.close(held)


def in_user_namespace(size):
    def change(config):
        config["linux"]["namespaces"].append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            config["linux"][kind] = [{"containerID": 0, "hostID": 200000, "size": size}]
    return change


class Streams(OciTest):
    """A program may open /dev/stdout anew, whoever it runs as: docker's images log that way."""
    REOPEN = ("probe", "open", "/proc/self/fd/1", "w", "--", "open", "/proc/self/fd/0", "--", "open", "/proc/self/fd/2", "w")

    def piped(self, *words):
        read, write = os.pipe()
        try:
            run = subprocess.run([RUNTIME, "--root", self.root, *words], stdin=read, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=self.env, cwd=self.folder, timeout=20, check=False, text=True)
        finally:
            os.close(read)
            os.close(write)
        return run

    def test_pipes_are_the_users(self):
        for change in (None, in_user_namespace(65536)):
            with self.subTest(user_namespace=bool(change)):
                one, bundle = self.bundle(*self.REOPEN, user={"uid": 1000, "gid": 1000}, change=change)
                run = self.piped("run", "--bundle", bundle, one)
                self.assertEqual(run.stdout, "ok\n" * 3, run.stderr)
                two, pid = self.start("probe", "sleep", "forever", user={"uid": 1000, "gid": 1000}, change=change)
                run = self.piped("exec", two, *self.REOPEN)
                self.assertEqual(run.stdout, "ok\n" * 3, run.stderr)
                self.ok("kill", two, "9")
                self.wait_exit(pid)

    @only_covey("runc gives away the host's files too")
    def test_a_file_of_the_host_stays_whose_it_is(self):
        one, bundle = self.bundle("probe", "ids", user={"uid": 1000, "gid": 1000})
        with open(self.folder / "out", "w+b") as out, open("/dev/null", "rb") as null:
            subprocess.run([RUNTIME, "--root", self.root, "run", "--bundle", bundle, one], stdin=null, stdout=out,
                           stderr=out, env=self.env, cwd=self.folder, timeout=20, check=True)
            self.assertEqual((os.fstat(out.fileno()).st_uid, os.stat("/dev/null").st_uid), (0, 0))


class Terminals(OciTest):
    def test_a_user_namespace_without_group_5(self):
        console = ConsoleSocket(self.folder)
        one, pid = self.create("probe", "tty", terminal=True, change=in_user_namespace(1), flags=("--console-socket", console.path))
        master = console.take()
        self.ok("start", one)
        self.assertTrue(json.loads(read_until(master, b"}"))["tty"])
        self.assertEqual(self.wait_exit(pid), 0)
        os.close(master)

    def test_create_sends_the_master_to_the_console_socket(self):
        console = ConsoleSocket(self.folder)
        one, pid = self.create("probe", "tty", terminal=True, consoleSize={"height": 40, "width": 90},
                               flags=("--console-socket", console.path))
        master = console.take()
        self.ok("start", one)
        shown = json.loads(read_until(master, b"}"))
        self.assertEqual((shown["tty"], shown["rows"], shown["columns"]), (True, 40, 90))
        self.assertEqual(self.wait_exit(pid), 0)
        os.close(master)

    def test_with_a_terminal_nothing_of_the_callers_streams_is_held_at_the_gate(self):
        """containerd reads create's output to its end: docker run -it hung when init kept it open."""
        console = ConsoleSocket(self.folder)
        one, bundle = self.bundle("probe", "sleep", "forever", terminal=True)
        run = subprocess.run([RUNTIME, "--root", self.root, "create", "--bundle", bundle, "--console-socket", console.path, one],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env,
                             timeout=10, check=False)
        os.close(console.take())
        self.assertEqual((run.returncode, run.stdout), (0, b""))

    def test_a_terminal_without_a_console_socket_is_refused(self):
        one, bundle = self.bundle("probe", terminal=True)
        self.fails("without setting console socket", "create", "--bundle", bundle, one)

    def test_many_terminals_reach_their_console_sockets(self):
        """Launcher and init report by two channels, and either may be heard first: with other load one of a hundred had no
        terminal once."""
        load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(4)]
        try:
            for number in range(30):
                console = ConsoleSocket(self.folder, f"console.{number}")
                one, bundle = self.bundle("probe", "exit", "0", terminal=True)
                self.ok("run", "-d", "--bundle", bundle, "--console-socket", console.path, one)
                os.close(console.take())
                self.ok("delete", "-f", one)
                reap()
        finally:
            for process in load:
                process.kill()
                process.wait()

    def test_a_console_socket_without_a_terminal_is_refused(self):
        console = ConsoleSocket(self.folder)
        one, bundle = self.bundle("probe")
        self.fails("cannot use console socket", "create", "--bundle", bundle, "--console-socket", console.path, one)
        console.socket.close()

    def test_nobody_listens_on_the_console_socket(self):
        console = ConsoleSocket(self.folder)
        console.socket.close()
        one, bundle = self.bundle("probe", terminal=True)
        run = self.call("create", "--bundle", bundle, "--console-socket", console.path, one)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(self.groups(), [])


if __name__ == "__main__":
    main()
