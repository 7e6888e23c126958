"""Launches in pid mode nested, and what others do with the pod meanwhile; deaths of those who hold it still; processes that
somebody has stopped."""
import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from oci import RUNTIME, alive, main, only_covey, reap, wait_for
from pods import PodTest
from test_sharing import Sharing as _Sharing, with_ptrace

MASK = _Sharing.mask()
del _Sharing  # its tests are its own


def children(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Begun(subprocess.Popen):
    """A command under way. What it says goes to a file, which a container inherits."""

    def __init__(self, test, words):
        self.said = tempfile.TemporaryFile()
        super().__init__([RUNTIME, "--root", test.root, *words], env=test.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=self.said)

    def end(self, seconds=20):
        """What it said."""
        self.wait(seconds)
        if self.said.closed:
            return self.text
        with self.said:
            self.said.seek(0)
            self.text = self.said.read().decode(errors="replace")
        return self.text


@only_covey("runc knows nothing of covey.dev")
class Standstill(PodTest):
    def begin(self, *words):
        return Begun(self, words)

    def begin_nested(self):
        one, bundle = self.bundle("probe", "sleep", "forever", change=self.joining({"covey.dev/pid": "nested"}))
        return one, self.begin("create", "--bundle", bundle, one)

    @contextlib.contextmanager
    def held(self, sibling):
        """(The newcomer's id, its create, the guard's number): the sibling stands still, and the guard too."""
        for _ in range(50):
            one, create = self.begin_nested()
            guard = self.catch_guard(create)
            if guard:
                try:
                    yield one, create, guard
                finally:
                    for process in (guard, create.pid):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(process, signal.SIGCONT)
                    create.end(30)
                return
            create.end(30)
            self.ok("delete", "--force", one)
            reap()
        self.fail("no guard was met while it held the pod still")

    def catch_guard(self, create):
        end = time.monotonic() + 5
        while create.poll() is None and time.monotonic() < end:
            guard = next((pid for pid in children(create.pid) if name_of(pid) == "covey:guard"), None)
            if guard and self.still():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(guard, signal.SIGSTOP)
                    if self.still():
                        return guard
                    os.kill(guard, signal.SIGCONT)
                return None
        return None

    def test_two_launches_at_once_are_seen_by_nobody(self):
        """Won: the second took the first's standstill for a client's pause, and was seen when the first let all go."""
        canary, out = self.folder / "canary.json", self.folder / "hostile.out"
        canary.write_text("here", encoding="ascii")
        one, bundle = self.bundle("probe", "hostile", "90", str(canary), hex(MASK)[2:], change=self.joining({}, change=with_ptrace))
        with open(out, "wb") as file:
            hunter = subprocess.Popen([RUNTIME, "--root", self.root, "run", "--bundle", bundle, one], env=self.env, stdout=file,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_for(lambda: '"running"' in self.call("state", one).stdout, what="the hunter")
        made = 0
        for _ in range(12):
            both = [self.begin_nested(), self.begin_nested()]
            for name, create in both:
                text = create.end(30)
                made += create.returncode == 0
                if create.returncode != 0:  # a busy machine
                    self.assertIn("try again when the machine is less busy", text)
            for name, _ in both:
                self.ok("delete", "--force", name)
        self.assertGreater(made, 2)
        self.ok("kill", one, "TERM")
        hunter.wait(20)
        text = out.read_text(encoding="ascii")
        self.assertRegex(text, r'"excessCaps": ?0\b', text)
        self.assert_nobody_frozen()

    def test_who_comes_meanwhile_waits_and_is_not_lost(self):
        """Won: a pause was answered "container not running or created: paused", or lost with the thaw."""
        sibling, _ = self.member("sleep", "forever")
        waiting, _ = self.create("probe", "sleep", "forever", change=self.joining({}))
        with self.held(sibling) as (_, create, guard):
            calls = [self.begin(*words) for words in (("pause", sibling), ("start", waiting), ("exec", self.pod, "probe", "exit", "0"))]
            time.sleep(0.3)
            self.assertEqual([call.poll() for call in calls], [None] * len(calls), "they wait")
            os.kill(guard, signal.SIGCONT)
            for call in calls:
                text = call.end()
                self.assertEqual(call.returncode, 0, (call.args, text))
            text = create.end()
            if create.returncode != 0:  # its guard has stood still for too long itself
                self.assertIn("which is as long as they may", text)
        self.assertEqual(self.status(sibling), "paused")
        self.assertEqual(self.status(waiting), "running")
        self.ok("resume", sibling)
        self.assert_nobody_frozen()

    def test_a_guard_that_is_killed_leaves_nobody_frozen(self):
        """Won: for ever."""
        sibling, _ = self.member("sleep", "forever")
        with self.held(sibling) as (one, create, guard):
            os.kill(guard, signal.SIGKILL)
            text = create.end()
            self.assert_nobody_frozen()
            if create.returncode != 0:
                self.assertRegex(text, "was killed|as long as they may")  # its last word, if it had one
                self.assertNotIn(one, os.listdir(self.root))
        self.assertEqual(self.status(sibling), "running")

    def test_guard_and_command_killed_are_made_good_by_the_next_command(self):
        """Won: frozen for ever, and the newborn with all its privileges."""
        for command in ("state", "exec", "pause", "nested"):
            with self.subTest(command=command):
                sibling, _ = self.member("sleep", "forever")
                with self.held(sibling) as (one, create, guard):
                    os.kill(create.pid, signal.SIGSTOP)
                    os.kill(guard, signal.SIGKILL)
                    os.kill(create.pid, signal.SIGKILL)
                    create.wait(20)
                    self.assertTrue(self.still())
                    if command == "nested":
                        self.member("sleep", "forever", pid="nested")
                    elif command == "exec":
                        self.ok("exec", sibling, "probe", "exit", "0")
                    else:
                        self.ok(command, sibling)
                reap()
                group = [path for path in self.groups() if path.name == one and (path / "cgroup.events").exists()]
                self.assertTrue(all("populated 0" in (path / "cgroup.events").read_text(encoding="ascii") for path in group))
                if command == "pause":
                    self.assertEqual(self.status(sibling), "paused")
                    self.ok("resume", sibling)
                self.assertEqual(self.status(sibling), "running")
                self.assert_nobody_frozen()
                self.ok("delete", "--force", one)
                self.ok("delete", "--force", sibling)
                reap()

    def test_nothing_is_left_of_the_locks(self):
        self.member("sleep", "forever", pid="nested")
        folder = pathlib.Path("/run/covey/pods")
        wanted = os.stat(f"/proc/{self.pod_pid}/ns/pid").st_ino
        self.assertEqual([one for one in os.listdir(folder) if one.endswith(f"-{wanted}")], [])

    def test_nesting_without_cgroups_is_refused(self):
        one, bundle = self.bundle("probe", "sleep", "forever", change=self.joining({"covey.dev/pid": "nested"}))
        run = self.call("create", "--bundle", bundle, one, globals_=("--cgroup-manager", "disabled"))
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("pid mode nested: the container has no cgroup of its own", run.stderr)
        self.assertEqual(os.listdir(self.root), [self.pod])


@only_covey("runc waits for ever")
class Stopped(PodTest):
    def test_a_start_says_that_init_was_stopped(self):
        """Won: start was not answered."""
        one, pid = self.create("probe", "sleep", "forever", change=self.joining({}))
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        self.fails("stopped by a signal", "start", one, timeout=25)
        self.assertLess(time.monotonic() - began, 20)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: self.status(one) == "running", what="the program, whose gate is open")

    def test_an_exec_that_fails_leaves_no_newborn(self):
        """One that was stopped before it told its number stayed for good. They may hardly run, so some are met early."""
        def slow(config):
            config["linux"]["resources"] = {"cpu": {"quota": 3000, "period": 100000}}
        one, _ = self.start("probe", "sleep", "forever", change=self.joining({}, change=slow))
        commands = [Begun(self, ("exec", one, "probe", "sleep", "forever")) for _ in range(8)]
        newborns = self.stop_newborns(commands)
        # Who was met too late runs its program, and is no failure.
        early = [pid for pid in newborns if name_of(pid) != "probe"]
        for pid in {child for command in commands for child in children(command.pid)} - set(early):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        names = [name_of(pid) for pid in early]
        for command in commands:
            self.assertNotEqual((command.end(45), command.returncode)[1], 0)
        reap()
        print(f"stopped as {names}", flush=True)
        self.assertTrue(early, "no newborn was met early enough")
        self.assertEqual([pid for pid in early if alive(pid)], [])

    def stop_newborns(self, commands):
        launchers, newborns, end = {}, {}, time.monotonic() + 5
        while len(newborns) < len(commands) and time.monotonic() < end:
            for command in commands:
                for pid in children(command.pid):
                    if pid != launchers.setdefault(command.pid, pid) and command.pid not in newborns:
                        os.kill(pid, signal.SIGSTOP)
                        newborns[command.pid] = pid
        return list(newborns.values())


if __name__ == "__main__":
    main()
