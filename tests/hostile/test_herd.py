"""Kind 3: others' processes, moved by their numbers into groups of the thief's, in a user namespace of its own."""
import pathlib
import threading

from hostile_test import HostileTest, main, on_both_fronts

MOUNT = pathlib.Path("/sys/fs/cgroup")
PURE_V1 = not (MOUNT / "unified").is_dir() and not (MOUNT / "cgroup.controllers").exists()
ROOTS = [name for name in ("freezer", "cpu", "pids") if (MOUNT / name).is_dir()] + ["v2"]


@on_both_fronts
class Herd:
    def test_a_restricted_container_moves_no_neighbour(self):
        """Won: by a v1 freezer the neighbour stood still, whatever the domain held back."""
        for access in ("private", "observer"):
            with self.attack(access=access):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "herd", "neighbours", "freeze", *ROOTS], mode="pod", access=access)
                self.assertTrue(thief.wait_output("GOT"), self.story(thief))
                self.assert_host_unharmed(thief)
                execs = thief.exec("thief", "herd", "neighbours", "freeze", *ROOTS, timeout=3)
                self.assertNotIn("WON", execs.text)
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)

    def herded(self, how):
        """A pod all of whose processes, the first one too, are in groups of the thief's."""
        pod, near, far = self.bystanders()
        thief = pod.run(["thief", "herd", "all", how, *ROOTS], mode="pod", access="open")
        for root in ROOTS:
            self.assertTrue(thief.wait_output(f" {root} moves"), self.story(thief))
        moved = [line.split(":")[1].split() for line in thief.output().splitlines() if line.startswith("GOT v2")]
        if not moved or "1" not in moved[0]:
            self.skipTest(f"this host lets nobody move others: {self.story(thief)}")
        return pod, near, far, thief

    def test_who_is_moved_does_not_end_with_the_thief(self):
        """Won: the pod's first process ended with the thief's group, and the pod with it."""
        for ending in ("delete", "kill"):
            for how in ("once", "freeze", "again"):
                with self.attack(ending=ending, how=how):
                    pod, near, far, thief = self.herded(how)
                    if ending != "delete":
                        self.note("kill", thief.kill("KILL"))
                    self.assert_deleted("the thief", thief, thief)
                    self.assert_goes_on(near, thief)
                    self.assert_bystanders_work(near, far, thief)
                    self.assert_deleted("the pod", pod, thief)

    def test_who_is_moved_ends_all_the_same(self):
        """Won: a neighbour that stood still in a group of the thief's could not be deleted."""
        for what in ("neighbour", "pod"):
            for how in ("once", "freeze", "again"):
                with self.attack(what=what, how=how):
                    pod, near, far, thief = self.herded(how)
                    if what == "neighbour":
                        self.assert_deleted("the neighbour", near, thief)
                        self.assertFalse(pathlib.Path(f"/proc/{near.host_pid}").exists(), "its main process lives")
                    self.assert_deleted("the pod", pod, thief)
                    self.assert_far_works(far, thief)

    def test_who_stands_still_is_not_moved_on(self):
        """A launch in mode nested holds still whoever may look into its newborn; and whoever could move such a one into a group of
        its own, where it goes on. Before, the latter was not held, whatever it could do."""
        identity = "freezer" if PURE_V1 else "v2"
        for how in ("late", "alone"):
            with self.attack(how=how):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "seize", "100"], caps=["SYS_PTRACE"], mode="pod", access="open")
                self.assertTrue(thief.wait_output("ready"))
                herder = pod.run(["thief", "herd", "all", how, identity], mode="pod", access="open")
                self.assertTrue(herder.wait_output(f"{identity} moves"), self.story(herder))
                held = threading.Event()
                over = threading.Event()
                watch = threading.Thread(target=self.watch_frozen, args=(herder, held, over))
                watch.start()
                for _ in range(10):
                    newcomer = pod.create(["sleep", "1000"], mode="nested", keep=True)
                    self.assert_answered("create", newcomer.create_call, thief, herder)
                    self.assert_host_unharmed(thief)
                    if held.is_set():
                        break
                over.set()
                watch.join()
                self.assertTrue(held.is_set(), f"who could move the others was never held\n{self.story(thief, herder)}")
                self.assert_far_works(far, thief)
                self.assert_deleted("the herder", herder, thief)
                self.assert_deleted("the thief", thief, thief)
                self.assert_bystanders_work(near, far, thief)
                newcomer = pod.create(["sleep", "1000"], mode="nested")
                self.assert_works("a nested newcomer", newcomer.create_call)

    @staticmethod
    def watch_frozen(container, held, over):
        """Whether the container's group is told to stand still, as its file says."""
        line = ":freezer:" if PURE_V1 else "0::"
        lines = pathlib.Path(f"/proc/{container.host_pid}/cgroup").read_text(encoding="ascii").splitlines()
        path = next(one.split(":", 2)[2] for one in lines if line in one).removesuffix("/main").lstrip("/")
        mount = MOUNT / "freezer" if PURE_V1 else MOUNT / "unified" if (MOUNT / "unified").is_dir() else MOUNT
        file = open(mount / path / ("freezer.state" if PURE_V1 else "cgroup.freeze"), encoding="ascii")
        while not over.is_set() and not held.is_set():
            file.seek(0)
            if file.read().strip() in ("1", "FROZEN", "FREEZING"):
                held.set()


if __name__ == "__main__":
    main()
