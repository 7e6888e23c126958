"""All kinds at once: a pod of 20 containers, each of which attacks, beside pods that do not. `--long` (or
COVEY_HOSTILE_LONG=1): ten minutes, and the others' latency is judged; every day: half a minute, and it is printed.

Each attacker has the limits of an operator who knows why: a twentieth of a processor, 100 processes, 128 MiB. The control is
a pod of 20 containers with the same limits that are as busy, without being hostile."""
import sys
import threading
import time

from hostile_test import DELETE_LIMIT, LONG, CoveydFront, HostileTest, main

SECONDS = 600 if LONG else 12
COUNT = 20
WORST_RATIO = 2  # of the others' p99
LIMITS = {"cpu": {"quota": 5000, "period": 100000}, "pids": {"limit": 100}, "memory": {"limit": 128 << 20}}
BUSY = ["sh", "-c", "while :; do :; done"]


class Kind:
    """A hostile container: its words, and where it is at its worst."""

    def __init__(self, *words, caps=None, mode="pod", access=None, execs=()):
        self.words, self.caps, self.mode, self.access, self.execs = list(words), caps, mode, access, list(execs)


def kinds(canary):
    """One of each; the thieves of hand-shakes differ in their lies."""
    theft = [Kind("theft", "100000", lie, canary, stop, caps=["SYS_PTRACE"]) for lie, stop in (
        ("spawner", "0"), ("born", "100"), ("listener", "0"), ("flood", "0"), ("still", "0"), ("babble", "0"), ("swallow", "0"),
        ("hold", "50"))]
    alone = [Kind("theft", "100000", lie, canary, "50", caps=["SYS_PTRACE"], mode="nested", access="private", execs=["cat", canary])
             for lie in ("listener", "flood")]
    return theft + alone + [
        Kind("trace", "100000", canary, caps=["SYS_PTRACE"], access="private", execs=["true"]),
        Kind("children", "both", "40", "stay", execs=["thief", "children", "zombies", "10"]),
        Kind("children", "traceme", "stay", mode="nested", execs=["thief", "children", "traceme"]),
        Kind("unfreezable"),
        Kind("inflight", mode="nested", access="private"),
        Kind("keyring", "100000", "_ses", "_uid_ses.0", "_ses.c1", "_ses.c2", mode="container"),
        Kind("quota", mode="container"),
    ]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


class Storm(HostileTest):
    front_class = CoveydFront

    def measure(self, far, seconds):
        """What another pod's calls take, in seconds, by their kind; all must succeed."""
        taken = {"get": [], "processes": [], "exec": [], "create to delete": []}
        pod, end = far.pod, time.monotonic() + seconds
        while time.monotonic() < end:
            calls = [("get", self.front.call("GET", f"/v1/containers/{far.name}")),
                     ("processes", self.front.call("GET", f"/v1/sandboxes/{pod.name}/processes")),
                     ("exec", far.exec("true"))]
            start = time.monotonic()
            one = pod.create(["sleep", "1000"], mode="nested", keep=True)
            steps = [one.create_call, one.start(), one.delete()]
            taken["create to delete"].append(sum(step.seconds for step in steps))
            calls += [("create to delete", step) for step in steps]
            for what, call in calls:
                self.assertTrue(call.ok, f"{what} of another pod after {time.monotonic() - start:.1f} s: {call}")
                if what in ("get", "processes", "exec"):
                    taken[what].append(call.seconds)
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
            newcomer.delete(timeout=10)
            turn += 1
            stop.wait(0.1)

    def quiet(self, far):
        pod = self.front.pod()
        for _ in range(COUNT):
            pod.run(BUSY, caps=None, mode="pod", resources=LIMITS)
        taken = self.measure(far, SECONDS)
        self.assertTrue(pod.delete(60).ok)
        return taken

    def storm(self, far):
        pod = self.front.pod()
        attackers = kinds(str(self.canary))
        attackers += [attackers[index] for index in range(COUNT - len(attackers))]
        containers = []
        for kind in attackers:
            one = pod.create(["thief", *kind.words], caps=kind.caps, mode=kind.mode, access=kind.access, resources=LIMITS, keep=True)
            # Those who came earlier may hinder it; they may not hinder the test.
            if one.create_call.ok and one.start(timeout=5).ok:
                containers.append((kind, one))
        self.assertGreater(len(containers), COUNT // 3, "an attack by too few")
        print(f"\n{len(containers)} of {COUNT} attackers run", flush=True)
        stop = threading.Event()
        stirring = threading.Thread(target=self.stir, args=(pod, containers, stop))
        stirring.start()
        try:
            taken = self.measure(far, SECONDS)
        finally:
            stop.set()
            stirring.join()
        thieves = [one for _, one in containers]
        gone = pod.delete(60)
        self.note("delete of the storm", gone)
        self.assertTrue(gone.ok and gone.seconds < DELETE_LIMIT, f"delete of the pod: {gone}")
        self.assert_host_unharmed(*thieves)
        return taken

    def test_the_others_do_not_feel_it(self):
        with self.attack():
            far = self.front.pod().run(["sleep", "1000"], mode="pod")
            quiet, storm = self.quiet(far), self.storm(far)
            ratios = {}
            print(f"\n{'another pod, ms':20}{'quiet p50':>10}{'p99':>8}{'storm p50':>11}{'p99':>8}{'ratio':>7}{'calls':>7}")
            for what, times in quiet.items():
                numbers = [percentile(values, part) * 1000 for values in (times, storm[what]) for part in (0.5, 0.99)]
                ratios[what] = numbers[3] / numbers[1]
                print(f"{what:20}{numbers[0]:10.1f}{numbers[1]:8.1f}{numbers[2]:11.1f}{numbers[3]:8.1f}{ratios[what]:7.2f}{len(storm[what]):7}")
            sys.stdout.flush()
            if LONG:
                for what, ratio in ratios.items():
                    self.assertLess(ratio, WORST_RATIO, f"p99 of {what}")
            self.assert_far_works(far)


if __name__ == "__main__":
    main()
