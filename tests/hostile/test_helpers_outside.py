"""Kind 2: what Covey leaves beside a container (a spawner, the launchers of execs) is out of its hands."""
from hostile_test import HostileTest, main, on_both_fronts


@on_both_fronts
class Helpers:
    def test_traced_by_the_container_they_serve(self):
        """In pid mode node they are in sight; then restricted access is refused, or they cannot be traced."""
        for mode in self.chosen(("node", "pod", "nested", "container", "target")):
            for access in self.chosen(("private", "observer")):
                with self.attack(mode=mode, access=access):
                    self.trace(mode, access)

    def trace(self, mode, access):
        pod, near, far = self.bystanders()
        thief = pod.create(["thief", "trace", "100", str(self.canary)], caps=["SYS_PTRACE"], mode=mode, access=access,
                           target=near if mode == "target" else None, keep=True)
        self.note("create", thief.create_call)
        if not thief.create_call.ok:
            self.assertEqual(mode, "node", thief.create_call)
            for word in ("node" if self.front.name == "coveyd" else "namespace", "access"):
                self.assertIn(word, thief.create_call.text, "a refusal names what cannot be kept")
            return
        self.assert_works("start", thief.start(), thief)
        self.assertTrue(thief.wait_output("ready"), self.story(thief))
        for _ in range(3):
            self.assert_answered("exec", thief.exec("sleep", "0.05"), thief)
        self.assert_host_unharmed(thief)
        self.assert_near_works(near, thief)
        self.assert_far_works(far, thief)
        self.assert_deleted("the thief", thief, thief)


if __name__ == "__main__":
    main()
