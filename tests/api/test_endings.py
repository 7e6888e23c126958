"""Death certificates: how containers, execs and pause ended, and who sent the signal where that can be known."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from covey_client import BIN, CoveyTest, main, wait_for

PROBE = BIN.parent / "tests/probe"

EAT = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]


def little_memory(config):
    config["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}


class Endings(CoveyTest):
    def wait(self, container):
        return self.client.get(f"/v1/containers/{container}/wait?timeout=10").json

    def exits(self, sandbox, kind):
        """`exit` of each such event of the sandbox."""
        run = subprocess.run(["curl", "-sN", "-m", "1", "--unix-socket", self.daemon.socket,
                              f"http://covey/v1/events?since=0&sandbox={sandbox}&type={kind}"], stdout=subprocess.PIPE, check=False)
        return [event["exit"] for event in map(json.loads, run.stdout.splitlines()) if event["type"] == kind]

    def test_a_container_that_covey_ended(self):
        sandbox = self.sandbox(pidMode="pod")
        for name, end in (("killed", lambda: self.client.post("/v1/containers/killed/kill", {"signal": "KILL"})),
                          ("all", lambda: self.client.post("/v1/containers/all/kill", {"signal": "KILL", "all": True})),
                          ("stopped", lambda: self.client.post("/v1/containers/stopped/stop", {"timeout": 0}))):
            self.container(sandbox, ["sleep", "1000"], name=name)
            end()
            self.assertIn(self.wait(name)["signal"], ("SIGKILL", "SIGTERM") if name == "stopped" else ("SIGKILL",))
            self.assertEqual(self.wait(name)["sentBy"], "covey", name)
        self.container(sandbox, ["sleep", "1000"], name="asked")
        self.client.post("/v1/containers/asked/stop", {"timeout": 10})
        self.assertEqual((self.wait("asked")["signal"], self.wait("asked")["sentBy"]), ("SIGTERM", "covey"))

    def test_a_container_that_somebody_else_ended(self):
        sandbox = self.sandbox(pidMode="pod")
        one = self.container(sandbox, ["sleep", "1000"])
        self.client.post(f"/v1/containers/{one}/kill", {"signal": "WINCH"})
        os.kill(self.client.get(f"/v1/containers/{one}").json["pid"], signal.SIGKILL)
        end = self.wait(one)
        self.assertEqual((end["exitCode"], end["signal"], end["oomKilled"], "sentBy" in end), (137, "SIGKILL", False, False))
        two = self.container(sandbox, ["sh", "-c", "exit 9"])
        self.assertEqual((self.wait(two)["exitCode"], "sentBy" in self.wait(two)), (9, False))

    def test_out_of_memory_is_the_kernels_doing(self):
        sandbox = self.sandbox(pidMode="pod")
        hungry = self.container(sandbox, EAT, change=little_memory)
        end = self.wait(hungry)
        self.assertEqual((end["signal"], end["oomKilled"], end["sentBy"]), ("SIGKILL", True, "kernel"))
        self.assertEqual(self.exits(sandbox, "container.exited"), [end])

    def test_an_execs_end(self):
        sandbox = self.sandbox(pidMode="pod")
        one = self.container(sandbox, ["sleep", "1000"], change=little_memory)
        self.assertEqual(self.client.exec(one, "sh", "-c", "exit 3")[2], 3)
        self.assertEqual(self.client.exec(one, *EAT)[2], 137)
        self.assertEqual(self.client.exec(one, "sh", "-c", "kill -9 $$")[2], 137)
        running = subprocess.Popen(["curl", "-sN", "--unix-socket", self.daemon.socket, "-X", "POST",
                                    f"http://covey/v1/containers/{one}/exec?cmd=sleep&cmd=77"])
        wait_for(lambda: any(process["command"] == ["sleep", "77"] for process in
                             self.client.get(f"/v1/sandboxes/{sandbox}/processes").json["items"]), 5, "the exec")
        running.kill()
        running.wait()
        ends = wait_for(lambda: (lambda all: all if len(all) == 4 else None)(self.exits(sandbox, "exec.exited")), 10, "its end")
        self.assertEqual([(end["exitCode"], end["oomKilled"], end.get("sentBy")) for end in ends],
                         [(3, False, None), (137, True, "kernel"), (137, False, None), (137, False, "covey")])

    def written(self, file):
        return len(file.read_bytes())

    def assert_stopped_growing(self, file):
        before = self.written(file)
        time.sleep(0.2)
        self.assertEqual(self.written(file), before, "something still writes")

    def test_processes_whose_first_thread_has_ended(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-undying."))
        self.addCleanup(shutil.rmtree, folder)

        def with_probe(config):
            for source, target in ((PROBE, "/bin/probe"), (folder, "/tmp")):
                config["mounts"].append({"type": "bind", "source": str(source), "destination": target, "options": ["rbind"]})

        def grows(name):
            wait_for(lambda: (folder / name).exists() and self.written(folder / name) > 5, 10, name)

        sandbox = self.sandbox(pidMode="pod")
        self.container(sandbox, ["/bin/probe", "undying", "/tmp/main"], name="undying", change=with_probe)
        grows("main")
        self.assertEqual(self.client.delete("/v1/containers/undying?force=true", timeout=10).status, 204)
        self.assert_stopped_growing(folder / "main")

        host = self.container(sandbox, ["sleep", "1000"], change=with_probe)
        client = subprocess.Popen(["curl", "-sN", "--unix-socket", self.daemon.socket, "-X", "POST",
                                   f"http://covey/v1/containers/{host}/exec?cmd=/bin/probe&cmd=undying&cmd=/tmp/exec"],
                                  stdout=subprocess.DEVNULL)
        grows("exec")
        client.kill()
        client.wait()
        wait_for(lambda: self.exits(sandbox, "exec.exited"), 10, "the exec's end")
        self.assert_stopped_growing(folder / "exec")

        self.container(sandbox, ["/bin/probe", "undying", "/tmp/all"], name="all", change=with_probe)
        grows("all")
        self.client.post("/v1/containers/all/kill", {"signal": "KILL", "all": True})
        self.assertEqual(self.wait("all")["signal"], "SIGKILL")
        self.assert_stopped_growing(folder / "all")

        self.container(sandbox, ["/bin/probe", "undying", "/tmp/pod"], change=with_probe)
        grows("pod")
        self.assertEqual(self.client.delete(f"/v1/sandboxes/{sandbox}?force=true", timeout=10).status, 204)
        self.assert_stopped_growing(folder / "pod")

    def test_pauses_end(self):
        stopped, killed = self.sandbox(), self.sandbox()
        self.client.post(f"/v1/sandboxes/{stopped}/stop")
        end = self.client.get(f"/v1/sandboxes/{stopped}").json["exit"]
        self.assertEqual((end["signal"], end["sentBy"]), ("SIGKILL", "covey"))
        os.kill(self.client.get(f"/v1/sandboxes/{killed}").json["pid"], signal.SIGKILL)
        end = wait_for(lambda: self.client.get(f"/v1/sandboxes/{killed}").json.get("exit"), 5, "pause's end")
        self.assertEqual((end["exitCode"], end["signal"], "sentBy" in end), (137, "SIGKILL", False))
        self.assertEqual(self.exits(killed, "sandbox.stopped"), [end])
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.client.get(f"/v1/sandboxes/{killed}").json["exit"], end)
        self.before = self.descriptors_at_rest()
        for name in (stopped, killed):
            self.client.delete(f"/v1/sandboxes/{name}?force=true")
        self.client.put("/v1/sandboxes/warm-up", {"cgroupParent": self.daemon.parent})
        self.client.delete("/v1/sandboxes/warm-up?force=true")
        self.before = self.descriptors_at_rest()


if __name__ == "__main__":
    main()
