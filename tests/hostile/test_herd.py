"""Kind 3: a neighbour's processes, moved by their numbers into groups of the thief's, in a user namespace of its own."""
import pathlib

from hostile_test import HostileTest, main, on_both_fronts

MOUNT = pathlib.Path("/sys/fs/cgroup")
ROOTS = [name for name in ("freezer", "cpu", "pids") if (MOUNT / name).is_dir()] + ["v2"]


@on_both_fronts
class Herd:
    def test_a_restricted_container_moves_no_neighbour(self):
        """Won: by a v1 freezer the neighbour stood still, whatever the domain held back."""
        for access in ("private", "observer"):
            with self.attack(access=access):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "herd", *ROOTS], mode="pod", access=access)
                self.assertTrue(thief.wait_output("GOT"), self.story(thief))
                self.assert_host_unharmed(thief)
                execs = thief.exec("thief", "herd", *ROOTS, timeout=3)
                self.assertNotIn("WON", execs.text)
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)


if __name__ == "__main__":
    main()
