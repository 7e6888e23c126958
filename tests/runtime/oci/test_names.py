"""Names on the command line that mean pipes, descriptors and devices: read and written as what they are, or refused before
anything is made."""
import json
import os
import signal
import stat
import subprocess
import threading

from oci import IS_COVEY, RUNTIME, OciTest, main, only_covey


class Names(OciTest):
    def bash(self, line, status=0):
        """A line of bash with the runtime as "$R"."""
        run = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30,
                             env={**self.env, "R": RUNTIME, "ROOT": self.root}, cwd=self.folder, check=False)
        self.assertEqual(run.returncode, status, (line, run.stderr))
        return run.stdout.decode(), run.stderr.decode()

    def process(self, *args):
        return json.dumps({"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}})

    def test_a_process_from_a_pipe(self):
        one, _ = self.start("probe", "sleep", "forever")
        text = self.process("probe", "echo", "hi")
        for line in (f"echo '{text}' | $R --root $ROOT exec -p /dev/stdin {one}", f"$R --root $ROOT exec -p <(echo '{text}') {one}",
                     f"$R --root $ROOT exec --process /dev/fd/7 {one} 7< <(echo '{text}')"):
            self.assertEqual(self.bash(line), ("hi\n", ""))

    @only_covey("an annotation of Covey's")
    def test_a_process_from_a_pipe_into_a_container_with_restricted_access(self):
        one, _ = self.start("probe", "sleep", "forever", change=lambda c: c.update(annotations={"covey.dev/access": "private"}))
        text = self.process("probe", "echo", "hi")
        for line in (f"echo '{text}' | $R --root $ROOT exec -p /dev/stdin {one}", f"$R --root $ROOT exec -p <(echo '{text}') {one}",
                     f"$R --root $ROOT exec --preserve-fds 1 -p <(echo '{text}') {one} 3</dev/null"):
            self.assertEqual(self.bash(line), ("hi\n", ""))

    def test_a_process_file_that_is_a_fifo_or_a_folder(self):
        one, _ = self.start("probe", "sleep", "forever")
        fifo = self.folder / "process.fifo"
        os.mkfifo(fifo)
        writer = threading.Thread(target=lambda: fifo.write_text(self.process("probe", "echo", "hi"), encoding="ascii"))
        writer.start()
        self.assertEqual(self.ok("exec", "-p", str(fifo), one).stdout, "hi\n")
        writer.join()
        run = self.call("exec", "-p", str(self.folder), one)
        self.assertNotEqual(run.returncode, 0)
        if IS_COVEY:
            self.assertIn("--process", run.stderr)

    def test_resources_from_a_pipe(self):
        one, _ = self.start("probe", "sleep", "forever")
        self.bash(f"$R --root $ROOT update -r <(echo '{{\"pids\": {{\"limit\": 77}}}}') {one}")
        self.bash(f"echo '{{\"pids\": {{\"limit\": 77}}}}' | $R --root $ROOT update -r /dev/stdin {one}")

    def test_a_configuration_that_is_a_fifo(self):
        """crun hangs."""
        one, bundle = self.bundle("probe", "echo", "hi")
        config = f"{bundle}/config.json"
        with open(config, encoding="utf-8") as file:
            text = file.read()
        os.unlink(config)
        os.mkfifo(config)

        def write():
            with open(config, "w", encoding="utf-8") as fifo:
                fifo.write(text)
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        self.assertEqual(self.ok("run", "--bundle", bundle, one).stdout, "hi\n")

    def test_a_bundle_by_a_descriptor(self):
        one, bundle = self.bundle("probe", "echo", "hi")
        for name in ("/dev/fd/9", "/proc/self/fd/9"):
            self.assertEqual(self.bash(f"$R --root $ROOT run --bundle {name} {one} 9<{bundle}")[0], "hi\n")

    @only_covey("peers write there what else they have to say")
    def test_a_log_that_is_a_stream_or_a_pipe(self):
        for name, where in (("/dev/stderr", 1), ("/dev/fd/2", 1), ("/dev/stdout", 0)):
            seen = self.bash(f"$R --root $ROOT --log {name} --log-format json state nothing", status=1)[where]
            line = next(line for line in seen.splitlines() if line.startswith("{"))
            self.assertIn("does not exist", json.loads(line)["msg"])
        log = self.folder / "piped"
        for words in ("state nothing", "exec nothing true", f"create --bundle {self.folder} nothing"):
            self.bash(f"$R --root $ROOT --log >(cat > {log}; touch {log}.done) --log-format json {words}; "
                      f"while ! test -e {log}.done; do sleep 0.05; done; rm {log}.done")
            self.assertEqual(json.loads(log.read_text(encoding="utf-8"))["level"], "error", words)
        one, bundle = self.bundle("/no/such/program")
        self.bash(f"$R --root $ROOT --log >(cat > {log}; touch {log}.done) --log-format json create --bundle {bundle} {one}; "
                  f"while ! test -e {log}.done; do sleep 0.05; done")
        self.assertIn("/no/such/program", json.loads(log.read_text(encoding="utf-8"))["msg"])

    def test_descriptors_that_are_named_do_not_get_in(self):
        one, bundle = self.bundle("probe", "ls", "/proc/self/fd")
        seen = self.bash(f"$R --root $ROOT --log /dev/fd/8 run --bundle /dev/fd/9 {one} 9<{bundle} 8>/dev/null 7</etc/passwd")[0]
        self.assertEqual(json.loads(seen), ["0", "1", "2", "3"])  # the last is the folder that is listed

    @only_covey("runc 1.1 replaces whatever it is")
    def test_a_pid_file_over_what_is_no_regular_file(self):
        kinds = {"a device": self.folder / "null", "a FIFO": self.folder / "fifo", "a symlink": self.folder / "link",
                 "a folder": self.folder / "folder", "a socket": None}
        os.mknod(kinds["a device"], 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mkfifo(kinds["a FIFO"])
        kinds["a symlink"].symlink_to(self.folder / "target")
        kinds["a folder"].mkdir()
        del kinds["a socket"]
        one, _ = self.start("probe", "sleep", "forever")
        for kind, path in kinds.items():
            before = os.lstat(path)
            two, bundle = self.bundle("probe")
            run = self.fails(f"--pid-file: {path} is {kind}", "create", "--bundle", bundle, "--pid-file", str(path), two)
            self.assertIn("fix", run.stderr)
            self.fails(kind, "exec", "-d", "--pid-file", str(path), one, "probe", status=255)
            self.assertEqual(os.lstat(path).st_ino, before.st_ino)
        self.assertEqual([group.name for group in {group.name: group for group in self.groups()}.values()], [one])

    @only_covey("runc 1.1 replaces whatever it is")
    def test_a_pid_file_by_a_descriptor(self):
        one, bundle = self.bundle("probe")
        out = self.bash(f"$R --root $ROOT create --bundle {bundle} --pid-file /dev/fd/9 {one} 9>pid", status=1)[1]
        self.assertIn("--pid-file", out)

    def test_a_pid_file_over_a_regular_one(self):
        path = self.folder / "pid"
        path.write_text("12345678901234567890", encoding="ascii")
        one, bundle = self.bundle("probe", "sleep", "forever")
        self.ok("create", "--bundle", bundle, "--pid-file", str(path), one)
        self.assertEqual(int(path.read_text(encoding="ascii")), self.state(one)["pid"])


class Signals(OciTest):
    def test_signal_0_asks_whether_it_is_there(self):
        one, pid = self.start("probe", "sleep", "forever")
        self.ok("kill", one, "0")
        self.assertEqual(self.status(one), "running")
        os.kill(pid, signal.SIGKILL)
        self.wait_exit(pid)
        self.assertEqual(self.call("kill", one, "0").returncode, 1)

    @only_covey("runc takes an empty one for the default")
    def test_no_name_is_near_a_number(self):
        one, _ = self.start("probe", "sleep", "forever")
        for text in ("65", "", "99999999999999999999"):
            run = self.call("kill", one, text)
            self.assertEqual(run.returncode, 1)
            self.assertNotIn("did you mean", run.stderr)
        self.assertEqual(self.status(one), "running")

    @only_covey("runc has handlers of its own language there, which take some of them")
    def test_a_container_that_waits_to_be_started_hears_of_it(self):
        for name in ("TERM", "INT", "HUP", "USR1"):
            one, pid = self.create("probe", "sleep", "forever")
            self.ok("kill", one, name)
            self.wait_exit(pid)
            self.assertEqual(self.status(one), "stopped")
        one, pid = self.create("probe", "sleep", "forever")
        self.ok("kill", one, "WINCH")
        self.assertEqual(self.status(one), "created")

    def test_processes_of_a_stopped_container(self):
        one, pid = self.start("probe", "exit", "0")
        self.wait_exit(pid)
        self.assertIn(json.loads(self.ok("ps", "--format", "json", one).stdout), ([], None))
        self.assertEqual(len(self.ok("ps", one).stdout.splitlines()), 1)
        two, bundle = self.bundle("probe", "exit", "0")
        self.ok("run", "--keep", "--bundle", bundle, two)
        self.assertIn(json.loads(self.ok("ps", "--format", "json", two).stdout), ([], None))

    def test_idle_is_yes_or_no(self):
        one, _ = self.start("probe", "sleep", "forever")
        if IS_COVEY:
            for value in ("-1", "2"):
                self.fails("cpu-idle", "update", "--cpu-idle", value, one)


if __name__ == "__main__":
    main()
