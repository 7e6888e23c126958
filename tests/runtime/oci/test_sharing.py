"""The annotations covey.dev/pid and covey.dev/access: containers of a pod that an engine made, nested or private."""
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import test_exec
from oci import BIN, RUNTIME, ConsoleSocket, main, namespace, only_covey, wait_for
from pods import SANDBOX_ID, TYPE, PodTest

CRIO_ID, CRIO_TYPE = "io.kubernetes.cri-o.SandboxID", "io.kubernetes.cri-o.ContainerType"
# In the order of their numbers (capabilities(7)).
CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST "
    "NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM "
    "BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()]
DEFAULT = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def with_ptrace(config):
    names = [*DEFAULT, "CAP_SYS_PTRACE"]
    config["process"]["capabilities"] = {kind: names for kind in ("bounding", "effective", "permitted")}


@only_covey("runc knows nothing of covey.dev")
class Sharing(PodTest):
    def numbers(self, one):
        """The process numbers that a container's /proc shows."""
        return sorted(int(word) for word in json.loads(self.ok("exec", one, "probe", "ls", "/proc").stdout) if word.isdigit())

    def pid_namespace(self, pid):
        return os.readlink(f"/proc/{pid}/ns/pid")

    def refuses(self, text, annotations, **options):
        one, bundle = self.bundle("probe", change=self.joining(annotations, **options))
        run = self.call("create", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn(text, run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertEqual([group.name for group in self.groups() if group.name != self.pod], [])
        self.assertEqual(os.listdir(self.root), [self.pod])

    def test_nested_by_the_path_that_the_engine_gives(self):
        sibling, _ = self.member("sleep", "forever")
        one, pid = self.member("sleep", "forever", pid="nested")
        self.assertEqual(self.numbers(one)[0], 1)
        self.assertEqual(len(self.numbers(one)), 2)  # init and ls
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid"))
        self.assertEqual((len(numbers), numbers[-1]), (3, "1"))
        # Nothing of the launch is left in the pod: pause, the sibling, the nested one and ls.
        self.assertEqual(len(self.numbers(sibling)), 4)
        self.assertIn(int(numbers[1]), self.numbers(sibling))
        self.assert_nobody_frozen()

    def test_nested_in_the_sandbox_that_the_engine_names(self):
        one, pid = self.start("probe", "sleep", "forever", change=self.joining({"covey.dev/pid": "nested"}, pid="own"))
        self.assertEqual(self.numbers(one)[0], 1)
        self.assertIn("3", [str(len(line.split()) - 1) for line in
                            pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if line.startswith("NSpid")])

    def test_pod_joins_the_sandbox_that_the_engine_names(self):
        _, pid = self.start("probe", "sleep", "forever", change=self.joining({"covey.dev/pid": "pod"}, pid="own"))
        self.assertEqual(self.pid_namespace(pid), self.pid_namespace(self.pod_pid))

    def test_container_drops_the_path(self):
        for kind in ("path", "node"):
            _, pid = self.start("probe", "sleep", "forever", change=self.joining({"covey.dev/pid": "container"}, pid=kind))
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            self.assertRegex(status, rf"NSpid:\t{pid}\t1\n")

    def test_without_annotations_the_specification_decides(self):
        _, pid = self.member("sleep", "forever")
        self.assertEqual(self.pid_namespace(pid), self.pid_namespace(self.pod_pid))
        self.assertRegex(pathlib.Path(f"/proc/{self.pod_pid}/status").read_text(encoding="ascii"), r"NSpid:\t\d+\t1\n")

    def test_one_container_is_named(self):
        named = {"covey.dev/pid": "container", "covey.dev/pid.app": "nested", "covey.dev/access.other": "private"}
        _, app = self.start("probe", "sleep", "forever", change=self.joining({**named, "io.kubernetes.cri.container-name": "app"}))
        _, other = self.start("probe", "sleep", "forever", change=self.joining({**named, "io.kubernetes.cri.container-name": "else"}))
        depth = lambda pid: len(pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").split("NSpid:")[1].split("\n")[0].split())
        self.assertEqual((depth(app), depth(other)), (3, 2))

    def test_what_cannot_be_is_refused(self):
        self.refuses("did you mean 'nested'", {"covey.dev/pid": "neste"})
        self.refuses("did you mean 'private'", {"covey.dev/access.other": "privat"})
        self.refuses("how this one is called", {"covey.dev/access.other": "private"})
        self.refuses("did you mean 'covey.dev/access'", {"covey.dev/acess": "private"})
        self.refuses("unknown annotation covey.dev/pid.", {"covey.dev/pid.": "pod"})
        for mode in ("nested", "pod"):
            self.refuses("the host's PID namespace", {"covey.dev/pid": mode}, pid="node")
            self.refuses("there is no container gone", {"covey.dev/pid": mode, SANDBOX_ID: "gone"}, pid="own")
            self.refuses("which sandbox the pod has", {"covey.dev/pid": mode, SANDBOX_ID: ""}, pid="own")
        host = lambda config: namespace(config, "pid", "/proc/self/ns/pid")
        self.refuses("is the host's PID namespace", {"covey.dev/pid": "nested"}, change=host)
        too_much = lambda config: config["process"].update(capabilities={"bounding": ["CAP_SYS_ADMIN"]})
        self.refuses("CAP_SYS_ADMIN", {"covey.dev/access": "private"}, change=too_much)

    def foreign_pod(self):
        """Another pod's sandbox container, and who is in its PID namespace."""
        victim, pid = self.start("probe", "sleep", "forever", change=lambda c: c.update(
            annotations={TYPE: "sandbox", SANDBOX_ID: f"c{self.number}"}))
        return victim, pid

    def refuses_to_join(self, text, annotations, mode, change=None):
        """Nothing of a launch into `victim`'s pod is left."""
        one, bundle = self.bundle("probe", "sleep", "forever", change=self.joining({**annotations, "covey.dev/pid": mode}, pid="own",
                                                                                   change=change))
        run = self.call("create", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1, "it was made")
        self.assertIn(text, run.stderr)
        self.assertNotIn(one, os.listdir(self.root))

    def test_annotations_of_a_pods_author_do_not_choose_another_pod(self):
        """Seen winning before: the container ran in the victim's PID namespace, by containerd's key beside CRI-O's own."""
        victim, victim_pid = self.foreign_pod()
        own = {CRIO_ID: self.pod, CRIO_TYPE: "container"}
        for mode in ("pod", "nested"):
            self.refuses_to_join("annotations of two engines disagree", {**own, SANDBOX_ID: victim, TYPE: "container"}, mode)
            self.refuses_to_join("annotations of two engines disagree", {"io.container.manager": "libpod", SANDBOX_ID: victim}, mode)
            # Its engine's key itself, as somebody has it who may write any: the namespaces are the own pod's.
            self.refuses_to_join("joins none of its", {SANDBOX_ID: victim}, mode)
            everybodys = lambda config: namespace(config, "ipc", "/proc/self/ns/ipc")
            self.refuses_to_join("joins none of its", {SANDBOX_ID: victim}, mode, change=everybodys)
            theirs = lambda config: namespace(config, "ipc", f"/proc/{victim_pid}/ns/ipc")
            elsewhere = lambda config: (theirs(config), config["linux"].update(cgroupsPath=f"{self.group}/other/x"))
            self.refuses_to_join("of another pod: its cgroupsPath", {SANDBOX_ID: victim}, mode, change=elsewhere)
            self.refuses_to_join("annotations of two engines disagree", {CRIO_ID: victim, CRIO_TYPE: "container", SANDBOX_ID: ""}, mode)
        self.assertEqual(len(self.numbers(victim)), 2)  # init and ls
        self.assert_nobody_frozen()

    def test_only_a_sandbox_of_the_same_engine_is_a_pods(self):
        member, member_pid = self.member("sleep", "forever")
        for mode in ("pod", "nested"):
            theirs = lambda config: namespace(config, "uts", f"/proc/{member_pid}/ns/uts")
            self.refuses_to_join("not a pod's sandbox of the same engine", {SANDBOX_ID: member}, mode, change=theirs)
            crio = lambda config: config.update(annotations={CRIO_ID: self.pod, CRIO_TYPE: "container", "covey.dev/pid": mode})
            self.refuses_to_join("not a pod's sandbox of the same engine", {}, mode, change=crio)

    def test_a_sandbox_in_the_hosts_namespace_leads_nobody_there(self):
        host, host_pid = self.start("probe", "sleep", "forever", change=lambda c: (namespace(c, "pid", None), c.update(
            annotations={TYPE: "sandbox", SANDBOX_ID: f"c{self.number}"})))
        theirs = lambda config: namespace(config, "ipc", f"/proc/{host_pid}/ns/ipc")
        for mode in ("pod", "nested"):
            self.refuses_to_join("is the host's PID namespace", {SANDBOX_ID: host}, mode, change=theirs)

    def test_no_annotation_is_dropped_in_silence(self):
        """Seen before: with the type alone the container was made, open and in a namespace of its own."""
        for forged in ({TYPE: "sandbox"}, {CRIO_TYPE: "sandbox"}, {TYPE: "sandbox", CRIO_ID: self.pod, CRIO_TYPE: "container"}):
            for wish in ({"covey.dev/access": "private"}, {"covey.dev/pid": "nested"}):
                one, bundle = self.bundle("probe", change=lambda c, f=forged, w=wish: c.update(annotations={**f, **w}))
                run = self.call("create", "--bundle", bundle, one)
                self.assertEqual(run.returncode, 1, (forged, wish))
                self.assertRegex(run.stderr, "is about no sandbox container|two engines disagree")

    def test_a_seccomp_agent_is_not_asked_for_a_nested_container(self):
        """Its listener would have to pass the privileged process between. The same configuration is refused for nothing
        else: seen failing with the refusal taken out (plan/seccomp.cpp)."""
        def asking(config):
            config["linux"]["seccomp"] = {
                "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(self.folder / "agent.sock"),
                "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
        self.refuses("linux/seccomp: a seccomp agent (SCMP_ACT_NOTIFY) in pid mode nested", {"covey.dev/pid": "nested"},
                     change=asking)
        self.refuses("start the agent", {"covey.dev/pid": "container"}, change=asking)

    def test_a_sandbox_that_has_ended_is_refused(self):
        self.ok("kill", self.pod, "KILL")
        self.wait_exit(self.pod_pid)
        self.refuses("is stopped", {"covey.dev/pid": "nested"}, pid="own")

    def test_a_pod_process_without_a_cgroup_of_its_own_is_refused(self):
        """It could not be stopped without the command itself."""
        inside = subprocess.Popen(["nsenter", f"--pid=/proc/{self.pod_pid}/ns/pid", "sleep", "1000"])
        try:
            wait_for(lambda: len(self.numbers(self.pod)) == 3, what="the guest")
            self.refuses("cannot stand still", {"covey.dev/pid": "nested"})
            self.assert_nobody_frozen()
        finally:
            subprocess.run(["pkill", "-KILL", "-P", str(inside.pid)], check=False)
            inside.wait()

    def test_a_step_that_fails_leaves_nothing_and_nobody_frozen(self):
        for step in ("runtime.freeze", "nested.freeze", "nested.between", "nested.dropped", "launch.domain", "launch.prepared",
                     "runtime.record", "init.start"):
            one, bundle = self.bundle("probe", "sleep", "forever",
                                      change=self.joining({"covey.dev/pid": "nested", "covey.dev/access": "private"}))
            run = self.call("create", "--bundle", bundle, one, env={"COVEY_FAIL_AT": step})
            self.assertEqual(run.returncode, 1, step)
            self.assertIn("injected fault", run.stderr, step)
            self.assertEqual([group.name for group in self.groups() if group.name != self.pod], [], step)
            self.assertEqual(os.listdir(self.root), [self.pod], step)
            self.assertEqual(self.numbers(self.pod)[0], 1)
            self.assert_nobody_frozen()

    def test_the_command_killed_at_any_time_leaves_nobody_frozen(self):
        self.member("sleep", "forever")
        for step in range(30):
            one, bundle = self.bundle("probe", "sleep", "forever",
                                      change=self.joining({"covey.dev/pid": "nested", "covey.dev/access": "private"}))
            run = subprocess.Popen([RUNTIME, "--root", self.root, "run", "-d", "--bundle", bundle, one], env=self.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(step * 0.0008)
            run.kill()
            run.wait()
            wait_for(lambda: not self.still(), 5, "the thaw")
            self.ok("delete", "--force", one)

    def test_one_who_was_paused_stays_so(self):
        sibling, _ = self.member("sleep", "forever")
        self.ok("pause", sibling)
        self.member("sleep", "forever", pid="nested")
        self.assertEqual(self.status(sibling), "paused")
        self.ok("resume", sibling)

    def test_a_hostile_neighbour_gets_nothing_of_nested_launches(self):
        """Seen failing with the freeze taken out (HandShake::hold_still says go at once): 23 processes with more
        capabilities than the container's in 25 launches."""
        out = self.folder / "hostile.out"
        one, bundle = self.bundle("probe", "hostile", "60", str(self.folder / "log.json"), hex(self.mask())[2:],
                                  change=self.joining({}, change=with_ptrace))
        self.log.write_text("here", encoding="ascii")
        with open(out, "wb") as file:
            hunter = subprocess.Popen([RUNTIME, "--root", self.root, "run", "--bundle", bundle, one], env=self.env, stdout=file,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_for(lambda: '"running"' in self.call("state", one).stdout, what="the hunter")
        for _ in range(25):
            prey, _ = self.member("sleep", "forever", pid="nested")
            self.ok("delete", "--force", prey)
        self.ok("kill", one, "TERM")
        hunter.wait(20)
        tally = json.loads(out.read_text(encoding="ascii"))
        self.assertGreater(tally["newborns"], 20, tally)
        for what in ("hostRoots", "hostCwds", "hostFds", "excessCaps"):
            self.assertEqual(tally[what], 0, tally)

    @staticmethod
    def mask():
        numbers = {"CAP_KILL": 5, "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_PTRACE": 19, "CAP_AUDIT_WRITE": 29}
        return sum(1 << number for number in numbers.values())

    def test_a_private_container_reaches_no_neighbour(self):
        """Seen failing with the spawner passed by, when `exec` forks its launcher itself: it sees the whole pod."""
        sibling, sibling_pid = self.member("sleep", "forever", change=with_ptrace)
        one, pid = self.member("sleep", "forever", access="private", change=with_ptrace)
        inside = {name: self.number_in_pod(number) for name, number in
                  (("sibling", sibling_pid), ("own", pid), ("pause", self.pod_pid))}
        run = lambda container, *words: self.call("exec", container, "probe", *map(str, words)).stdout.strip()
        self.assertEqual([number for number in self.numbers(one) if number in inside.values()], [inside["own"]])
        for other in ("sibling", "pause"):
            self.assertEqual(run(one, "kill", inside[other], "0"), "EPERM", other)
            self.assertIn(run(one, "ptrace", inside[other]), ("EPERM",), other)
            self.assertEqual(run(one, "readlink", f"/proc/{inside[other]}/root"), "ENOENT", other)
        # prlimit64 with RLIMIT_CPU, which would kill; from an open container it works.
        limit = ("syscall", 302, inside["sibling"], 0, "@" + "A" * 16)
        self.assertEqual(run(one, *limit), "EPERM")
        self.assertEqual(run(sibling, *limit), "0")
        self.assertEqual(run(one, "kill", inside["own"], "0"), "ok")
        self.assertEqual(run(one, "ptrace", inside["own"]), "ok")
        # The restriction is its own: the open neighbour may.
        self.assertEqual(run(sibling, "kill", inside["own"], "0"), "ok")
        self.assertEqual(run(sibling, "ptrace", inside["own"]), "ok")

    @staticmethod
    def number_in_pod(pid):
        return int(pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").split("NSpid:")[1].split("\n")[0].split()[1])

    def test_observer_sees_and_does_not_touch(self):
        one, _ = self.member("sleep", "forever", access="observer")
        self.assertIn(1, self.numbers(one))
        self.assertEqual(self.call("exec", one, "probe", "kill", "1", "0").stdout.strip(), "EPERM")
        # Seen written before: who is ended first when memory is short.
        written = self.call("exec", one, "probe", "write", "/proc/1/oom_score_adj", "1000").stdout.strip()
        self.assertEqual(written, "EROFS")

    def test_a_restricted_container_in_the_pod_has_no_sys_boot(self):
        """reboot(2) kills the first process of the PID namespace: the pod's."""
        def with_boot(config):
            for kind in ("bounding", "permitted", "effective"):
                config["process"]["capabilities"][kind] = ["CAP_KILL", "CAP_SYS_BOOT"]
            namespace(config, "pid", f"/proc/{self.pod_pid}/ns/pid")
            config["annotations"] = {"covey.dev/access": "private"}
        one, bundle = self.bundle("probe", "sleep", "forever", change=with_boot)
        self.fails("CAP_SYS_BOOT", "create", "--bundle", bundle, one)

    def test_the_spawner_ends_with_the_container(self):
        one, pid = self.member("sleep", "forever", access="private")
        spawner = self.record(one)["spawner"]
        self.assertEqual(pathlib.Path(f"/proc/{spawner}/comm").read_text(encoding="ascii"), "covey:spawner\n")
        self.assertNotIn(str(spawner), self.ok("ps", one).stdout)
        self.ok("kill", one, "KILL")
        self.wait_exit(pid)
        self.assertEqual(self.wait_exit(spawner), 0)

    def record(self, one):
        return json.loads(pathlib.Path(self.root, one, "record.json").read_text(encoding="utf-8"))["body"]

    def test_nobody_gets_round_the_spawner_by_the_environment(self):
        one, _ = self.member("sleep", "forever", access="private")
        for seat in ("0", "1", "99"):
            run = self.call("exec", one, "probe", "ls", "/proc", env={"COVEY_EXEC_SEAT": seat})
            numbers = [word for word in json.loads(run.stdout or "[]") if word.isdigit()]
            self.assertLessEqual(len(numbers), 2, run)

    def with_all(self, config):
        """All capabilities that restricted access goes with."""
        status = pathlib.Path("/proc/self/status").read_text(encoding="ascii").split("CapPrm:")[1].split()[0]
        own = {number for number in range(64) if int(status, 16) >> number & 1}
        names = [name for number, name in enumerate(CAPABILITIES) if number in own and name not in ("CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_PERFMON")]
        config["process"]["capabilities"] = {kind: names for kind in ("bounding", "effective", "permitted")}
        return sum(1 << number for number, name in enumerate(CAPABILITIES) if name in names)

    def test_in_the_hosts_namespace_access_is_refused_by_name(self):
        """Before, the container was made, with its spawner in its sight."""
        for access in ("private", "observer"):
            for change in (lambda c: namespace(c, "pid", None), lambda c: namespace(c, "pid", "/proc/self/ns/pid")):
                one, bundle = self.bundle("probe", "sleep", "forever", change=lambda c, ch=change, a=access: (
                    ch(c), c.update(annotations={"covey.dev/access": a})))
                run = self.call("create", "--bundle", bundle, one)
                self.assertEqual(run.returncode, 1, "it was made")
                self.assertIn("would see the process that starts its execs", run.stderr)
                self.assertNotIn(one, os.listdir(self.root))

    def test_nobody_in_a_container_finds_the_makers_of_its_execs(self):
        """With all capabilities that access allows, while execs come."""
        kinds = (lambda c: None, lambda c: namespace(c, "pid", f"/proc/{self.pod_pid}/ns/pid"),
                 lambda c: (namespace(c, "pid", f"/proc/{self.pod_pid}/ns/pid"), c["annotations"].update({"covey.dev/pid": "nested"})))
        self.log.write_text("here", encoding="ascii")
        for kind in kinds:
            for access in ("private", "observer"):
                def change(config, k=kind, a=access):
                    config["annotations"] = {"covey.dev/access": a}
                    k(config)
                    config["process"]["args"][-1] = hex(self.with_all(config))[2:]
                one, bundle = self.bundle("probe", "hostile", "100", str(self.log), "0", change=change)
                out = self.folder / f"{one}.out"
                with open(out, "wb") as file:
                    hunter = subprocess.Popen([RUNTIME, "--root", self.root, "run", "--bundle", bundle, one], env=self.env, stdout=file,
                                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
                wait_for(lambda o=one: '"running"' in self.call("state", o).stdout, what="the hunter")
                spawner = self.record(one)["spawner"]
                for _ in range(15):
                    self.assertIn(self.call("exec", one, "probe", "kill", str(spawner), "9").stdout.strip(), ("ESRCH", "EPERM"))
                self.assertEqual(pathlib.Path(f"/proc/{spawner}/comm").read_text(encoding="ascii"), "covey:spawner\n")
                self.ok("kill", one, "TERM")
                hunter.wait(20)
                tally = json.loads(out.read_text(encoding="ascii"))
                self.assertGreater(tally["newborns"], 3, tally)
                for what in ("hostRoots", "hostCwds", "hostFds", "excessCaps"):
                    self.assertEqual(tally[what], 0, tally)

    def test_a_launcher_is_in_a_session_of_its_own(self):
        """A newborn is in its process group at first, and whoever traces that could signal the group, which was the command's
        and its caller's before."""
        script = self.folder / "hook.sh"
        script.write_text(f"#!/bin/sh\nread line </proc/$PPID/stat\necho \"$line\" >{self.folder}/stat\n", encoding="ascii")
        script.chmod(0o755)
        hooks = lambda config: config.update(hooks={"createContainer": [{"path": str(script)}]})
        self.start("probe", "sleep", "forever", change=self.joining({}, change=hooks))
        fields = (self.folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        pid = int((self.folder / "stat").read_text(encoding="ascii").split()[0])
        self.assertEqual((int(fields[2]), int(fields[3])), (pid, pid))

    def test_nothing_is_said_to_who_is_not_the_spawner(self):
        """Seen winning before: whoever listened in the spawner's place had the command line, the environment and the
        descriptor of the working directory, a folder of the host's."""
        one, _ = self.member("sleep", "forever", access="private")
        path = pathlib.Path(self.root, one, "spawner.sock")
        path.rename(path.with_suffix(".away"))
        for word in (None, b"spawner", b"else"):
            liar = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            liar.bind(str(path))
            liar.listen(1)
            liar.settimeout(5)
            run = subprocess.Popen([RUNTIME, "--root", self.root, "exec", one, "probe", "echo", "secret"], env={**self.env, "A": "secret"},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            connection, _ = liar.accept()
            connection.settimeout(2)
            if word:
                connection.send(word)
            got = b"", [], 0, None
            try:
                got = connection.recvmsg(1 << 18, 4096)
            except (TimeoutError, ConnectionResetError):
                pass
            connection.close()
            liar.close()
            _, error = run.communicate(timeout=20)
            self.assertEqual(got[:2], (b"", []), "it was told something")
            self.assertEqual(run.returncode, 255)
            self.assertIn(b"the spawner of container", error)
            self.assertEqual(error.count(b"\n"), 1, error)
            path.unlink()
        path.with_suffix(".away").rename(path)
        self.assertEqual(self.ok("exec", one, "probe", "echo", "x").stdout, "x\n")

    def test_the_spawner_takes_no_request_from_a_container(self):
        """The socket is in a folder of root's alone; somebody who has come to it all the same, from inside a PID namespace,
        gets no word."""
        one, _ = self.member("sleep", "forever", access="private")
        path = pathlib.Path(self.root, one, "spawner.sock")
        client = ("import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); "
                  "s.settimeout(5); print(s.recv(100))")
        own = subprocess.run(["python3", "-c", client, path], stdout=subprocess.PIPE, timeout=20, check=True)
        self.assertEqual(own.stdout, b"b'spawner'\n")
        inside = subprocess.run(["nsenter", f"--pid=/proc/{self.pod_pid}/ns/pid", "python3", "-c", client, path], stdout=subprocess.PIPE,
                                timeout=20, check=True)
        self.assertEqual(inside.stdout, b"b''\n")
        self.assertEqual(self.ok("exec", one, "probe", "echo", "x").stdout, "x\n")

    def test_without_its_spawner_an_exec_is_refused(self):
        one, _ = self.member("sleep", "forever", access="private")
        spawner = self.record(one)["spawner"]
        os.kill(spawner, signal.SIGKILL)
        self.wait_exit(spawner)
        self.fails("spawner", "exec", one, "probe", "exit", "0", status=255)


@only_covey("runc knows nothing of covey.dev")
class ExecIntoPrivate(test_exec.Exec):
    """All that holds of exec holds in a private container, where its spawner starts them."""

    refusals = (*test_exec.Exec.refusals, errno.ETXTBSY)  # the spawner runs from that file

    def process_of(self, pid):
        """Not the proxy, which the pid file names."""
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if int(entry.name) != self.pid and os.readlink(entry / "ns/pid") == os.readlink(f"/proc/{self.pid}/ns/pid"):
                    return int(entry.name)
            except OSError:
                continue
        raise AssertionError(f"the process of proxy {pid} is not there")

    def start(self, *args, change=None, **options):
        def private(config):
            config["annotations"] = {**config.get("annotations", {}), "covey.dev/access": "private"}
            if change:
                change(config)
        return super().start(*args, change=private, **options)

    def test_detached_the_proxy_is_waited_for_and_signalled(self):
        pid_file = self.folder / "exec.pid"
        for send, status in ((None, 7), (signal.SIGUSR1, -signal.SIGUSR1)):
            words = ["exit", "7"] if send is None else ["sleep", "forever"]
            self.ok("exec", "-d", "--pid-file", str(pid_file), self.one, "probe", *words)
            proxy = int(pid_file.read_text(encoding="ascii"))
            if send is not None:
                os.kill(proxy, send)
            self.assertEqual(self.wait_exit(proxy), status)

    def test_the_process_ends_with_its_killed_proxy(self):
        pid_file = self.folder / "exec.pid"
        self.ok("exec", "-d", "--pid-file", str(pid_file), self.one, "probe", "sleep", "forever")
        running = lambda: len(json.loads(self.ok("ps", "--format", "json", self.one).stdout))
        self.assertEqual(running(), 2)
        proxy = int(pid_file.read_text(encoding="ascii"))
        os.kill(proxy, signal.SIGKILL)
        self.assertEqual(self.wait_exit(proxy), -signal.SIGKILL)
        wait_for(lambda: running() == 1, what="the process's end")


if __name__ == "__main__":
    main()
