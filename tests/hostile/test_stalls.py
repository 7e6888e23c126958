"""Processes that keep others waiting: whoever reaps, stops, lists or ends them."""
import subprocess
import threading
import time

from hostile_test import DELETE_LIMIT, HostileTest, main, on_both_fronts

FUSE_DEVICE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666, "uid": 0, "gid": 0}


def with_fuse(config):
    """What a bundle of a FUSE user says."""
    config["linux"]["devices"] = [FUSE_DEVICE]
    config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"},
                                                {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]}


@on_both_fronts
class Stalls:
    def assert_listed(self, pod, *thieves):
        """Whoever reads /proc of the pod's processes is not kept."""
        if self.front.name == "coveyd":
            listed = self.front.call("GET", f"/v1/sandboxes/{pod.name}/processes", timeout=5)
            self.assert_works("list of processes", listed, *thieves)
            self.assert_works("metrics", self.front.call("GET", "/v1/healthz", timeout=5), *thieves)

    def test_a_neighbour_that_is_traced_is_deleted(self):
        """A tracer that does not wait keeps the zombie from its parent. Won: delete 408 after 30 s, and the shim spun."""
        for mode in ("pod", "nested"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                victim = pod.run(["busybox", "sleep", "1001"], mode=mode)
                thief = pod.run(["thief", "trace-all", "busybox"], mode="pod", caps=["SYS_PTRACE"])
                self.assertTrue(thief.wait_output("GOT"), self.story(thief))
                self.assert_deleted("the victim", victim, thief)
                self.assert_deleted("the thief", thief, thief)
                self.assert_deleted("the pod", pod, thief)

    def test_a_start_that_is_stopped_is_deleted(self):
        """Every newborn is sent SIGSTOP by a neighbour of the same user. Won: coveyd's delete waited for the start, 28 s. Who may stop
        a neighbour's processes may keep its execs, too, for as long as he is there: that is the user's right, not Covey's."""
        for mode in ("pod", "nested"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "stop-all", "covey:init"], mode="pod")
                if self.front.name == "coveyd":
                    self.delete_meanwhile(pod, mode, thief)
                else:
                    victim = self.begin(pod, mode)
                    self.assert_deleted("the victim", victim, thief)
                self.assert_far_works(far, thief)
                self.assert_deleted("the thief", thief, thief)
                self.assert_near_works(near, thief)
                self.assert_deleted("the pod", pod, thief)

    def begin(self, pod, mode):
        victim = pod.create(["sleep", "1001"], mode=mode, keep=True)
        self.note("create", victim.create_call)
        if victim.create_call.ok:
            self.note("start", victim.start(timeout=2))
        return victim

    def delete_meanwhile(self, pod, mode, thief):
        """Whoever waits for the create or the start is answered then, too."""
        name = f"c{self.front.numbers + 1}"
        beginning = threading.Thread(target=self.begin, args=(pod, mode))
        beginning.start()
        thief.wait_output("GOT", 3)
        time.sleep(0.5)
        gone = self.note("delete meanwhile", self.front.call("DELETE", f"/v1/containers/{name}?force=true"))
        beginning.join(DELETE_LIMIT)
        self.assertTrue(gone.ok and gone.seconds < DELETE_LIMIT, self.story(thief))
        self.assertFalse(beginning.is_alive(), f"whoever made it still waits\n{self.story(thief)}")

    def test_a_fork_bomb_is_deleted(self):
        for mode in ("pod", "nested", "container"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", "bomb"], mode=mode, resources={"pids": {"limit": 200}})
                self.assertTrue(thief.wait_output("ready"))
                self.assert_bystanders_work(near, far, thief)
                self.assert_listed(pod, thief)
                self.note("TERM to all", thief.kill("TERM", timeout=10))
                self.assert_deleted("the thief", thief, thief)
                self.assert_bystanders_work(near, far, thief)

    def connections(self, container):
        """The numbers of its file systems, as fusectl has them: asked while its first thread lives."""
        with open(f"/proc/{container.host_pid}/mountinfo", encoding="utf-8") as file:
            return [line.split()[2].split(":")[1] for line in file if " - fuse " in line]

    def abort(self, connections):
        """What ends a process that waits for its own answer, fuse.rst."""
        place = self.folder / "connections"
        place.mkdir()
        subprocess.run(["mount", "-t", "fusectl", "fusectl", place], check=True)
        try:
            for number in filter(lambda name: (place / name).exists(), connections):
                (place / number / "abort").write_text("1", encoding="ascii")
        finally:
            subprocess.run(["umount", place], check=True)
            place.rmdir()

    def test_a_silent_file_system_keeps_nobody_but_its_own_container(self):
        """Won, for the first two: one GET of the pod's processes, and coveyd answered nobody any more. One has its program there, one
        a page whose lock is never free, one waits for its own answer, so that no signal ends it."""
        for what in ("fuse-program", "fuse-memory", "fuse-deadlock"):
            with self.attack(what=what):
                pod, near, far = self.bystanders()
                thief = pod.run(["thief", what], mode="pod", change=with_fuse)
                thief.wait_output("GOT")
                connections = self.connections(thief)
                try:
                    self.assertEqual(len(connections), 1, self.story(thief))
                    for _ in range(3):
                        self.assert_listed(pod, thief)
                    self.assert_bystanders_work(near, far, thief)
                    gone = self.note("delete while it waits", thief.delete(timeout=20))
                    self.assert_bystanders_work(near, far, thief)
                    if not gone.ok:
                        # Nobody can end it. Who waits, and in what, is said in time.
                        self.assertLess(gone.seconds, DELETE_LIMIT + 1, self.story(thief))
                        self.assertRegex(gone.text, r"process \d+", self.story(thief))
                finally:
                    self.abort(connections)
                self.assert_deleted("the pod", pod, thief)

    def test_streams_that_are_held_open_keep_no_exec(self):
        with self.attack():
            pod, near, far = self.bystanders()
            keeper = pod.run(["thief", "keep-streams", "/tmp/s"], mode="pod")
            self.assertTrue(keeper.wait_output("ready"))
            for words in (["thief", "hold-streams"], ["thief", "pass-streams", "/tmp/s"]):
                done = keeper.exec(*words, timeout=5)
                self.note(words[1], done)
                self.assertLess(done.seconds, 5, self.story(keeper))
            self.assert_bystanders_work(near, far, keeper)
            self.assert_deleted("the keeper", keeper, keeper)


if __name__ == "__main__":
    main()
