"""Containers: from a bundle to an exit code."""
import os
import threading
import time

from covey_client import CoveyTest, main, wait_for


class Containers(CoveyTest):
    def wait(self, name, query=""):
        return self.client.get(f"/v1/containers/{name}/wait{query}")

    def test_a_life_from_created_to_deleted(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sh", "-c", "exit 7"], start=False)
        created = self.client.get("/v1/containers/" + name).json
        self.assertEqual((created["state"], created["pidMode"], created["podPid"]), ("created", "nested", created["podPid"]))
        self.assertGreater(created["podPid"], 1)
        self.assertTrue(os.path.exists(f"/proc/{created['pid']}"))
        self.assertEqual(self.client.post(f"/v1/containers/{name}/start").status, 200)
        end = self.wait(name).json
        self.assertEqual((end["exitCode"], end["oomKilled"]), (7, False))
        self.assertNotIn("signal", end)
        stopped = self.client.get("/v1/containers/" + name).json
        self.assertEqual((stopped["state"], stopped["pid"], stopped["exit"]), ("stopped", 0, end))
        self.assert_problem(self.client.post(f"/v1/containers/{name}/start"), "failed_precondition", name)
        self.assertEqual(self.client.delete("/v1/containers/" + name).status, 204)
        self.assert_problem(self.client.get("/v1/containers/" + name), "not_found", name)

    def test_the_same_request_again_is_the_same_container(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"], start=False)
        there = self.client.get("/v1/containers/" + name).json
        again = self.client.put("/v1/containers/" + name, {"sandbox": sandbox, "bundle": there["bundle"]})
        self.assertEqual((again.status, again.json["pid"]), (200, there["pid"]))
        other = self.client.put("/v1/containers/" + name, {"sandbox": sandbox, "bundle": there["bundle"], "labels": {"a": "b"}})
        self.assert_problem(other, "already_exists", name)

    def test_signals_by_name_and_number(self):
        sandbox = self.sandbox()
        for signal, code in (("KILL", 137), ("SIGUSR1", 138), (12, 140), ("15", 143)):
            name = self.container(sandbox, ["sleep", "1000"], pidMode="pod")
            self.assertEqual(self.client.post(f"/v1/containers/{name}/kill", {"signal": signal}).status, 204)
            self.assertEqual(self.wait(name).json["exitCode"], code)
        self.assert_problem(self.client.post(f"/v1/containers/{name}/kill", {"signal": "KILL"}), "failed_precondition", name)

    def test_stop_asks_first_and_then_kills(self):
        sandbox = self.sandbox()
        polite = self.container(sandbox, ["sh", "-c", "trap 'exit 3' TERM; while true; do sleep 0.1; done"])
        time.sleep(0.3)
        self.assertEqual(self.client.post(f"/v1/containers/{polite}/stop").json["exit"]["exitCode"], 3)
        deaf = self.container(sandbox, ["sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"])
        start = time.monotonic()
        self.assertEqual(self.client.post(f"/v1/containers/{deaf}/stop", {"timeout": 0.3}).json["exit"]["exitCode"], 137)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(self.client.post(f"/v1/containers/{deaf}/stop").status, 200)

    def test_wait_has_a_limit_and_answers_every_waiter(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"])
        self.assert_problem(self.wait(name, "?timeout=0.1"), "timeout", name)
        answers = []
        waiters = [threading.Thread(target=lambda: answers.append(self.wait(name).json)) for _ in range(5)]
        for waiter in waiters:
            waiter.start()
        self.client.post(f"/v1/containers/{name}/kill", {"signal": 9})
        for waiter in waiters:
            waiter.join(10)
        self.assertEqual([answer["signal"] for answer in answers], ["SIGKILL"] * 5)

    def test_the_same_waiters_leave_nothing_when_they_go_away(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"])
        before = self.descriptors_at_rest()
        for _ in range(10):
            with self.assertRaises(TimeoutError):
                self.client.get(f"/v1/containers/{name}/wait", timeout=0.05)
        self.assertEqual(self.descriptors_at_rest(), before)

    def test_stdio_goes_where_the_request_says(self):
        sandbox = self.sandbox()
        text = self.folder / "in"
        text.write_text("from the file\n")
        out, err = self.folder / "out", self.folder / "err"
        name = self.container(sandbox, ["sh", "-c", "cat; echo err >&2"],
                              stdio={"stdin": f"file:{text}", "stdout": f"file:{out}", "stderr": f"file:{err}"})
        self.wait(name)
        self.assertEqual((out.read_text(), err.read_text()), ("from the file\n", "err\n"))
        held = self.container(sandbox, ["cat"], stdio={"stdin": "hold"})
        self.assert_problem(self.wait(held, "?timeout=0.2"), "timeout")

    def test_capabilities_are_added_and_dropped(self):
        sandbox = self.sandbox(pidMode="pod")
        name = self.container(sandbox, ["sleep", "1000"], capabilities={"add": ["SYS_PTRACE"], "drop": ["cap_chown", "CAP_KILL"]})
        answer = self.client.get("/v1/containers/" + name).json["capabilities"]
        self.assertEqual(answer, {"add": ["CAP_SYS_PTRACE"], "drop": ["CAP_CHOWN", "CAP_KILL"]})
        row = next(row for row in self.client.get(f"/v1/sandboxes/{sandbox}/processes").json["items"] if row["container"] == name)
        self.assertIn("CAP_SYS_PTRACE", row["capabilities"])
        self.assertNotIn("CAP_CHOWN", row["capabilities"])

    def test_pid_modes(self):
        sandbox = self.sandbox()
        for mode, in_pod in (("pod", True), ("nested", True), ("container", False), ("node", False)):
            name = self.container(sandbox, ["sleep", "1000"], pidMode=mode)
            answer = self.client.get("/v1/containers/" + name).json
            self.assertEqual((answer["pidMode"], answer["podPid"] > 0), (mode, in_pod))
            mine = os.stat("/proc/self/ns/pid").st_ino
            self.assertEqual(os.stat(f"/proc/{answer['pid']}/ns/pid").st_ino == mine, mode == "node")

    def test_a_target_is_joined_and_its_end_is_told(self):
        sandbox, other = self.sandbox(), self.sandbox()
        app = self.container(sandbox, ["sleep", "1000"])
        debugger = self.container(sandbox, ["sleep", "1000"], pidMode="target", target=app)
        first, second = (self.client.get("/v1/containers/" + name).json for name in (app, debugger))
        self.assertEqual(second["target"], app)
        self.assertEqual(os.stat(f"/proc/{first['pid']}/ns/pid").st_ino, os.stat(f"/proc/{second['pid']}/ns/pid").st_ino)
        bundle = first["bundle"]
        self.assert_problem(self.client.put("/v1/containers/far", {"sandbox": other, "bundle": bundle, "pidMode": "target", "target": app}),
                            "not_found", app, other)
        self.client.post(f"/v1/containers/{app}/kill", {"signal": "KILL"})
        end = self.wait(debugger).json
        self.assertEqual((end["exitCode"], end["signal"]), (137, "SIGKILL"))
        self.assertIn(app, end["reason"])
        self.assertNotIn("reason", self.wait(app).json)
        self.assert_problem(self.client.put("/v1/containers/late", {"sandbox": sandbox, "bundle": bundle, "pidMode": "target", "target": app}),
                            "failed_precondition", app, "stopped")

    def test_a_nested_container_that_ignores_sigterm_is_stopped(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])
        self.assertEqual(self.client.post(f"/v1/containers/{name}/stop", {"timeout": 0.2}).status, 200)
        self.assertEqual(self.wait(name).json["signal"], "SIGKILL")

    def test_lists_by_sandbox_state_and_label(self):
        first, second = self.sandbox(), self.sandbox()
        running = self.container(first, ["sleep", "1000"], labels={"a": "b"})
        created = self.container(second, ["sleep", "1000"], start=False)
        names = lambda query: [item["id"] for item in self.client.get("/v1/containers" + query).json["items"]]
        self.assertEqual(sorted(names("")), sorted([running, created]))
        self.assertEqual(names(f"?sandbox={first}"), [running])
        self.assertEqual(names("?state=created"), [created])
        self.assertEqual(names("?label=a=b"), [running])

    def test_a_container_of_node_or_pod_is_gone_with_all_it_left(self):
        sandbox = self.sandbox(pidMode="pod")
        name = self.container(sandbox, ["sh", "-c", "sleep 1000 & sleep 1000 & exit 0"])
        self.assertEqual(self.wait(name).json["exitCode"], 0)
        rows = self.client.get(f"/v1/sandboxes/{sandbox}/processes").json["items"]
        self.assertEqual([row["command"] for row in rows], [["/pause"]])

    def test_deleting_what_runs_needs_force(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"])
        self.assert_problem(self.client.delete("/v1/containers/" + name), "failed_precondition", name)
        self.assertEqual(self.client.delete(f"/v1/containers/{name}?force=true").status, 204)
        self.assertEqual(self.client.delete(f"/v1/containers/{name}?force=true").status, 204)
        self.assert_problem(self.client.delete("/v1/containers/" + name), "not_found", name)

    def test_a_client_that_goes_away_in_mid_create_leaves_all_or_nothing(self):
        import bundles
        import json
        from covey_client import connect
        sandbox = self.sandbox()
        for turn in range(20):
            name = f"half{turn}"
            bundle = bundles.make_bundle(self.folder / name, ["sleep", "1000"])
            body = json.dumps({"sandbox": sandbox, "bundle": bundle}).encode()
            with connect(self.daemon.socket) as connection:
                connection.sendall(b"PUT /v1/containers/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                                   % (name.encode(), len(body), body))
                time.sleep(turn * 0.001)

        def settled():
            states = [item["state"] for item in self.client.get("/v1/containers").json["items"]]
            return states if "creating" not in states else None
        for state in wait_for(settled):
            self.assertEqual(state, "created")
        for item in self.client.get("/v1/containers").json["items"]:
            self.assertEqual(self.client.post(f"/v1/containers/{item['id']}/start").status, 200)


if __name__ == "__main__":
    main()
