"""Kinds 9 and 10: what a newcomer in pid mode nested costs its neighbours, when one of them cannot be frozen and when the
newcomer itself may hardly run."""
import shutil
import tempfile
import threading
import time

from hostile_test import HostileTest, main, on_both_fronts

MOST_GAP = 500  # milliseconds; 50 are promised, and the machine may be busy


@on_both_fronts
class Stillness:
    def worst_gap(self, near):
        """How long the neighbour (thief tick) has stood still at the worst, in milliseconds; it tells when it goes on."""
        time.sleep(0.05)
        gaps = [int(line.split()[1]) for line in near.output().splitlines() if line.startswith("GAP")]
        return max(gaps, default=0)

    def come(self, pod, near, **options):
        """A nested newcomer, and meanwhile a neighbour's exec: (the newcomer, how the exec went, the gap)."""
        execs = []
        meanwhile = threading.Timer(0.05, lambda: execs.append(near.exec("echo", "alive")))
        meanwhile.start()
        newcomer = pod.create(["sleep", "1000"], mode="nested", keep=True, **options)
        meanwhile.join()
        gap = self.worst_gap(near)
        self.note("create", newcomer.create_call)
        self.note("exec meanwhile", execs[0])
        self.evidence.append(f"  the neighbour stood still for {gap} ms")
        print(f"{self.front.name}: create {newcomer.create_call.seconds:.2f} s, exec {execs[0].seconds:.2f} s, gap {gap} ms", flush=True)
        return newcomer, execs[0], gap

    def test_a_neighbour_that_cannot_be_frozen(self):
        for caps in (None, ("SYS_PTRACE",)):
            with self.attack(caps=caps):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "unfreezable"], caps=caps, mode="pod")
                self.assertTrue(thief.wait_output("ready"))
                newcomer, meanwhile, gap = self.come(pod, near)
                if not newcomer.create_call.ok:
                    self.assertIn(thief.name, newcomer.create_call.text, "a refusal names who cannot be frozen")
                self.assert_works("exec meanwhile", meanwhile, thief)
                self.assertLess(max(gap, meanwhile.seconds * 1000), MOST_GAP, self.story(thief))
                self.assert_goes_on(near, thief)
                self.assert_far_works(far, thief)
                self.assert_deleted("the thief", thief, thief)
                self.assert_deleted("the pod", pod, thief)

    def test_a_newcomer_that_may_hardly_run(self):
        with self.attack():
            pod, near, _ = self.bystanders()
            few = {"cpu": {"quota": 1000, "period": 1000000}}
            # Where its share of time runs out is chance.
            for _ in range(5):
                newcomer, meanwhile, gap = self.come(pod, near, resources=few)
                self.assertTrue(newcomer.create_call.ok, self.story())
                self.assert_works("exec meanwhile", meanwhile)
                self.assertLess(gap, MOST_GAP, self.story())
            self.assert_deleted("the pod", pod)


@on_both_fronts
class Handed:
    """A neighbour has a number for a newborn by what another hands it: a descriptor of the pod's procfs."""

    def test_a_nested_neighbour_with_sys_ptrace(self):
        for mode in ("nested", "container"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                shared = tempfile.mkdtemp(prefix="covey-handed.")
                self.addCleanup(shutil.rmtree, shared)
                words = ("/shared/socket", "30", str(self.canary))
                giver = pod.run(["thief", "hand", *words], mode="pod", volumes={"/shared": shared})
                thief = pod.run(["thief", "take", *words], mode=mode, caps=["SYS_PTRACE"], volumes={"/shared": shared})
                self.assertTrue(thief.wait_output("ready") and giver.wait_output("ready"), self.story(thief, giver))
                for _ in range(5):
                    victim = pod.create(["sleep", "1000"], mode="nested", keep=True)
                    self.assert_answered("create", victim.create_call, thief)
                    self.assert_host_unharmed(thief)
                    self.assert_deleted("the victim", victim, thief)
                self.assert_goes_on(near, thief)
                for one in (thief, giver):
                    self.assert_deleted("a thief", one, thief)
                self.assert_bystanders_work(near, far)


if __name__ == "__main__":
    main()
