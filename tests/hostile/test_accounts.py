"""Kinds 12, 15 and 17: the kernel's accounts of a user, which equal users of the host share, and names in a space that all share."""
from hostile_test import HostileTest, main, on_both_fronts

OWN = 700000  # the first of the host's ids that the mapped pods have
MAPS = [{"containerID": 0, "hostID": OWN, "size": 65536}]


@on_both_fronts
class Accounts:
    def test_descriptors_in_flight(self):
        """As long as the thief sleeps, other pods launch and exec."""
        for access in self.chosen(("open", "private")):
            with self.attack(access=access):
                self.fly(access)

    def fly(self, access):
        thief = self.front.pod().run(["thief", "inflight"], caps=None, mode="nested", access="private")
        other = self.front.pod()
        standing = {mode: other.run(["sleep", "1000"], mode=mode, access=access) for mode in ("pod", "nested")}
        self.assertTrue(thief.wait_output("ready"), self.story(thief))
        for mode, one in standing.items():
            self.assert_works(f"exec in {mode}", one.exec("echo", "alive"), thief)
            self.assert_works(f"exec with a terminal in {mode}", one.exec("echo", "alive", terminal=True), thief)
        for mode in ("pod", "nested", "container"):
            for terminal in (False, True):
                one = other.create(["sleep", "1000"], mode=mode, access=access, terminal=terminal, keep=True)
                self.assert_works(f"create in {mode}, terminal {terminal}", one.create_call, thief)
                self.assert_works("start", one.start(), thief)
                self.assert_works("kill", one.kill(), thief)
                self.assert_deleted("it", one, thief)
        self.assert_deleted("the thief's pod", thief.pod, thief)

    def test_keyrings_by_name(self):
        """A keyring of the name that another container's might have: its keys are nobody else's, before and after."""
        with self.attack():
            first = self.front.pod().run(["thief", "secret", "first", "stay"], caps=None, mode="container")
            self.assertTrue(first.wait_output("ready"))
            names = [first.name, *(f"c{self.front.numbers + ahead}" for ahead in range(1, 6))]
            guesses = [prefix + name for name in names for prefix in ("_ses.", "")]
            thief = self.front.pod().run(["thief", "keyring", "100", *guesses, "_ses", "_uid_ses.0"], caps=None, mode="container")
            self.assertTrue(thief.wait_output("ready"))
            second = self.front.pod().run(["thief", "secret", "second", "stay"], caps=None, mode="container")
            self.assertTrue(second.wait_output("ready"))
            execs = [first.exec("thief", "secret", "of an exec"), second.exec("thief", "secret", "of another")]
            for done in execs:
                self.assert_works("exec", done, thief)
                self.assertNotIn("thief's keyring", done.text, self.story(thief))
            self.assert_host_unharmed(thief, first, second)

    def mapped(self, args, pod=None, **options):
        """A container of a user namespace whose ids others have as well: of its own pod, or its own."""
        if self.front.name == "coveyd":
            pod = pod or self.front.pod(namespaces={"user": {"uidMappings": MAPS, "gidMappings": MAPS}})
            no_name = lambda config: config.pop("hostname")
            return pod.create(args, caps=None, mode="container", pod_owner=OWN, change=no_name, keep=True, **options)

        def change(config):
            config["linux"]["namespaces"].append({"type": "user"})
            config["linux"].update(uidMappings=MAPS, gidMappings=MAPS)
        return self.front.pod().create(args, caps=None, mode="container", pod_owner=OWN, change=change, keep=True, **options)

    def test_the_quota_of_keys(self):
        """Who fills it forbids nobody a create, an exec, a kill or a delete."""
        with self.attack():
            standing = self.mapped(["sleep", "1000"])
            self.assert_works("create", standing.create_call)
            self.assert_works("start", standing.start())
            thief = self.mapped(["thief", "quota"])
            self.assert_works("create", thief.create_call)
            self.assert_works("start", thief.start())
            self.assertTrue(thief.wait_output("ready"), self.story(thief))
            self.assert_works("exec of another", standing.exec("echo", "alive"), thief)
            self.assert_works("exec into itself", thief.exec("echo", "alive"), thief)
            new = self.mapped(["sleep", "1000"])
            self.assert_works("create of another", new.create_call, thief)
            self.assert_works("start", new.start(), thief)
            for one in (standing, new, thief):
                self.assert_deleted(one.name, one, thief)


if __name__ == "__main__":
    main()
