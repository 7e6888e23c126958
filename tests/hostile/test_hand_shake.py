"""Kind 1: whoever is visible in the pod holds nothing by which its maker believes more than it must."""
from hostile_test import HostileTest, main, on_both_fronts

FEW = ("spawner", "born", "still", "hold", "babble", "keep")
LIES = ("hold", "spawner", "born", "twice", "listener", "still", "flood", "swallow", "garbage", "fill", "empty", "shutdown", "recv",
        "terminal", "failed", "flags", "babble", "puppet", "keep")


@on_both_fronts
class Theft:
    def rob(self, lie, mode, stop=0):
        """A neighbour with SYS_PTRACE robs a launch and the execs of the container; then everybody else must be well."""
        pod, near, far = self.bystanders()
        thief = pod.run(self.thief(lie, stop), caps=["SYS_PTRACE"], mode="pod")
        thief.wait_output("ready")
        victim = pod.create(["sleep", "1000"], mode=mode, keep=True)
        self.assert_answered("create", victim.create_call, thief)
        thief.wait_output("TRIED", 0.5)
        for step in ("exec", "start", "exec"):
            done = victim.start() if step == "start" else victim.exec("cat", self.canary)
            self.assert_not_on_host(done, thief)
            self.assert_answered(step, done, thief)
        self.assert_host_unharmed(thief)
        self.assert_goes_on(near, thief)
        self.assert_far_works(far, thief)
        self.assert_answered("exec of a neighbour", near.exec("echo", "alive"), thief)
        self.assert_deleted("the victim", victim, thief)
        self.assert_deleted("the thief", thief, thief)
        self.assert_near_works(near, thief)
        self.assert_deleted("the pod", pod, thief)

    def test_every_lie(self):
        for mode in self.chosen(("pod", "nested")):
            for lie in self.chosen(LIES, FEW if mode == "pod" else LIES):
                with self.attack(lie=lie, mode=mode):
                    self.rob(lie, mode)

    def test_a_newborn_that_is_stopped(self):
        """Before it has said a word of its own."""
        for lie in self.chosen(("hold", "spawner", "born", "terminal", "empty", "puppet")):
            for mode in self.chosen(("pod", "nested"), ("nested",)):
                with self.attack(lie=lie, mode=mode, stop=300):
                    self.rob(lie, mode, stop=300)

    def test_a_container_robs_the_execs_into_itself(self):
        """Without any neighbour: what it may trace are its own processes, and those that Covey puts beside them."""
        few, many = ("spawner", "listener", "flood"), ("hold", "spawner", "born", "listener", "still", "flood", "empty", "babble", "puppet")
        for mode, access, lies in (("nested", "private", many), ("pod", "private", few), ("container", "open", few)):
            for lie in self.chosen(lies):
                with self.attack(lie=lie, mode=mode, access=access):
                    pod, near, far = self.bystanders()
                    thief = pod.run(self.thief(lie, 100), caps=["SYS_PTRACE"], mode=mode, access=access)
                    thief.wait_output("ready")
                    self.exec_under_attack(thief, thief)
                    self.assert_all_well(pod, near, far, thief)

    def test_from_the_namespace_of_the_victim(self):
        """Pid mode target, as a debugger that has been taken over."""
        for lie in self.chosen(("spawner", "born", "listener", "flood")):
            for mode in self.chosen(("nested", "container"), ("container",)):
                with self.attack(lie=lie, mode=mode):
                    pod, near, far = self.bystanders()
                    victim = pod.run(["sleep", "1000"], mode=mode)
                    thief = pod.run(self.thief(lie, 100), caps=["SYS_PTRACE"], mode="target", target=victim)
                    thief.wait_output("ready")
                    self.exec_under_attack(victim, thief)
                    self.assert_all_well(pod, near, far, thief)

    def thief(self, lie, stop=0):
        return ["thief", "theft", "100", lie, str(self.canary), str(stop)]

    def exec_under_attack(self, one, thief):
        for _ in range(3):
            done = one.exec("cat", self.canary)
            self.assert_not_on_host(done, thief)
            self.assert_answered("exec", done, thief)

    def assert_all_well(self, pod, near, far, thief):
        self.assert_host_unharmed(thief)
        self.assert_goes_on(near, thief)
        self.assert_far_works(far, thief)
        self.assert_deleted("the thief", thief, thief)
        self.assert_near_works(near, thief)
        self.assert_deleted("the pod", pod, thief)


if __name__ == "__main__":
    main()
