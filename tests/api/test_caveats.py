"""The three things that Kubernetes' page on shareProcessNamespace says sharing costs, each taken away (docs/sharing.md)."""
from covey_client import CoveyTest, main


class Caveats(CoveyTest):
    def pod(self):
        sandbox = self.sandbox(pidMode="pod")
        self.container(sandbox, ["sh", "-c", "sleep 1001; true"], name="app")
        return sandbox

    def run_in(self, container, *words):
        status, body, code = self.client.exec(container, *words)
        self.assertEqual(status, 200, body)
        return code, body.decode()

    def test_the_app_is_no_longer_pid_1(self):
        """In mode nested it is, and the pod's debugger still sees it and its children."""
        sandbox = self.pod()
        self.container(sandbox, ["sh", "-c", "echo $$ > /number; sleep 1002; true"], name="first", pidMode="nested")
        self.container(sandbox, ["sleep", "1003"], name="debugger")
        self.assertEqual(self.run_in("first", "cat", "/number"), (0, "1\n"))
        inside = self.run_in("first", "ps", "-o", "args")[1]
        self.assertIn("sleep 1002", inside)
        self.assertNotIn("sleep 1001", inside)
        outside = self.run_in("debugger", "ps", "-o", "args")[1]
        for line in ("sleep 1001", "sleep 1002"):
            self.assertIn(line, outside)

    def test_every_process_is_visible(self):
        """Not to a private container, though it shares the namespace and is uid 0."""
        sandbox = self.pod()
        self.container(sandbox, ["sleep", "1004"], name="open")
        self.container(sandbox, ["sleep", "1005"], name="private", access="private", capabilities={"add": ["SYS_PTRACE"]})
        self.assertIn("sleep 1001", self.run_in("open", "ps", "-o", "args")[1])
        seen = self.run_in("private", "ps", "-o", "args")[1].splitlines()
        self.assertEqual(seen, ["COMMAND", "sleep 1005", "ps -o args"])

    def test_every_filesystem_is_reachable_through_proc_pid_root(self):
        sandbox = self.pod()
        target = self.client.get("/v1/containers/app").json["podPid"]
        self.container(sandbox, ["sleep", "1004"], name="open")
        self.container(sandbox, ["sleep", "1005"], name="private", access="private", capabilities={"add": ["SYS_PTRACE"]})
        self.container(sandbox, ["sleep", "1006"], name="observer", access="observer", capabilities={"add": ["SYS_PTRACE"]})
        self.assertEqual(self.run_in("open", "ls", f"/proc/{target}/root/bin/sh")[0], 0)
        for name in ("private", "observer"):
            for file in ("root/bin/sh", "environ", "maps", "exe"):
                self.assertNotEqual(self.run_in(name, "cat", f"/proc/{target}/{file}")[0], 0, (name, file))


if __name__ == "__main__":
    main()
