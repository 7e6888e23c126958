"""Kind 6: a container without any capability makes children that nobody knows, and traced ones; it ends all the same."""
import os

from fronts import wait_for
from hostile_test import HostileTest, main, on_both_fronts

FEW = {"pids": {"limit": 100}}


def zombie_children(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] == "Z" and fields[1] == str(parent):
            found.append(int(pid))
    return found


@on_both_fronts
class Children:
    def test_made_by_main_and_by_execs(self):
        for mode in self.chosen(("pod", "nested", "container")):
            for kind in self.chosen(("zombies", "traceme", "both")):
                with self.attack(mode=mode, kind=kind):
                    self.multiply(mode, kind)

    def multiply(self, mode, kind):
        pod, near, far = self.bystanders()
        thief = pod.run(["thief", "children", kind, "40", "stay"], caps=None, mode=mode, resources=FEW)
        self.assertTrue(thief.wait_output("ready"), self.story(thief))
        host = pod.run(["sleep", "1000"], caps=None, mode=mode, resources=FEW)
        for words in (["40"], ["40"]):
            done = host.exec("thief", "children", kind, *words, timeout=10)
            self.note("exec", done)
            self.assertTrue(done.ok and "ready" in done.text, f"an exec whose process has ended ends\n{self.story(thief)}")
        shim = self.parent_of(near)
        if shim != os.getpid():  # covey-runtime's is this process, which waits for whoever ends
            try:
                wait_for(lambda: not zombie_children(shim), 3)
            except AssertionError:
                self.fail(f"the shim keeps {len(zombie_children(shim))} zombies\n{self.story(thief)}")
        self.assert_near_works(near, thief)
        self.assert_far_works(far, thief)
        self.assert_deleted("the container with the execs", host, thief)
        self.assert_deleted("the thief", thief, thief)
        last = pod.run(["thief", "children", kind, "40", "stay"], caps=None, mode=mode, resources=FEW)
        self.assertTrue(last.wait_output("ready"))
        self.assert_deleted("the pod", pod, last)

    @staticmethod
    def parent_of(container):
        with open(f"/proc/{container.host_pid}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
