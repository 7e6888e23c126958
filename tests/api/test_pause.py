"""Pause and resume: what stands still, how long, and what ends it."""
import json
import os
import subprocess
import threading
import time

from covey_client import BIN, CoveyTest, main, wait_for

TICK = ["sh", "-c", "trap 'echo term; exit 3' TERM; while true; do echo tick; sleep 0.02; done"]


class Pause(CoveyTest):
    def ticking(self, sandbox, **fields):
        """A container that prints without end, and where to."""
        out = self.folder / f"out{time.monotonic_ns()}"
        name = self.container(sandbox, TICK, stdio={"stdout": f"file:{out}"}, **fields)
        wait_for(lambda: out.exists() and out.stat().st_size > 0)
        return name, out

    def goes_on(self, out):
        before = out.stat().st_size
        time.sleep(0.15)
        return out.stat().st_size > before

    def call(self, name, action, body=None):
        return self.client.post(f"/v1/containers/{name}/{action}", body)

    def state(self, name):
        return self.client.get("/v1/containers/" + name).json["state"]

    def events(self, since):
        run = subprocess.run([str(BIN / "covey"), "--socket", self.daemon.socket, "events", "--since", str(since), "-o", "json"],
                             stdout=subprocess.PIPE, check=True, timeout=30)
        return [(line["type"], line.get("container")) for line in map(json.loads, run.stdout.splitlines())]

    def newest(self):
        return self.client.get("/v1/containers").json["resourceVersion"]

    def test_all_of_it_stands_still_and_goes_on(self):
        sandbox = self.sandbox(pidMode="pod")
        name, out = self.ticking(sandbox)
        neighbour, other = self.ticking(sandbox)
        streams = subprocess.Popen([str(BIN / "covey"), "--socket", self.daemon.socket, "exec", name, "--"] + TICK,
                                   stdout=subprocess.PIPE, bufsize=0)
        self.assertEqual(streams.stdout.readline(), b"tick\n")
        since = self.newest()
        for _ in range(2):
            answer = self.call(name, "pause")
            self.assertEqual((answer.status, answer.json["state"]), (200, "paused"))
        self.assertTrue(answer.json["pausedAt"])
        self.assertFalse(self.goes_on(out))
        self.assertTrue(self.goes_on(other))
        self.assertEqual([item["id"] for item in self.client.get("/v1/containers?state=paused").json["items"]], [name])
        for _ in range(2):
            answer = self.call(name, "resume")
            self.assertEqual((answer.status, answer.json["state"]), (200, "running"))
        self.assertNotIn("pausedAt", answer.json)
        self.assertTrue(self.goes_on(out))
        self.assertEqual(self.events(since), [("container.paused", name), ("container.resumed", name)])
        self.call(name, "pause")
        wait_for(lambda: not self.read(streams))  # what was on its way
        time.sleep(0.15)
        self.assertEqual(self.read(streams), b"")
        self.call(name, "resume")
        self.assertIn(b"tick\n", wait_for(lambda: self.read(streams)))
        streams.kill()
        streams.wait()
        streams.stdout.close()

    def read(self, process):
        """What it has printed by now."""
        os.set_blocking(process.stdout.fileno(), False)
        try:
            return os.read(process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return b""

    def test_only_what_was_started_and_by_its_name(self):
        sandbox = self.sandbox()
        created = self.container(sandbox, ["true"], start=False)
        for action in ("pause", "resume"):
            problem = self.assert_problem(self.call(created, action), "failed_precondition", created, "created")
            self.assertIn("covey start", problem["fix"])
        self.client.post(f"/v1/containers/{created}/start")
        self.client.get(f"/v1/containers/{created}/wait")
        for action in ("pause", "resume"):
            self.assert_problem(self.call(created, action), "failed_precondition", created, "stopped")
            self.assert_problem(self.call("nobody", action), "not_found", "nobody")
            self.assert_problem(self.call(created, action, {"for": 5}), "unknown_field", "for")
            self.assert_problem(self.client.post(f"/v1/containers/{created}/{action}?x=1"), "unknown_field", "x")

    def test_no_exec_while_it_is_paused(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])
        self.call(name, "pause")
        answer = self.client.post(f"/v1/containers/{name}/exec?cmd=true")
        self.assertIn("resume", self.assert_problem(answer, "failed_precondition", name, "paused")["fix"])
        self.call(name, "resume")
        self.assertEqual(self.client.exec(name, "sh", "-c", "exit 7")[2], 7)

    def test_an_exec_ends_with_its_client_although_the_container_is_paused(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])
        client = subprocess.Popen([str(BIN / "covey"), "--socket", self.daemon.socket, "exec", name, "--"] + TICK, stdout=subprocess.PIPE)
        client.stdout.readline()
        self.call(name, "pause")
        since = self.newest()
        client.kill()
        client.wait()
        client.stdout.close()
        wait_for(lambda: ("exec.exited", name) in self.events(since))
        self.assertEqual(self.state(name), "paused")

    def test_a_nested_launch_leaves_it_paused_and_the_others_running(self):
        sandbox = self.sandbox()
        name, out = self.ticking(sandbox, pidMode="pod")
        neighbour, other = self.ticking(sandbox, pidMode="pod")
        self.call(name, "pause")
        nested = self.container(sandbox, ["sleep", "1000"], pidMode="nested")
        self.assertFalse(self.goes_on(out))
        self.assertTrue(self.goes_on(other))
        self.assertEqual((self.state(name), self.state(nested)), ("paused", "running"))

    def test_pause_and_resume_in_the_middle_of_nested_launches(self):
        sandbox = self.sandbox()
        name, out = self.ticking(sandbox, pidMode="pod")
        over = threading.Event()

        def launch():
            while not over.is_set():
                nested = self.container(sandbox, ["true"], start=False, pidMode="nested")
                self.client.delete(f"/v1/containers/{nested}?force=true")
        launches = threading.Thread(target=launch)
        launches.start()
        try:
            for _ in range(15):
                self.assertEqual(self.call(name, "pause").json["state"], "paused")
                time.sleep(0.03)
                self.assertFalse(self.goes_on(out))
                self.assertEqual(self.call(name, "resume").json["state"], "running")
                self.assertTrue(wait_for(lambda: self.goes_on(out)))
        finally:
            over.set()
            launches.join()

    def test_signals_wait_and_sigkill_does_not(self):
        sandbox = self.sandbox()
        for mode in ("pod", "nested", "container"):
            name, out = self.ticking(sandbox, pidMode=mode)
            self.call(name, "pause")
            self.assertEqual(self.call(name, "kill", {"signal": "TERM"}).status, 204)
            self.assert_problem(self.client.get(f"/v1/containers/{name}/wait?timeout=0.2"), "timeout")
            self.call(name, "resume")
            self.assertEqual(self.client.get(f"/v1/containers/{name}/wait").json["exitCode"], 3)
            for body in ({"signal": "KILL"}, {"signal": "KILL", "all": True}):
                name, out = self.ticking(sandbox, pidMode=mode)
                self.call(name, "pause")
                self.assertEqual(self.call(name, "kill", body).status, 204)
                end = self.client.get(f"/v1/containers/{name}/wait?timeout=5").json
                self.assertEqual((end["exitCode"], end["sentBy"]), (137, "covey"))
                self.assert_problem(self.call(name, "resume"), "failed_precondition")

    def test_stop_wakes_it_so_that_it_hears(self):
        name, out = self.ticking(self.sandbox())
        self.call(name, "pause")
        since = self.newest()
        self.assertEqual(self.call(name, "stop").json["exit"]["exitCode"], 3)
        self.assertTrue(out.read_text().endswith("term\n"))
        self.assertEqual(self.events(since), [("container.resumed", name), ("container.exited", name)])

    def test_delete_by_force_and_the_end_of_the_sandbox(self):
        sandbox = self.sandbox()
        first, second = self.ticking(sandbox)[0], self.ticking(sandbox, pidMode="pod")[0]
        for name in (first, second):
            self.call(name, "pause")
        self.assert_problem(self.client.delete("/v1/containers/" + first), "failed_precondition", "paused")
        self.assertEqual(self.client.delete(f"/v1/containers/{first}?force=true").status, 204)
        begin = time.monotonic()
        self.assertEqual(self.client.post(f"/v1/sandboxes/{sandbox}/stop").json["state"], "stopped")
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.state(second), "stopped")

    def test_it_stays_paused_over_a_death_of_coveyd(self):
        sandbox = self.sandbox()
        name, out = self.ticking(sandbox)
        self.call(name, "pause")
        at = self.client.get("/v1/containers/" + name).json["pausedAt"]
        since = self.newest()
        self.daemon.kill()
        self.daemon.start()
        self.warm_up()
        answer = self.client.get("/v1/containers/" + name).json
        self.assertEqual((answer["state"], answer["pausedAt"]), ("paused", at))
        self.assertFalse(self.goes_on(out))
        self.assertEqual(self.call(name, "resume").json["state"], "running")
        self.assertTrue(self.goes_on(out))
        self.assertEqual([line for line in self.events(since) if line[1]], [("container.resumed", name)])

    def test_the_command(self):
        sandbox = self.sandbox()
        name, out = self.ticking(sandbox)

        def covey(*words):
            return subprocess.run([str(BIN / "covey"), "--socket", self.daemon.socket, *words], check=True, timeout=30,
                                  stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(covey("pause", f"{sandbox}/{name}"), name + "\n")
        self.assertFalse(self.goes_on(out))
        self.assertIn("paused", covey("ps"))
        self.assertIn("paused", covey("tree", sandbox))
        self.assertEqual(covey("resume", name), name + "\n")
        covey("pause", name)
        covey("unpause", name)
        self.assertTrue(self.goes_on(out))


if __name__ == "__main__":
    main()
