"""Kinds 3 and 8: cgroup file systems that a container mounts in a user namespace of its own. It is in a group of its own in
every hierarchy, so it reaches nobody else's, lifts none of its limits, and what it builds there keeps nobody waiting."""
import os
import pathlib
import resource
import threading

import fronts
import runtime_front
from hostile_test import HostileTest, main, on_both_fronts

MOUNT = pathlib.Path("/sys/fs/cgroup")
HIERARCHIES = [name for name in ("freezer", "cpu", "devices", "pids", "blkio", "systemd") if (MOUNT / name).is_dir()]
ROOTS = {**{name: MOUNT / name for name in HIERARCHIES}, "v2": MOUNT / "unified" if (MOUNT / "unified").is_dir() else MOUNT}
FEW_DESCRIPTORS = 1024


@on_both_fronts
class Groups:
    @classmethod
    def start_front(cls):
        """The shim has as few descriptors as a service manager gives it."""
        super().start_front()
        if cls.front.name == "coveyd":
            resource.prlimit(cls.front.daemon.process.pid, resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))

    def what_is_left(self):
        left = super().what_is_left()
        # What a thief that won has made at the root of the host's hierarchies.
        for root in ROOTS.values():
            for group in root.glob("covey-thief*"):
                runtime_front.end_group(group)
        return left

    def test_a_group_of_the_hosts_is_neither_seen_nor_written(self):
        """Won in 5 v1 hierarchies of 5, in each mode: a private container froze the canary's group."""
        name = f"covey-canary-{os.getpid()}-{self.front.name}"
        for root in ROOTS.values():
            (root / name).mkdir()
        try:
            for mode in ("pod", "nested", "container"):
                with self.attack(mode=mode):
                    pod, near, far = self.bystanders()
                    # In reach of neighbours private access has no user namespace (test_herd.py).
                    thief = pod.run(["thief", "groups", name, *ROOTS], mode=mode, access="open" if mode == "pod" else "private")
                    for root in ROOTS:
                        self.assertTrue(thief.wait_output(f" {root}:"), self.story(thief))
                    self.assert_host_unharmed(thief)
                    execs = thief.exec("thief", "groups", name, *ROOTS)
                    self.assertNotIn("WON", execs.text)
                    self.assert_bystanders_work(near, far, thief)
                    self.assert_deleted("the thief", thief, thief)
        finally:
            for root in ROOTS.values():
                runtime_front.end_group(root / name)
            self.assertEqual([root for root in ROOTS.values() if (root / name).exists()], [], "the canary's own groups are left")

    def test_no_limit_is_lifted(self):
        """Won: 60 processes under a limit of 20, by writing its own pids.max."""
        if "pids" not in ROOTS:
            self.skipTest("there is no v1 hierarchy pids here; v2's own files are beyond a cgroup namespace's root")
        for mode in ("pod", "nested"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "lift", "pids", "pids.max", "max", "60"], mode=mode, resources={"pids": {"limit": 20}})
                self.assertTrue(thief.wait_output("forks"), self.story(thief))
                forks = int(thief.output().split("forks: ")[1].split()[0])
                self.assertLess(forks, 20, self.story(thief))
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)

    def test_who_freezes_itself_is_deleted(self):
        for mode in ("pod", "nested"):
            for what in ("freeze-self", "freeze-below"):
                for root in ("v2", "freezer"):
                    if root not in ROOTS:
                        continue
                    with self.attack(mode=mode, what=what, root=root):
                        pod, near, far = self.bystanders()
                        thief = pod.run(["thief", what, root], mode=mode)
                        self.assertTrue(thief.wait_output("GOT"), self.story(thief))
                        thief.exec("true", timeout=2)
                        self.assert_bystanders_work(near, far, thief)
                        self.assert_deleted("the thief", thief, thief)
                        self.assert_bystanders_work(near, far, thief)
                        self.assert_deleted("the pod", pod, thief)

    def test_a_tree_of_groups_is_taken_down(self):
        """1,500 deep, with few descriptors: the shim ended, and the neighbour with it. Thousands side by side, and 1,500 deep where
        no limit holds (v1): a delete that does not end within 5 s, as each try began anew."""
        for what, root, count in (("deep-groups", "v2", 1500), ("wide-groups", "v2", 4000), ("deep-groups", "freezer", 1500),
                                  ("wide-groups", "freezer", 6000)):
            if root not in ROOTS:
                continue
            with self.attack(what=what, root=root):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", what, root, str(count)], mode="pod")
                self.assertTrue(thief.wait_output("GOT", 20), self.story(thief))
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)
                self.assert_bystanders_work(near, far, thief)

    def test_a_list_of_many_groups_keeps_nobody_else(self):
        """Won: coveyd answered nobody while it listed the processes of a pod with thousands of groups, 2.7 s on a busy machine."""
        if self.front.name != "coveyd":
            self.skipTest("covey-runtime has no loop: each command is a process of its own")
        with self.attack():
            pod, near, far = self.bystanders()
            thieves = [pod.run(["thief", "wide-groups", "v2", "4000"], mode="pod") for _ in range(3)]
            for thief in thieves:
                self.assertTrue(thief.wait_output("GOT", 20), self.story(thief))
            lists = []
            asked = [threading.Thread(target=lambda: lists.append(self.front.call("GET", f"/v1/sandboxes/{pod.name}/processes")))
                     for _ in range(3)]
            for one in asked:
                one.start()
            worst, answers = 0.0, 0
            while any(one.is_alive() for one in asked):
                call = self.front.call("GET", "/v1/version")
                self.assertTrue(call.ok, call)
                worst, answers = max(worst, call.seconds), answers + 1
            for one in asked:
                one.join()
                self.assert_works("list", lists.pop())
            print(f"{answers} answers beside three lists, the slowest after {worst * 1000:.0f} ms", flush=True)
            self.assertGreater(answers, 3, "the lists were too quick to tell")
            self.assertLess(worst, 0.1, self.story(*thieves))
            self.assert_deleted("the pod", pod, *thieves)

    def test_a_groups_name_is_data(self):
        """Bytes of no alphabet and escapes in the name of a group below the container's own."""
        for name in ("%ff%fe%1b[31m.exec", "x.ctr", "%1b]0;title%07.pod"):
            with self.attack(name=name):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "name-group", name], mode="pod")
                thief.wait_output("GOT")
                if self.front.name == "coveyd":
                    listed = self.front.call("GET", f"/v1/sandboxes/{pod.name}/processes")
                    self.assert_works("processes", listed, thief)
                    self.assertNotIn("\x1b", listed.text)
                    owners = {one.get("container") for one in self.front.client.get(f"/v1/sandboxes/{pod.name}/processes").json["items"]}
                    self.assertNotIn("x", owners)
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)


if __name__ == "__main__":
    main()
