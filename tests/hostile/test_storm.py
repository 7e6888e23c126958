"""All kinds at once: a pod of 20 containers, each of which attacks, beside pods that do not. `--long` (or
COVEY_HOSTILE_LONG=1): ten minutes, and the others' latency is judged; every day: some seconds, and it is printed.

Each attacker has the limits of an operator who knows why: a fortieth of a processor, 100 processes, 128 MiB; so what is measured
is Covey, not who gets the processor. The control is a second coveyd with a pod of 20 containers of the same limits that are as
busy, whose calls alternate with those of the first: what the machine does meanwhile is in both columns."""
import os
import sys
import threading
import time

from hostile_test import DELETE_LIMIT, LONG, CoveydFront, HostileTest, main

SECONDS = int(os.environ.get("COVEY_STORM_SECONDS", "600" if LONG else "6"))
COUNT = 20
WORST_RATIO = 2  # of the others' p99
SMALL = 5  # calls of the quick kind, for one of the slow
LIMITS = {"cpu": {"quota": 2500, "period": 100000}, "pids": {"limit": 100}, "memory": {"limit": 128 << 20}}
BUSY = ["sh", "-c", "while :; do :; done"]


class Kind:
    """A hostile container: its words, and where it is at its worst."""

    def __init__(self, *words, caps=None, mode="pod", access=None, execs=()):
        self.words, self.caps, self.mode, self.access, self.execs = list(words), caps, mode, access, list(execs)

    def as_thief(self):
        self.words = ["thief", *self.words]
        return self


def kinds(canary):
    """One of each; the thieves of hand-shakes differ in their lies."""
    theft = [Kind("theft", "100000", lie, canary, stop, caps=["SYS_PTRACE"]) for lie, stop in (
        ("spawner", "0"), ("born", "100"), ("listener", "0"), ("flood", "0"), ("still", "0"), ("babble", "0"), ("swallow", "0"))]
    alone = [Kind("theft", "100000", lie, canary, "50", caps=["SYS_PTRACE"], mode="nested", access="private", execs=["cat", canary])
             for lie in ("listener", "flood")]
    return [
        # In this order: who stops or traces whoever is born comes last.
        Kind("children", "both", "40", "stay", execs=["thief", "children", "zombies", "10"]),
        Kind("children", "traceme", "1", "stay", mode="nested", execs=["thief", "children", "traceme", "1"]),
        Kind("inflight", mode="nested", access="private"),
        Kind("keyring", "100000", "_ses", "_uid_ses.0", "_ses.c1", "_ses.c2", mode="container"),
        Kind("quota", mode="container"),
        Kind("bomb", mode="container"),
        Kind("wide-groups", "v2", "500", mode="container"),
        Kind("trace", "100000", canary, caps=["SYS_PTRACE"], access="private", execs=["true"]),
        *alone, *theft,
        Kind("unfreezable"),
        Kind("trace-all", "sleep", caps=["SYS_PTRACE"]),
        Kind("stop-all", "covey:init"),
    ]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


