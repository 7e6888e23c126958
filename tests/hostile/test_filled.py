"""Accounts that the kernel keeps for each user, or once for the host, filled by one container without a capability: kill, exec of
what runs and delete go on in other pods; what cannot be had is refused by the account's name and never as "internal"."""
from hostile_test import HostileTest, main, on_both_fronts

MANY = [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 20000}]


def many_descriptors(config):
    config["process"]["rlimits"] = MANY


@on_both_fronts
class Accounts:
    def filled(self, account, most):
        pod, near, far = self.bystanders()
        thief = pod.run(["thief", "fill", account, str(most)], mode="nested", access="private", caps=None, change=many_descriptors,
                        resources={"pids": {"limit": 300}})
        self.assertTrue(thief.wait_output("GOT", 30), self.story(thief))
        self.assert_bystanders_work(near, far, thief)
        return near, far, thief

    def assert_named(self, what, call, *words):
        """It works, or the refusal says which account is full."""
        self.note(what, call)
        if call.ok:
            return
        self.assertNotIn('"internal"', call.text, self.story())
        self.assertTrue(any(word in call.text for word in words), f"{what} names none of {words}: {call}")

    def test_ptys(self):
        """The host has 4,096, a quarter of them its own."""
        with self.attack():
            near, far, thief = self.filled("ptys", 5000)
            with_terminal = far.pod.create(["sleep", "1000"], terminal=True, keep=True)
            self.assert_named("create with a terminal", with_terminal.create_call, "kernel.pty.max")
            self.assert_named("exec with a terminal", far.exec("true", terminal=True), "kernel.pty.max")
            self.assert_works("create without one", far.pod.create(["sleep", "1000"]).start(), thief)
            self.assert_deleted("the thief", thief, thief)

    def test_inotify_instances(self):
        """128 for each user."""
        with self.attack():
            near, far, thief = self.filled("inotify", 500)
            self.assert_works("create", far.pod.create(["sleep", "1000"]).start(), thief)
            self.assert_deleted("the thief", thief, thief)

    def test_namespaces(self):
        """Counted for whoever owns the user namespace above all: the host's root, for containers without one of their own."""
        with self.attack():
            near, far, thief = self.filled("uts", 200_000)
            try:
                self.front.pod()
            except AssertionError as refusal:
                self.assertNotIn('"internal"', str(refusal))
                self.assertIn("user.max_", str(refusal))
            self.assert_works("kill in another pod", far.kill("TERM"), thief)
            self.assert_deleted("the thief", thief, thief)


if __name__ == "__main__":
    main()
