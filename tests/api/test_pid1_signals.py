"""pid1Signals: what a container in pid mode pod sends to number 1, which is pause there."""
import time

from covey_client import CoveyTest, main

# Says which signals came, and ends at TERM, but a moment later: who sent it would be ended with its container. A loop of short
# sleeps: a shell runs traps between commands.
LISTENER = ["sh", "-c", "trap 'echo HUP >> /got' HUP; trap 'echo USR1 >> /got' USR1; trap 'sleep 0.5; exit 5' TERM; while :; do sleep 0.05; done"]


class Pid1Signals(CoveyTest):
    def run_in(self, container, *words, **query):
        status, body, code = self.client.exec(container, *words, **query)
        self.assertEqual(status, 200, body)
        return code, body.decode()

    def got(self, container):
        return self.run_in(container, "sh", "-c", "cat /got 2>/dev/null; true")[1].split()

    def assert_got(self, container, *signals):
        end = time.monotonic() + 5
        while self.got(container) != list(signals) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.got(container), list(signals))

    def test_ignored_by_default(self):
        sandbox = self.sandbox(pidMode="pod")
        self.container(sandbox, LISTENER, name="app")
        self.assertEqual(self.client.get("/v1/containers/app").json["pid1Signals"], "ignore")
        self.run_in("app", "kill", "-HUP", "1")
        time.sleep(0.3)
        self.assertEqual(self.got("app"), [])
        self.assertEqual(self.client.get(f"/v1/sandboxes/{sandbox}").json["state"], "ready")

    def test_routed_to_the_senders_own_main_process(self):
        sandbox = self.sandbox(pidMode="pod", pid1Signals="route")
        self.container(sandbox, LISTENER, name="app")
        self.container(sandbox, LISTENER, name="other", access="private")
        self.container(sandbox, LISTENER, name="not", pid1Signals="ignore")
        self.assertEqual(self.client.get("/v1/containers/app").json["pid1Signals"], "route")
        self.assertEqual(self.run_in("app", "kill", "-HUP", "1"), (0, ""))
        self.assert_got("app", "HUP")
        # From within a private container, by an exec that its spawner starts.
        self.assertEqual(self.run_in("other", "kill", "-USR1", "1"), (0, ""))
        self.assert_got("other", "USR1")
        self.run_in("not", "kill", "-HUP", "1")
        self.assertEqual((self.got("app"), self.got("other"), self.got("not")), (["HUP"], ["USR1"], []))
        # By the processes of the main process too, again and again.
        for _ in range(50):
            self.run_in("app", "kill", "-0", "1")
        self.assertEqual(self.run_in("app", "kill", "-TERM", "1"), (0, ""))
        answer = self.client.get("/v1/containers/app/wait").json
        self.assertEqual(answer["exitCode"], 5)
        self.assertEqual(self.client.get(f"/v1/sandboxes/{sandbox}").json["state"], "ready")

    def test_only_who_may_signal_the_main_process(self):
        """The kernel's rule for kill(2): an equal uid, or CAP_KILL. Seen failing with Pid1Router::deliver() asking nobody."""
        sandbox = self.sandbox(pidMode="pod", pid1Signals="route")
        self.container(sandbox, LISTENER, name="app")
        code, text = self.run_in("app", "kill", "-HUP", "1", user="1000:1000")
        self.assertNotEqual(code, 0)
        self.assertIn("Operation not permitted", text)
        self.assertEqual(self.got("app"), [])

    def test_number_1_of_a_namespace_below_is_that_ones(self):
        """A process that has made a PID namespace of its own means its own first process. Seen failing without is_elsewhere()."""
        sandbox = self.sandbox(pidMode="pod", pid1Signals="route")
        self.container(sandbox, LISTENER, name="app", capabilities={"add": ["SYS_ADMIN"]})
        code, text = self.run_in("app", "busybox", "unshare", "-p", "-f", "sh", "-c", "trap 'echo mine' HUP; kill -HUP 1; true")
        self.assertEqual((code, text), (0, "mine\n"))
        self.assertEqual(self.got("app"), [])

    def test_the_main_process_is_among_the_senders(self):
        sandbox = self.sandbox(pidMode="pod", pid1Signals="route")
        self.container(sandbox, ["sh", "-c", "trap 'echo HUP >> /got; exec sleep 1000' HUP; kill -HUP 1; sleep 1000"], name="app")
        self.assert_got("app", "HUP")

    def test_bad_input(self):
        answer = self.client.put("/v1/sandboxes/bad", {"cgroupParent": self.daemon.parent, "pid1Signals": "rout"})
        self.assert_problem(answer, "invalid_argument", "pid1Signals", "route")
        sandbox = self.sandbox()
        for mode in ("nested", "container"):
            answer = self.client.put("/v1/containers/bad", {"sandbox": sandbox, "bundle": "/nowhere", "pidMode": mode, "pid1Signals": "route"})
            self.assert_problem(answer, "invalid_argument", "pid1Signals", mode)


if __name__ == "__main__":
    main()
