"""Kind 13, and its siblings in the unit of death: whoever is in the group dies with it, however it stands."""
import time

from hostile_test import HostileTest, main, on_both_fronts

BEAT = "tmp/beat"


@on_both_fronts
class DeadLeader:
    """A process whose first thread has ended. cgroup.kill alone leaves it alive on Linux 6.18."""

    def beats(self, container):
        """Whether the heart still beats: written by a thread of the process in question."""
        path = container.rootfs / BEAT
        before = path.stat().st_size if path.exists() else 0
        time.sleep(0.3)
        return (path.stat().st_size if path.exists() else 0) > before

    def leader(self, mode):
        pod, near, far = self.bystanders()
        thief = pod.run(["thief", "dead-leader", "/" + BEAT], mode=mode, access="private")
        self.assertTrue(thief.wait_output("ready"))
        return pod, near, far, thief

    def assert_stopped(self, what, container, *thieves):
        end = time.monotonic() + 5
        while self.beats(container) and time.monotonic() < end:
            pass
        self.assertFalse(self.beats(container), f"{what}: it writes on\n{self.story(*thieves)}")

    def test_delete_and_kill(self):
        """Won in mode pod: delete of the container 408 after 30 s and it wrote on; kill --all did nothing."""
        for mode in ("pod", "nested"):
            for how in ("kill", "delete", "pod"):
                with self.attack(mode=mode, how=how):
                    pod, near, far, thief = self.leader(mode)
                    if how == "kill":
                        self.assert_works("kill of all", thief.kill("KILL"), thief)
                        self.assert_stopped("kill", thief)
                    self.assert_deleted(how, pod if how == "pod" else thief, thief)
                    self.assert_stopped(how, thief)
                    if how == "pod":  # the neighbour has gone with it
                        self.assert_works("exec in another pod", far.exec("true"), thief)
                    else:
                        self.assert_bystanders_work(near, far, thief)

    def test_an_execs_end(self):
        """The exec's process is over with its client's call; what it left runs until the container's end at most."""
        for mode in ("pod", "nested"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                host = pod.run(["sleep", "1000"], mode=mode)
                gone = host.exec("thief", "dead-leader", "/" + BEAT, timeout=2)
                self.note("exec that its client left", gone)
                self.assert_deleted("the container", host)
                self.assert_stopped("delete", host)
                self.assert_bystanders_work(near, far)


if __name__ == "__main__":
    main()
