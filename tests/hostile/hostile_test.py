"""What the tests of tests/hostile share: a front for each class, a canary on the host, and the promises that are checked after
each attack. `on_both_fronts` makes two test cases of one class."""
import contextlib
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

import fronts
from fronts import PATIENCE, CoveydFront, RuntimeFront

DELETE_LIMIT = 5  # seconds: what issue 11 promises of a delete
ONLY = os.environ.get("COVEY_HOSTILE_ONLY", "").split()  # values of an attack's facts, to run a few by hand
LONG = os.environ.get("COVEY_HOSTILE_LONG") == "1" or "--long" in sys.argv


def on_both_fronts(case):
    """The class stays out of unittest's sight (it is no TestCase itself); its two children are not."""
    module = sys.modules[case.__module__]
    for front in (CoveydFront, RuntimeFront):
        name = f"{case.__name__}{'Coveyd' if front is CoveydFront else 'Runtime'}"
        setattr(module, name, type(name, (case, HostileTest), {"front_class": front, "__module__": case.__module__}))
    return case


class HostileTest(unittest.TestCase):
    front_class = None
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if cls.front_class is None:
            raise unittest.SkipTest("a base class: no test of its own")
        cls.start_front()

    @classmethod
    def start_front(cls):
        cls.front = cls.front_class()

    @classmethod
    def tearDownClass(cls):
        left = cls.front.close()
        if left:
            raise AssertionError(f"{cls.front.name}: left on the host: {left}")

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-canary."))
        self.canary = self.folder / "canary"
        self.canary.write_text("the host's secret", encoding="ascii")
        self.evidence = []

    def tearDown(self):
        try:
            self.clear()
        finally:
            self.forget_theft()
            self.canary.unlink()
            self.folder.rmdir()

    def clear(self):
        left = self.what_is_left()
        self.assertFalse(left, f"left behind: {left}\n{self.story()}")

    def what_is_left(self):
        """Of all pods, when they have been deleted; what comes next has a front of its own then."""
        for pod in list(self.front.pods):
            self.note("pod deleted", pod.delete(timeout=PATIENCE))
        try:
            fronts.wait_for(lambda: not self.front.left(), 5)
        except AssertionError:
            left = self.front.left()
            cls = type(self)
            cls.front.close()
            cls.start_front()
            return left
        return []

    def forget_theft(self):
        pathlib.Path(f"{self.canary}.stolen").unlink(missing_ok=True)

    @staticmethod
    def chosen(names, everyday=None):
        """Those that COVEY_HOSTILE_ONLY names, or `everyday` of them, or with --long all."""
        if everyday is not None and not ONLY and not LONG:
            return everyday
        return [name for name in names if not ONLY or name in ONLY]

    @contextlib.contextmanager
    def attack(self, **facts):
        """One attack of many: a subtest, after which nothing of its pods is left."""
        with self.subTest(**facts):
            self.evidence = []
            self.forget_theft()
            began, lost = time.monotonic(), None
            try:
                yield
                self.clear()
            except AssertionError as error:
                lost = str(error)
            if lost is not None:
                # At once: a run that is over time has said what it saw.
                print(f"\n{time.strftime('%X')} {self.front.name} {facts}: lost after {time.monotonic() - began:.1f} s: {lost}", file=sys.stderr, flush=True)
                left = self.what_is_left()
                raise self.failureException(lost.splitlines()[0] + (f"; left behind: {left}" if left else "")) from None

    def note(self, what, call):
        """Evidence, shown when the test fails."""
        self.evidence.append(f"  {what}: {call}")
        return call

    def story(self, *thieves):
        lines = list(self.evidence)
        for thief in thieves:
            said = list(dict.fromkeys(thief.output().splitlines()))
            lines += [f"  thief: {line[:300]}" for line in [*said[:12], *([] if len(said) < 13 else ["…", *said[-3:]])]]
        return "\n".join(lines)

    def bystanders(self):
        """(the pod that is attacked, a container of it that has nothing to do with it, one of another pod)."""
        pod = self.front.pod()
        near = pod.run(["thief", "tick"], mode="pod")
        far = self.front.pod().run(["sleep", "1000"], mode="pod")
        return pod, near, far

    def assert_host_unharmed(self, *thieves):
        """Neither the canary read nor a file written, and no process of Covey's has sent a thief anything."""
        story = self.story(*thieves)
        self.assertFalse(pathlib.Path(f"{self.canary}.stolen").exists(), f"a file of the host was written\n{story}")
        for thief in thieves:
            won = [line for line in thief.output().splitlines() if line.startswith("WON")]
            self.assertEqual(won, [], story)

    def assert_not_on_host(self, call, *thieves):
        self.assertNotIn("the host's secret", call.text, f"an exec ran on the host\n{self.story(*thieves)}")

    def assert_works(self, what, call, *thieves):
        """A bystander's call does what it was asked, in time."""
        self.note(what, call)
        self.assertTrue(call.ok, f"{what}: {call}\n{self.story(*thieves)}")

    def assert_far_works(self, far, *thieves):
        """Another pod's exec is as quick as ever."""
        done = far.exec("echo", "alive", timeout=DELETE_LIMIT)
        self.assert_works("exec in another pod", done, *thieves)
        self.assertIn("alive", done.text)

    def assert_near_works(self, near, *thieves):
        """A neighbour's exec, when no thief is there any more: a thief that may trace may also kill a newborn."""
        done = near.exec("echo", "alive", timeout=DELETE_LIMIT)
        self.assert_works("exec of a neighbour", done, *thieves)
        self.assertIn("alive", done.text)

    def assert_bystanders_work(self, near, far, *thieves):
        self.assert_near_works(near, *thieves)
        self.assert_far_works(far, *thieves)

    def assert_answered(self, what, call, *thieves):
        """Done or refused, but not left waiting; and whatever a thief put into the refusal can be shown to a person."""
        self.note(what, call)
        if not call.ok and call.text.startswith("{"):
            problem = json.loads(call.text)
            self.assertTrue(fronts.free_of_controls(problem["detail"] + problem["fix"]), f"{what}: {call}")
        elif not call.ok:
            self.assertTrue(fronts.free_of_controls(call.text), f"{what}: {call}")
        self.assertFalse(call.text.startswith("no answer"), f"{what}: {call}\n{self.story(*thieves)}")

    def assert_goes_on(self, near, *thieves):
        """The processes of a neighbour (thief tick) run: nobody has left them frozen."""
        ticks = lambda: pathlib.Path(f"/proc/{near.host_pid}/sched").read_text(encoding="ascii").split("nr_voluntary_switches")[1].split()[1]
        try:
            before = ticks()
            fronts.wait_for(lambda: ticks() != before, 3)
        except (AssertionError, OSError, IndexError):
            self.fail(f"the neighbour stands still, or is dead\n{self.story(*thieves)}")

    def assert_deleted(self, what, one, *thieves):
        gone = one.delete(timeout=60)
        self.note(f"delete of {what}", gone)
        self.assertTrue(gone.ok and gone.seconds < DELETE_LIMIT, f"delete of {what}: {gone}\n{self.story(*thieves)}")


def main():
    if os.geteuid() != 0:
        print("SKIP: needs root")
        sys.exit(77)
    # Over time: what was made is unmade all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unittest.main(argv=[word for word in sys.argv if word != "--long"], verbosity=2, warnings="ignore")
