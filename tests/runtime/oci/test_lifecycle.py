"""create, start, state, kill, delete, run, list: what callers rely on (words, exit statuses, files)."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from oci import IS_COVEY, RUNTIME, OciTest, alive, main, namespace, only_covey, reap, wait_for


class Lifecycle(OciTest):
    def test_a_whole_life(self):
        one, pid = self.create("probe", "sleep", "forever")
        state = self.state(one)
        self.assertEqual((state["id"], state["status"], state["pid"]), (one, "created", pid))
        self.assertEqual(state["bundle"], str(self.folder / one))
        self.assertEqual(state["rootfs"], str(self.rootfs))
        self.assertRegex(state["ociVersion"], r"^1\.")
        self.assertRegex(state["created"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertEqual(set(state), {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"})
        self.ok("start", one)
        self.assertEqual(self.status(one), "running")
        self.ok("kill", one, "KILL")
        self.assertEqual(self.wait_exit(pid), -signal.SIGKILL)
        state = self.state(one)
        self.assertEqual((state["status"], state["pid"]), ("stopped", 0))
        self.ok("delete", one)
        self.fails("does not exist", "state", one)

    @only_covey("runc leaves the groups above")
    def test_groups_above_a_relative_path_go_with_the_container_that_made_them(self):
        name = f"covey-oci-above-{os.getpid()}"

        def above():
            return sorted(str(path) for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}*"))

        def at(path):
            return lambda config: config["linux"].update(cgroupsPath=path)
        one, _ = self.create("probe", "sleep", "forever", change=at(f"{name}/deep/c1"))
        two, _ = self.create("probe", "sleep", "forever", change=at(f"{name}/deep/c2"))
        self.assertTrue(above())
        self.ok("delete", "--force", one)
        self.assertTrue(above(), "another container is below")
        self.ok("delete", "--force", two)
        self.assertEqual(above(), [])

    @only_covey("runc leaves the groups above")
    def test_groups_above_that_were_there_stay(self):
        parent = pathlib.Path("/sys/fs/cgroup/pids") / f"covey-oci-there-{os.getpid()}"
        if not parent.parent.is_dir():
            self.skipTest("no v1 hierarchy")
        parent.mkdir()
        try:
            one, _ = self.create("probe", "sleep", "forever",
                                 change=lambda config: config["linux"].update(cgroupsPath=f"{parent.name}/c1"))
            self.ok("delete", "--force", one)
            self.assertTrue(parent.is_dir())
            others = [path for path in pathlib.Path("/sys/fs/cgroup").glob(f"*/{parent.name}") if path != parent]
            self.assertEqual(others, [])
        finally:
            parent.rmdir()

    def test_init_is_the_callers_child_and_its_status_reaches_the_caller(self):
        one, pid = self.create("probe", "exit", "23")
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            self.assertEqual(int(file.read().rpartition(")")[2].split()[1]), os.getpid())
        self.ok("start", one)
        self.assertEqual(self.wait_exit(pid), 23)

    def test_the_pid_file_holds_digits_only_and_is_never_half_written(self):
        one, bundle = self.bundle("probe", "sleep", "forever")
        path = self.folder / "pid"
        self.ok("create", "--bundle", bundle, "--pid-file", str(path), one)
        self.assertRegex(path.read_text(encoding="ascii"), r"\A\d+\Z")
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("pid")], ["pid"])

    def test_a_bundle_is_the_working_directory_by_default(self):
        one, bundle = self.bundle("probe", "echo", "here")
        self.assertEqual(self.ok("run", one, cwd=bundle).stdout, "here\n")

    def test_an_id_is_taken_once(self):
        one, _ = self.create("probe", "sleep", "forever")
        run = self.call("create", "--bundle", str(self.folder / one), one)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, "container with (given )?ID already exists")
        self.assertEqual(self.status(one), "created")

    def test_the_id_of_a_deleted_container_may_be_used_again(self):
        one, _ = self.create("probe", "sleep", "forever")
        for _ in range(2):
            self.ok("delete", "--force", one)
            self.ok("create", "--bundle", str(self.folder / one), one)
            self.assertEqual(self.status(one), "created")

    def test_start_is_for_created_containers(self):
        one, pid = self.start("probe", "sleep", "forever")
        self.fails("cannot start an already running container", "start", one)
        self.ok("kill", one, "9")
        self.wait_exit(pid)
        self.fails("cannot start a container that has stopped", "start", one)
        self.fails("does not exist", "start", "nobody")

    def test_a_created_container_is_deleted_without_force_and_a_running_one_is_not(self):
        one, _ = self.create("probe", "sleep", "forever")
        self.ok("delete", one)
        two, pid = self.start("probe", "sleep", "forever")
        self.fails("that is not stopped: running", "delete", two)
        self.assertTrue(alive(pid))
        self.ok("delete", "--force", two)
        self.assertFalse(alive(pid))

    def start_without_first_thread(self):
        """Its first thread has ended, and another goes on."""
        one, pid = self.start("probe", "undying")
        wait_for(lambda: not alive(pid), 10, "the first thread's end")
        return one, pid

    @only_covey("runc takes a process for ended whose first thread is")
    def test_a_process_whose_first_thread_has_ended_runs_and_is_ended(self):
        one, pid = self.start_without_first_thread()
        self.assertEqual(self.state(one)["status"], "running")
        self.fails("that is not stopped: running", "delete", one)
        self.ok("kill", "--all", one, "KILL")
        self.wait_exit(pid)
        self.assertEqual(self.state(one)["status"], "stopped")
        self.ok("delete", one)
        two, pid = self.start_without_first_thread()
        self.ok("delete", "--force", two)
        self.wait_exit(pid)

    @only_covey("runc says what its own process read: EOF")
    def test_a_memory_limit_in_which_no_launch_fits_is_told_by_name(self):
        """Seen failing before: "the launcher ended without a word"."""
        def little(config):
            config["linux"]["resources"] = {"memory": {"limit": 65536}}
        one, bundle = self.bundle("probe", "exit", "0", change=little)
        self.fails("memory.limit", "create", "--bundle", bundle, one)

    @only_covey("runc waits for 10 s and fails")
    def test_an_execd_process_that_nobody_waits_for_holds_up_no_delete(self):
        """Its parent is this process, which was to wait. The kernel keeps number 1 of the PID namespace for it."""
        for is_killed in (False, True):
            one, pid = self.start("probe", "sleep", "forever")
            file = self.folder / "exec.pid"
            self.ok("exec", "-d", "--pid-file", str(file), one, "probe", "sleep", "forever")
            if is_killed:
                os.kill(int(file.read_text(encoding="ascii")), signal.SIGKILL)
            start = time.monotonic()
            self.ok("delete", "-f", one)
            self.assertLess(time.monotonic() - start, 4)
            self.assertFalse(os.path.exists(f"{self.root}/{one}"))
            self.assertEqual(self.groups(), [])
            reap()
            wait_for(lambda: not alive(pid), what="the end of init")
            reap()

    def test_delete_force_of_nobody_succeeds_and_delete_does_not(self):
        self.ok("delete", "--force", "nobody")
        self.ok("delete", "-f", "nobody")
        self.fails("does not exist", "delete", "nobody")
        self.fails("does not exist", "kill", "nobody", "9")

    def test_run_in_the_foreground_exits_with_the_status_and_leaves_nothing(self):
        one, bundle = self.bundle("probe", "exit", "42")
        self.assertEqual(self.call("run", "--bundle", bundle, one).returncode, 42)
        self.fails("does not exist", "state", one)

    def test_run_keep(self):
        one, bundle = self.bundle("probe", "exit", "0")
        self.ok("run", "--keep", "-b", bundle, one)
        self.assertEqual(self.status(one), "stopped")

    def test_run_detached(self):
        one, bundle = self.bundle("probe", "sleep", "forever")
        self.ok("run", "-d", "--bundle", bundle, "--pid-file", str(self.folder / "p"), one)
        state = self.state(one)
        self.assertEqual(state["status"], "running")
        self.assertEqual((self.folder / "p").read_text(encoding="ascii"), str(state["pid"]))

    def test_run_passes_signals_on(self):
        one, bundle = self.bundle("probe", "signals", "1")
        with open(self.folder / "out", "w+b") as out:
            run = subprocess.Popen(["setsid", self.runtime(), "--root", self.root, "run", "--bundle", bundle, one],
                                   stdout=out, stderr=out, env=self.env)
            wait_for(lambda: b"ready" in (self.folder / "out").read_bytes(), what="the container's start")
            run.send_signal(signal.SIGUSR1)
            self.assertEqual(run.wait(10), 0)
        self.assertIn(b"SIGUSR1", (self.folder / "out").read_bytes().replace(b"USR1", b"SIGUSR1"))

    @staticmethod
    def runtime():
        from oci import RUNTIME
        return RUNTIME

    def test_signals_by_name_and_number(self):
        one, pid = self.start("probe", "signals", "5")

        def takes_the_next():
            """The probe sleeps nowhere but in sigwait; of two that are pending at a time one is lost."""
            process = pathlib.Path(f"/proc/{pid}")
            fields = dict(line.split(":\t") for line in (process / "status").read_text(encoding="ascii").splitlines())
            is_probe = b"signals" in (process / "cmdline").read_bytes()
            return is_probe and fields["State"].startswith("S") and not int(fields["ShdPnd"], 16)
        for signal_name in ("HUP", "SIGHUP", "hup", "1"):
            wait_for(takes_the_next, what="the probe's wait for a signal")
            self.ok("kill", one, signal_name)
        wait_for(takes_the_next, what="the probe's wait for a signal")
        self.ok("kill", one)  # TERM
        self.assertEqual(self.wait_exit(pid), 0)

    def test_an_unknown_signal_is_refused(self):
        one, _ = self.create("probe", "sleep", "forever")
        run = self.call("kill", one, "SIGKIL")
        self.assertEqual(run.returncode, 1)
        self.assertIn("unknown signal", run.stderr)
        if IS_COVEY:
            self.assertIn("SIGKILL", run.stderr)

    def test_kill_of_a_dead_init(self):
        one, pid = self.start("probe", "exit", "0")
        self.wait_exit(pid)
        self.fails("container not running", "kill", one, "9")
        for _ in range(3):
            self.ok("kill", "--all", one, "9")
        self.ok("kill", "-a", one, "KILL")

    def test_annotations_are_in_the_state(self):
        one, _ = self.create("probe", "sleep", "forever", change=lambda c: c.update(annotations={"a.b/c": "d"}))
        self.assertEqual(self.state(one)["annotations"], {"a.b/c": "d"})

    def test_list(self):
        one, pid = self.create("probe", "sleep", "forever")
        listed = json.loads(self.ok("list", "--format=json").stdout)
        self.assertEqual([(entry["id"], entry["pid"], entry["status"]) for entry in listed], [(one, pid, "created")])
        self.assertEqual(self.ok("list", "-q").stdout, f"{one}\n")
        table = self.ok("list").stdout.splitlines()
        self.assertEqual(table[0].split(), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])
        self.assertEqual(table[1].split()[:3], [one, str(pid), "created"])

    def test_streams_are_inherited(self):
        one, bundle = self.bundle("probe", "cat")
        source = self.folder / "in"
        source.write_text("through\n", encoding="ascii")
        with open(source, "rb") as stdin:
            self.assertEqual(self.ok("run", "--bundle", bundle, one, stdin=stdin).stdout, "through\n")

    def test_no_pivot(self):
        one, bundle = self.bundle("probe", "ls", "/")
        names = json.loads(self.ok("run", "--no-pivot", "--bundle", bundle, one).stdout)
        self.assertIn("bin", names)
        self.assertNotIn("usr", names)

    def test_a_session_keyring_of_its_own(self):
        def keyring(*flags):  # keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)
            one, bundle = self.bundle("probe", "syscall", "250", "0", str(2**64 - 3), "0")
            return self.ok("run", *flags, "--bundle", bundle, one).stdout
        self.assertNotEqual(keyring(), keyring())
        self.assertEqual(keyring("--no-new-keyring"), keyring("--no-new-keyring"))

    def test_preserved_descriptors_and_no_others(self):
        one, bundle = self.bundle("probe", "state")
        read, write = os.pipe()
        low, lower = os.dup2(read, 3), os.dup2(write, 4)
        try:
            run = self.ok("run", "--preserve-fds", "1", "--bundle", bundle, one, pass_fds=(low, lower))
        finally:
            for fd in {read, write, low, lower}:
                os.close(fd)
        self.assertEqual([entry["fd"] for entry in json.loads(run.stdout)["fds"]], [0, 1, 2, 3])

    def test_descriptors_of_a_socket_activation_go_to_the_program(self):
        """sd_listen_fds(3): 3 and up, and the variables name the container's process 1."""
        ends = os.pipe()
        try:
            one, bundle = self.bundle("probe", "state")
            text = (f'exec 3<&{ends[0]} 4>&{ends[1]}; LISTEN_FDS=2 LISTEN_PID=$$ exec {RUNTIME} --root {self.root} run --bundle {bundle} {one}')
            run = subprocess.run(["sh", "-c", text], env=self.env, pass_fds=ends, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, check=False)
            self.assertEqual(run.returncode, 0, run.stderr)
            state = json.loads(run.stdout)
            variables = [one for one in state["env"] if one.startswith("LISTEN_")]
            self.assertEqual(sorted(variables), ["LISTEN_FDS=2", "LISTEN_PID=1"])
            self.assertEqual([entry["fd"] for entry in state["fds"]], [0, 1, 2, 3, 4])
        finally:
            for end in ends:
                os.close(end)

    def test_a_shared_pid_namespace_dies_through_the_cgroup_and_the_sibling_lives(self):
        sandbox, sandbox_pid = self.start("probe", "sleep", "forever")
        join = f"/proc/{sandbox_pid}/ns/pid"
        one, pid = self.start("probe", "daemonise", "sleep", "forever", "--", "sleep", "2",
                              change=lambda c: namespace(c, "pid", join))
        group = next(path / "main" for path in self.groups() if path.name == one and (path / "main").is_dir())
        both = lambda: len((group / "cgroup.procs").read_text().split()) == 2
        wait_for(both, what="the daemon beside its parent")
        members = {int(number) for number in (group / "cgroup.procs").read_text().split()}
        self.assertEqual(len(members), 2, members)
        self.assertEqual(self.wait_exit(pid), 0)
        self.assertEqual(self.status(one), "stopped")
        for _ in range(3):
            self.ok("kill", "--all", one, "9")
        wait_for(lambda: not any(alive(member) for member in members), what="the end of what was left")
        self.assertTrue(alive(sandbox_pid))
        self.ok("delete", one)
        self.ok("delete", "--force", one)
        self.assertEqual(self.status(sandbox), "running")

    def test_the_hosts_pid_namespace(self):
        one, pid = self.start("probe", "daemonise", "sleep", "forever", "--", "exit", "0",
                              change=lambda c: namespace(c, "pid", None))
        self.assertEqual(self.wait_exit(pid), 0)
        self.ok("kill", "--all", one, "9")
        self.ok("delete", one)

    @only_covey("runc has no registry")
    def test_the_registry_knows_it_while_it_is_there(self):
        one, _ = self.create("probe", "sleep", "forever")
        links = list(self.registry.iterdir())
        self.assertEqual(len(links), 1)
        body = json.loads(links[0].read_text(encoding="utf-8"))["body"]
        self.assertEqual(body, {"root": self.root, "id": one})
        self.ok("delete", "--force", one)
        self.assertEqual(list(self.registry.iterdir()), [])

    @only_covey("runc is found through its own file's name")
    def test_the_state_is_not_the_hosts_business(self):
        self.create("probe", "sleep", "forever")
        self.assertEqual(os.stat(self.root).st_mode & 0o777, 0o700)
        os.chmod(self.root, 0o777)
        self.fails("can be written by", "list")
        os.chmod(self.root, 0o700)


