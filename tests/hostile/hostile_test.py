"""What the tests of tests/hostile share: a front for each class, a canary on the host, and the promises that are checked after
each attack. `on_both_fronts` makes two test cases of one class."""
import contextlib
import os
import pathlib
import sys
import tempfile
import time
import unittest

import fronts
from fronts import PATIENCE, CoveydFront, RuntimeFront

DELETE_LIMIT = 5  # seconds: what issue 11 promises of a delete
LONG = os.environ.get("COVEY_HOSTILE_LONG") == "1"


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
        """Nothing of the pods is left; or what comes next has a front of its own."""
        for pod in list(self.front.pods):
            self.note("pod deleted", pod.delete(timeout=PATIENCE))
        try:
            fronts.wait_for(lambda: not self.front.left(), 5)
        except AssertionError:
            left = self.front.left()
            cls = type(self)
            cls.front.close()
            cls.start_front()
            self.fail(f"left behind: {left}\n{self.story()}")

    def forget_theft(self):
        pathlib.Path(f"{self.canary}.stolen").unlink(missing_ok=True)

    @contextlib.contextmanager
    def attack(self, **facts):
        """One attack of many: a subtest, after which nothing of its pods is left."""
        with self.subTest(**facts):
            self.evidence = []
            self.forget_theft()
            try:
                yield
            finally:
                self.clear()

    def note(self, what, call):
        """Evidence, shown when the test fails."""
        self.evidence.append(f"  {what}: {call}")
        return call

    def story(self, *thieves):
        lines = list(self.evidence)
        for thief in thieves:
            said = thief.output().splitlines()
            lines += [f"  thief: {line[:300]}" for line in [*said[:12], *([] if len(said) < 13 else ["…", *said[-3:]])]]
        return "\n".join(lines)

    def bystanders(self):
        """(the pod that is attacked, a container of it that has nothing to do with it, one of another pod)."""
        pod = self.front.pod()
        near = pod.run(["sleep", "1000"], mode="pod")
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

    def assert_bystanders_work(self, near, far, *thieves):
        for what, one in (("exec of a neighbour", near), ("exec in another pod", far)):
            done = one.exec("echo", "alive", timeout=DELETE_LIMIT)
            self.assert_works(what, done, *thieves)
            self.assertIn("alive", done.text)

    def assert_deleted(self, what, one, *thieves):
        gone = one.delete(timeout=60)
        self.note(f"delete of {what}", gone)
        self.assertTrue(gone.ok and gone.seconds < DELETE_LIMIT, f"delete of {what}: {gone}\n{self.story(*thieves)}")


def main():
    if os.geteuid() != 0:
        print("SKIP: needs root")
        sys.exit(77)
    unittest.main(verbosity=2)