class Storm(HostileTest):
    front_class = CoveydFront

    def setUp(self):
        super().setUp()
        self.control = CoveydFront()

    def tearDown(self):
        left = self.control.close()
        super().tearDown()
        self.assertFalse(left, "left behind by the control")

    @staticmethod
    def round_of_calls(far):
        """(kind, call) of what another pod's owner does."""
        front, pod = far.front, far.pod
        for _ in range(SMALL):
            yield "get", front.call("GET", f"/v1/containers/{far.name}")
            yield "processes", front.call("GET", f"/v1/sandboxes/{pod.name}/processes")
        yield "exec", far.exec("true")
        one = pod.create(["sleep", "1000"], mode="nested", keep=True)
        yield "create", one.create_call
        yield "start", one.start()
        yield "delete", one.delete()

    def measure(self, storm, control):
        """What the calls take, in seconds, by their kind: of the pod beside the storm, and of the control's. All must succeed."""
        taken, end = [{}, {}], time.monotonic() + SECONDS
        while time.monotonic() < end:
            rounds = zip(self.round_of_calls(storm), self.round_of_calls(control))
            for both in rounds:
                for column, (what, call) in enumerate(both):
                    self.assertTrue(call.ok, f"{what} of {('another pod', 'the control')[column]}: {call}")
                    taken[column].setdefault(what, []).append(call.seconds)
        return taken

    def stir(self, pod, containers, stop):
        """Newcomers and execs in the attacked pod, for the thieves to act on; they may fail, each within its time."""
        turn = 0
        while not stop.is_set():
            kind, one = containers[turn % len(containers)]
            if kind.execs:
                one.exec(*kind.execs, timeout=3)
            newcomer = pod.create(["sleep", "1000"], mode="nested" if turn % 2 else "pod", keep=True)
            newcomer.start(timeout=3)
            newcomer.exec("true", timeout=3)
            gone = newcomer.delete(timeout=10)
            # What is promised of each delete: an end, or who is in its way, in time.
            if gone.seconds > DELETE_LIMIT or not (gone.ok or "process " in gone.text):
                self.slow_deletes.append(gone)
            elif not gone.ok:
                self.note("newcomer", gone)
            turn += 1
            stop.wait(0.1)

    def gather(self, front, attackers):
        """The pod of those who came so far; those who came earlier may hinder who comes later."""
        pod, containers = front.pod(), []
        for kind in attackers:
            one = pod.create(kind.words, caps=kind.caps, mode=kind.mode, access=kind.access, resources=LIMITS, keep=True)
            if one.create_call.ok and one.start(timeout=5).ok:
                containers.append((kind, one))
            else:
                self.note(f"{kind.words} did not come", one.create_call)
        return pod, containers

    def end(self, pod, thieves):
        gone = pod.delete(60)
        self.note("delete of the storm", gone)
        print(f"the pod was deleted after {gone.seconds:.2f} s", flush=True)
        self.assertTrue(gone.ok and gone.seconds < DELETE_LIMIT, f"delete of the pod: {gone}")
        self.assert_host_unharmed(*thieves)

    def print_table(self, storm, control):
        """The ratios of the p99, by kind."""
        ratios = {}
        print(f"\n{SECONDS} s; ms, p50 and p99{'without':>14}{'':8}{'with':>11}{'':8}{'ratio':>7}{'calls':>7}")
        for what, times in control.items():
            numbers = [percentile(values, part) * 1000 for values in (times, storm[what]) for part in (0.5, 0.99)]
            ratios[what] = numbers[3] / numbers[1]
            print(f"{what:22}{numbers[0]:10.1f}{numbers[1]:8.1f}{numbers[2]:11.1f}{numbers[3]:8.1f}{ratios[what]:7.2f}{len(storm[what]):7}")
        sys.stdout.flush()
        return ratios

    def test_the_others_do_not_feel_it(self):
        with self.attack():
            self.slow_deletes = []
            far, quiet = (front.pod().run(["sleep", "1000"], mode="pod") for front in (self.front, self.control))
            busy_pod, busy = self.gather(self.control, [Kind(*BUSY)] * COUNT)
            pod, containers = self.gather(self.front, [kind.as_thief() for kind in kinds(str(self.canary))])
            print(f"\n{len(containers)} of {COUNT} attackers run", flush=True)
            self.assertGreater(len(containers), COUNT * 2 // 3, f"an attack by too few\n{self.story()}")
            stop = threading.Event()
            stirring = [threading.Thread(target=self.stir, args=(*what, stop)) for what in ((pod, containers), (busy_pod, busy))]
            for one in stirring:
                one.start()
            try:
                taken = self.measure(far, quiet)
            finally:
                stop.set()
                for one in stirring:
                    one.join()
            ratios = self.print_table(*taken)
            self.end(pod, [one for _, one in containers])
            print(*self.evidence, sep="\n", flush=True)
            self.assertFalse(self.slow_deletes, "deletes of newcomers took too long, or gave no reason")
            if LONG:
                for what, ratio in ratios.items():
                    self.assertLess(ratio, WORST_RATIO, f"p99 of {what}")
            self.assert_far_works(far)


if __name__ == "__main__":
    main()
