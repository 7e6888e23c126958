"""Limits and the terminal's size of a container that is there."""
import os
import pathlib
import subprocess
import urllib.parse

from covey_client import BIN, CoveyTest, UnixConnection, main, wait_for


class Update(CoveyTest):
    def update(self, name, resources):
        return self.client.post(f"/v1/containers/{name}/update", {"resources": resources})

    def control(self, name, controller, v1, v2):
        """A control file of the container's, in v1's hierarchy or in v2."""
        group = self.client.get("/v1/containers/" + name).json["cgroup"]
        for path in (f"/sys/fs/cgroup/{controller}{group}/{v1}", f"/sys/fs/cgroup{group}/{v2}"):
            if os.path.exists(path):
                return pathlib.Path(path).read_text().strip()
        return None

    def pids(self, name):
        return self.control(name, "pids", "pids.max", "pids.max")

    def memory(self, name):
        return self.control(name, "memory", "memory.limit_in_bytes", "memory.max")

    def test_what_is_named_changes_and_the_rest_stays(self):
        def limited(config):
            config["linux"]["resources"] = {**config["linux"].get("resources", {}), "pids": {"limit": 50}}
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"], change=limited)
        self.assertEqual(self.pids(name), "50")
        self.assertEqual(self.update(name, {"memory": {"limit": 64 << 20}}).status, 204)
        self.assertEqual((self.pids(name), self.memory(name)), ("50", str(64 << 20)))
        self.assertEqual(self.update(name, {"pids": {"limit": 20}, "cpu": {"shares": 512}}).status, 204)
        self.assertEqual((self.pids(name), self.memory(name)), ("20", str(64 << 20)))
        self.assertIn(self.control(name, "cpu", "cpu.shares", "cpu.weight"), ("512", "59"))
        self.assertEqual(self.update(name, {"pids": {"limit": -1}}).status, 204)
        self.assertEqual(self.pids(name), "max")

    def test_a_limit_that_comes_later_holds_for_what_runs(self):
        name = self.container(self.sandbox(), ["sh", "-c", "while true; do sleep 1000 & read line; done"], stdio={"stdin": "hold"})
        self.assertEqual(self.update(name, {"pids": {"limit": 4}}).status, 204)
        self.assertEqual(self.control(name, "pids", "pids.current", "pids.current"), "2")
        status, body, code = self.client.exec(name, "sh", "-c", "sleep 0 & sleep 0 & sleep 0 & wait")
        self.assertEqual(status, 200)
        self.assertNotEqual(code, 0)
        self.assertEqual(self.update(name, {"pids": {"limit": 40}}).status, 204)
        self.assertEqual(self.client.exec(name, "sh", "-c", "sleep 0 & sleep 0 & sleep 0 & wait")[2], 0)

    def test_before_the_start_and_while_it_is_paused(self):
        name = self.container(self.sandbox(), ["sleep", "1000"], start=False)
        self.assertEqual(self.update(name, {"pids": {"limit": 30}}).status, 204)
        self.client.post(f"/v1/containers/{name}/start")
        self.client.post(f"/v1/containers/{name}/pause")
        self.assertEqual(self.update(name, {"pids": {"limit": 31}}).status, 204)
        self.assertEqual(self.pids(name), "31")
        self.assertEqual(self.client.get("/v1/containers/" + name).json["state"], "paused")
        self.client.post(f"/v1/containers/{name}/kill", {"signal": "KILL"})
        self.client.get(f"/v1/containers/{name}/wait")
        self.assert_problem(self.update(name, {"pids": {"limit": 30}}), "failed_precondition", name, "stopped")
        self.assert_problem(self.update("nobody", {"pids": {"limit": 30}}), "not_found", "nobody")

    def test_what_is_wrong_is_named_and_changes_nothing(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])
        self.assertEqual(self.update(name, {"pids": {"limit": 20}}).status, 204)
        for resources, code, *words in (
                ({"pids": {"limit": 9}, "memroy": {}}, "unknown_field", "memroy", "memory"),
                ({"pids": {"limit": 9, "max": 1}}, "unknown_field", "max", "/resources/pids"),
                ({"devices": []}, "unknown_field", "devices"),
                ({"memory": {"kernel": 1}}, "unknown_field", "kernel"),
                ({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rte": 1}]}}, "unknown_field", "rte", "rate"),
                ({"pids": {"limit": "many"}}, "invalid_spec", "/pids/limit"),
                ({"cpu": {"cpus": "a-b"}}, "invalid_spec", "/cpu/cpus"),
                ({"pids": 7}, "invalid_argument", "/resources/pids"),
                ({"memory": {"limit": 9, "swap": 8}}, "invalid_spec", "/memory/swap"),
                ({}, "invalid_argument", "/resources"),
                ([], "invalid_argument", "/resources"),
                ({"unified": {"x" * 70000: "1"}}, "invalid_argument", "/resources"),
                ({"pids": {"limit": 9}, "unified": {"nothing.max": "1"}}, "unsupported_by_host", "nothing")):
            self.assert_problem(self.update(name, resources), code, *words)
        self.assert_problem(self.client.post(f"/v1/containers/{name}/update"), "invalid_argument", "resources")
        self.assert_problem(self.client.post(f"/v1/containers/{name}/update", {"pids": {}}), "invalid_argument", "pids")
        self.assertEqual(self.pids(name), "20")

    def test_the_command(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"])

        def covey(*words, text=None):
            return subprocess.run([str(BIN / "covey"), "--socket", self.daemon.socket, "update", *words], timeout=30,
                                  input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(covey("-m", "64m", "--pids-limit", "20", "--cpus", "0.5", f"{sandbox}/{name}").stdout, name + "\n")
        self.assertEqual((self.pids(name), self.memory(name)), ("20", str(64 << 20)))
        self.assertIn(self.control(name, "cpu", "cpu.cfs_quota_us", "cpu.max"), ("50000", "50000 100000"))
        self.assertEqual(covey("--pids-limit", "-1", name).returncode, 0)
        self.assertEqual(self.pids(name), "max")
        self.assertEqual(covey("-r", "-", name, text='{"pids": {"limit": 7}}').returncode, 0)
        self.assertEqual(self.pids(name), "7")
        for words, why in ((["-m", "many", name], "many"), (["-r", "-", name], "JSON"), ([name], "/resources")):
            run = covey(*words, text="{")
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn(why, run.stderr)


class Resize(CoveyTest):
    def resize(self, name, body):
        return self.client.post(f"/v1/containers/{name}/resize", body)

    def test_the_terminal_has_that_size_and_the_program_is_told(self):
        out = self.folder / "out"
        name = self.container(self.sandbox(), ["sh", "-c", "trap 'stty size' WINCH; stty size; while true; do sleep 0.05; done"],
                              process={"terminal": True}, stdio={"stdout": f"file:{out}"})
        wait_for(lambda: out.exists() and out.stat().st_size > 0)
        self.assertEqual(self.resize(name, {"width": 132, "height": 43}).status, 204)
        wait_for(lambda: "43 132" in out.read_text())
        self.client.post(f"/v1/containers/{name}/pause")
        self.assertEqual(self.resize(name, {"width": 81, "height": 25}).status, 204)
        self.client.post(f"/v1/containers/{name}/resume")
        wait_for(lambda: "25 81" in out.read_text())
        self.daemon.kill()
        self.daemon.start()
        self.warm_up()
        self.assertEqual(self.resize(name, {"width": 300, "height": 50}).status, 204)
        wait_for(lambda: "50 300" in out.read_text())

    def test_the_command(self):
        out = self.folder / "out"
        name = self.container(self.sandbox(), ["sh", "-c", "trap 'stty size' WINCH; stty size; while true; do sleep 0.05; done"],
                              process={"terminal": True}, stdio={"stdout": f"file:{out}"})
        wait_for(lambda: out.exists() and out.stat().st_size > 0)

        def covey(*words):
            return subprocess.run([str(BIN / "covey"), "--socket", self.daemon.socket, "resize", *words], timeout=30,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(covey("--width", "99", "--height", "11", name).stdout, name + "\n")
        wait_for(lambda: "11 99" in out.read_text())
        self.assertIn("--width", covey(name).stderr)
        self.assertEqual(covey("--width", "70000", "--height", "1", name).returncode, 2)

    def test_an_execs_terminal(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])

        def exec_of(tty, script):
            query = urllib.parse.urlencode([("cmd", "sh"), ("cmd", "-c"), ("cmd", script), ("tty", tty)])
            stream = UnixConnection(self.daemon.socket, 30)
            stream.request("POST", f"/v1/containers/{name}/exec?{query}")
            answer = stream.getresponse()
            return answer, answer.headers["Covey-Exec-Id"]
        answer, one = exec_of("true", "trap 'stty size; exit' WINCH; echo ready; while true; do sleep 0.05; done")
        while b"ready" not in answer.readline():
            pass
        self.assertEqual(self.resize(name, {"width": 99, "height": 33, "exec": one}).status, 204)
        self.assertIn(b"33 99", answer.read())
        wait_for(lambda: self.resize(name, {"width": 9, "height": 3, "exec": one}).status == 404)
        self.assert_problem(self.resize(name, {"width": 9, "height": 3, "exec": one}), "not_found", one, name)
        self.assert_problem(self.resize(name, {"width": 9, "height": 3, "exec": "../x"}), "invalid_argument", "/exec")
        answer, plain = exec_of("false", "echo ready; sleep 1000")
        self.assert_problem(self.resize(name, {"width": 9, "height": 3, "exec": plain}), "failed_precondition", plain, "no terminal")
        answer.close()

    def test_one_without_a_terminal_and_sizes_that_are_none(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])
        self.assert_problem(self.resize(name, {"width": 80, "height": 24}), "failed_precondition", name, "terminal")
        self.assert_problem(self.resize("nobody", {"width": 80, "height": 24}), "not_found", "nobody")
        for body, code, word in (({"width": 80}, "invalid_argument", "/height"), ({"width": 0, "height": 24}, "invalid_argument", "/width"),
                                 ({"width": 80, "height": 65536}, "invalid_argument", "/height"),
                                 ({"width": 80.5, "height": 24}, "invalid_argument", "/width"),
                                 ({"width": 80, "height": 24, "rows": 1}, "unknown_field", "rows")):
            self.assert_problem(self.resize(name, body), code, word)
        self.client.post(f"/v1/containers/{name}/kill", {"signal": "KILL"})
        self.client.get(f"/v1/containers/{name}/wait")
        self.assert_problem(self.resize(name, {"width": 80, "height": 24}), "failed_precondition", name, "stopped")


class Fault(CoveyTest):
    environment = {"COVEY_FAIL_AT": "container.update:1"}

    def test_a_change_that_fails_leaves_the_container_as_it_was(self):
        name = self.container(self.sandbox(), ["sleep", "1000"])
        answer = self.client.post(f"/v1/containers/{name}/update", {"resources": {"pids": {"limit": 5}}})
        self.assertIn("injected fault at container.update", answer.json["detail"])
        self.assertEqual(self.client.get("/v1/containers/" + name).json["state"], "running")
        self.assertEqual(self.client.exec(name, "true")[2], 0)
        self.assertEqual(self.client.post(f"/v1/containers/{name}/stop", {"timeout": 0}).status, 200)


if __name__ == "__main__":
    main()
