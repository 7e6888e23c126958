"""What a debugger lends to its neighbours: nothing that they do not reach by themselves."""
from covey_client import main
from test_debug import DebugTest


class Lending(DebugTest):
    """Who may inspect a debugger gets what it has in sight (docs/decisions/018)."""

    def neighbour(self, sandbox, add=(), start=True, **fields):
        """A container in mode pod that is open unless said otherwise; `add`: capabilities."""
        fields = {"pidMode": "pod", **fields}
        if add:
            fields["capabilities"] = {"add": list(add)}
        return self.container(sandbox, ["sleep", "2001"], start=start, **fields)

    def refused(self, sandbox, *words, **fields):
        before = sorted(item["id"] for item in self.client.get("/v1/containers").json["items"])
        answer = self.client.post(f"/v1/sandboxes/{sandbox}/debug", {"tools": self.tools, "id": "d", **fields})
        problem = self.assert_problem(answer, "failed_precondition", "debugger 'd' would lend", *words)
        self.assertIn("observer or private", problem["fix"])
        self.assertEqual(sorted(item["id"] for item in self.client.get("/v1/containers").json["items"]), before)

    def steal(self, thief, debugger):
        number = self.client.get(f"/v1/containers/{debugger}").json["podPid"]
        return self.run_in(thief, "cat", f"/proc/{number}/root/target/etc/app.conf")[1]

    def test_a_target_out_of_the_neighbours_reach_is_not_lent_to_them(self):
        """Seen winning before: with SYS_PTRACE `steal` read app.conf of a container beside the pod, in profiles general and
        sysadmin."""
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001, pidMode="container")
        for add in ((), ("SYS_PTRACE",)):
            for profile in ("general", "restricted", "sysadmin"):
                thief = self.neighbour(sandbox, add)
                self.refused(sandbox, f"'{thief}'", "the root of container 'app'", target="app", profile=profile)
                self.client.delete(f"/v1/containers/{thief}?force=true")
        # Without the target in sight nothing of it is lent.
        thief = self.neighbour(sandbox)
        self.debug(sandbox)
        self.debug(sandbox, target="app", pidMode="target")
        self.client.delete(f"/v1/containers/{thief}?force=true")

    def test_neighbours_who_cannot_inspect_it_do_not_matter(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001, pidMode="container")
        self.with_neighbours(sandbox, {"access": "private"}, {"access": "observer"})

    def test_neighbours_in_namespaces_of_their_own_do_not_matter_alone(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001, pidMode="container")
        self.with_neighbours(sandbox, {"pidMode": "nested"}, {"pidMode": "container"})
        # One who has a number for the debugger may hand it to those who have none.
        self.neighbour(sandbox, access="private")
        self.refused(sandbox, "the root of container 'app'", target="app", profile="general")

    def with_neighbours(self, sandbox, *all_fields):
        for fields in all_fields:
            self.neighbour(sandbox, ("SYS_PTRACE",), **fields)
        for profile in ("general", "restricted", "sysadmin"):
            container = self.debug(sandbox, target="app", profile=profile)
            self.assertEqual(self.run_in(container, "cat", "/target/etc/app.conf"), (0, "of app\n"))
            self.client.delete(f"/v1/containers/{container}?force=true")

    def test_whoever_reaches_the_target_anyway_is_lent_nothing(self):
        sandbox = self.sandbox(pidMode="pod")
        self.bare(sandbox, "app", 1001, access="private")
        thief = self.neighbour(sandbox)
        container = self.debug(sandbox, target="app")
        number = self.client.get("/v1/containers/app").json["podPid"]
        self.assertEqual(self.run_in(thief, "cat", f"/proc/{number}/root/etc/app.conf")[1], "of app\n")
        self.assertIn("Permission denied", self.steal(thief, container))

    def test_capabilities_that_nobody_else_has_are_not_lent(self):
        """With SYS_PTRACE alone one could trace a debugger with all of the host's capabilities."""
        sandbox = self.sandbox(pidMode="pod")
        self.bare(sandbox, "app", 1001)
        thief = self.neighbour(sandbox, ("SYS_PTRACE",))
        self.refused(sandbox, f"'{thief}'", "CAP_SYS_ADMIN", target="app", profile="sysadmin")
        self.refused(sandbox, f"'{thief}'", "CAP_NET_ADMIN", capabilities={"add": ["NET_ADMIN"]})
        self.debug(sandbox, target="app")
        self.client.delete(f"/v1/containers/{thief}?force=true")
        self.neighbour(sandbox)
        self.debug(sandbox, target="app", profile="sysadmin")

    def test_who_comes_later_is_refused_while_the_debugger_is_there(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001, pidMode="container")
        container = self.debug(sandbox, target="app")
        thief = self.neighbour(sandbox, ("SYS_PTRACE",), start=False)
        problem = self.assert_problem(self.client.post(f"/v1/containers/{thief}/start"), "failed_precondition",
                                      container, thief, "the root of container 'app'")
        self.assertIn(f"covey rm -f {container}", problem["fix"])
        self.neighbour(sandbox, ("SYS_PTRACE",), access="observer")
        self.assertEqual(self.client.delete(f"/v1/containers/{container}?force=true").status, 204)
        self.assertEqual(self.client.post(f"/v1/containers/{thief}/start").status, 200)

    def test_an_exec_with_more_is_refused_while_the_debugger_is_there(self):
        sandbox = self.sandbox(pidMode="pod")
        self.bare(sandbox, "app", 1001)
        thief = self.neighbour(sandbox)
        container = self.debug(sandbox, target="app", profile="sysadmin")
        self.assertEqual(self.run_in(thief, "true")[0], 0)
        answer = self.client.post(f"/v1/containers/{thief}/exec?cmd=true&cap=SYS_PTRACE")
        self.assert_problem(answer, "failed_precondition", container, thief, "CAP_SYS_ADMIN")

    def test_an_exec_that_had_more_before_the_debugger_came_counts(self):
        """Seen lending before: what the exec has left behind traces the debugger. Another coveyd knows it too."""
        sandbox = self.sandbox(pidMode="pod")
        self.bare(sandbox, "app", 1001)
        thief = self.neighbour(sandbox)
        self.assertEqual(self.run_in(thief, "true", cap="SYS_PTRACE")[0], 0)
        self.refused(sandbox, f"'{thief}'", "CAP_SYS_ADMIN", target="app", profile="sysadmin")
        self.daemon.kill()
        self.daemon.start()
        self.refused(sandbox, f"'{thief}'", "CAP_SYS_ADMIN", target="app", profile="sysadmin")
        self.client.delete(f"/v1/sandboxes/{sandbox}?force=true")
        self.warm_up()
        self.before = self.descriptors_at_rest()


if __name__ == "__main__":
    main()