class Words(OciTest):
    def test_version(self):
        lines = self.ok("--version").stdout.splitlines()
        self.assertRegex(lines[0], r"^\S+ version \d+\.\d+\.\d+")
        self.assertTrue(any(re.match(r"^spec: 1\.", line) for line in lines))
        if IS_COVEY:
            self.assertEqual(sum("version" in line for line in lines), 1)
            self.assertRegex(lines[1], "^commit: ([0-9a-f]{7,}|unknown)$")

    @only_covey("runc has checkpoint")
    def test_probes_of_callers(self):
        self.assertNotEqual(self.call("checkpoint", "--help").returncode, 0)
        self.assertNotEqual(self.call("restore", "--help").returncode, 0)

    @only_covey("runc's features are older")
    def test_features(self):
        features = json.loads(self.ok("features").stdout)
        self.assertTrue(features["ociVersionMin"] and features["ociVersionMax"])
        self.assertIn("rro", features["mountOptions"])
        self.assertIn("enabled", features["linux"]["mountExtensions"]["idmap"])

    @only_covey("runc's features are older")
    @only_covey("runc 1.1 has another schema")
    def test_features_name_all_that_is_built(self):
        """Every name is one that create takes; each section of features.md is there."""
        features = json.loads(self.ok("features").stdout)
        linux = features["linux"]
        self.assertEqual(set(features["hooks"]), {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"})
        self.assertEqual(features["potentiallyUnsafeConfigAnnotations"],
                         ["covey.dev/access", "covey.dev/access.", "covey.dev/pid", "covey.dev/pid.", "org.systemd.property."])
        namespaces = {"pid": "pid", "network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "user": "user", "cgroup": "cgroup",
                      "time": "time"}
        self.assertEqual({namespaces[name] for name in linux["namespaces"]},
                         {name for name in os.listdir("/proc/self/ns") if not name.endswith("_for_children")})
        last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
        self.assertEqual(len(linux["capabilities"]), last + 1)
        self.assertEqual(linux["capabilities"][21], "CAP_SYS_ADMIN")
        mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
        self.assertEqual(linux["cgroup"]["v1"], " cgroup rw" in mounts)
        self.assertEqual(linux["cgroup"]["v2"], " cgroup2 rw" in mounts)
        controllers = {line.split()[0] for line in pathlib.Path("/proc/cgroups").read_text(encoding="ascii").splitlines()[1:]}
        self.assertEqual(linux["cgroup"]["rdma"], "rdma" in controllers)
        self.assertIs(linux["seccomp"]["enabled"], True)
        self.assertEqual(set(linux["seccomp"]["operators"]),
                         {f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")})
        self.assertIn("SCMP_ARCH_X86_64" if os.uname().machine == "x86_64" else "SCMP_ARCH_AARCH64", linux["seccomp"]["archs"])
        self.assertEqual(linux["intelRdt"], {"enabled": True, "schemata": True, "monitoring": True})  # built in, whatever the host has
        self.assertEqual(linux["netDevices"], {"enabled": True})
        self.assertLessEqual({"MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_PREFERRED", "MPOL_LOCAL"},
                             set(linux["memoryPolicy"]["modes"]))
        self.assertIn("MPOL_F_STATIC_NODES", linux["memoryPolicy"]["flags"])
        self.assertEqual(features["ociVersionMax"], "1.3.0")

    def test_features_of_security_modules_and_of_seccomp(self):
        """features-linux.md: "enabled" is what is built in; what this kernel has on stands in the annotations."""
        features = json.loads(self.ok("features").stdout)
        modules = pathlib.Path("/sys/module/apparmor/parameters/enabled")
        on = {"apparmor": modules.is_file() and modules.read_text(encoding="ascii").startswith("Y"),
              "selinux": pathlib.Path("/sys/fs/selinux/enforce").is_file()}
        for name, is_on in on.items():
            self.assertIs(features["linux"][name]["enabled"], True)
            self.assertEqual(features["annotations"][f"dev.covey.kernel.{name}"], str(is_on).lower())
        seccomp = features["linux"]["seccomp"]
        available = pathlib.Path("/proc/sys/kernel/seccomp/actions_avail").read_text(encoding="ascii").split()
        self.assertEqual("SCMP_ACT_NOTIFY" in seccomp["actions"], "user_notif" in available)
        self.assertIn("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", seccomp["knownFlags"])
        self.assertIn("SECCOMP_FILTER_FLAG_LOG", seccomp["supportedFlags"])

    def test_spec_can_be_run(self):
        folder = self.folder / "fresh"
        folder.mkdir()
        self.ok("spec", cwd=folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["process"].update(terminal=False, args=["probe", "echo", "hello"])
        config["process"]["env"] = ["PATH=/bin"]
        config["root"]["path"] = str(self.rootfs)
        config["linux"]["cgroupsPath"] = f"{self.group}/fresh"
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        self.ids.append("fresh")
        self.assertEqual(self.ok("run", "fresh", cwd=folder).stdout, "hello\n")
        self.assertNotEqual(self.call("spec", "--bundle", str(folder)).returncode, 0)

    @only_covey("runc prints its help on stdout as well")
    def test_unknown_flags_and_commands_name_the_nearest(self):
        self.fails("--force", "delete", "--forse", "x")
        self.fails("'start'", "strat", "x")
        self.fails("flag needs an argument", "create", "--bundle")

    def test_programs_that_cannot_be_run(self):
        for program, text in (("/nope", "no such file or directory|executable file not found in \\$PATH"),
                              ("nope", "executable file not found in \\$PATH"),
                              ("/etc/not-a-program", "permission denied"), ("/etc", "permission denied|is a directory")):
            one, bundle = self.bundle(program)
            run = self.call("run", "--bundle", bundle, one)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertRegex(run.stderr, text)

    @only_covey("runc says ENOENT in its own words")
    def test_other_errors_do_not_use_the_words_of_a_missing_program(self):
        def change(config):
            config["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/not/there", "options": ["bind"]})
        one, bundle = self.bundle("probe", change=change)
        run = self.fails("/not/there", "create", "--bundle", bundle, one)
        self.assertNotRegex(run.stderr.lower(), "no such file|not permitted|permission denied")

    def test_one_json_line_in_the_log(self):
        one, bundle = self.bundle("/nope")
        run = self.call("create", "--bundle", bundle, one, globals_=("--log", str(self.log), "--log-format", "json"))
        self.assertEqual(run.returncode, 1)
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        self.assertEqual([line["level"] for line in lines], ["error"])
        self.assertEqual(set(lines[0]), {"level", "msg", "time"})
        self.assertRegex(lines[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")
        if IS_COVEY:
            self.assertIn(lines[0]["msg"], run.stderr)

    def test_no_line_in_the_log_when_all_is_well(self):
        one, bundle = self.bundle("probe", "exit", "0")
        self.ok("run", "--bundle", bundle, one, globals_=("--log", str(self.log), "--log-format", "json"))
        self.assertEqual(self.log.read_text(encoding="utf-8") if self.log.exists() else "", "")


if __name__ == "__main__":
    main()
