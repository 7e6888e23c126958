"""Damaged state: what runs is shown as unknown and can be ended, nothing is made up, nothing hangs."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from covey_client import BIN, CoveyTest, main, wait_for

DAMAGES = {
    "cut": lambda path: path.write_text(path.read_text()[:40]),
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "a FIFO": lambda path: (path.unlink(), os.mkfifo(path)),
    "a symlink": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "foreign": lambda path: path.write_text(path.read_text().replace('"id":"', '"id":"x')),
    "of another boot": lambda path: path.write_text(path.read_text().replace('"bootId":"', '"bootId":"0')),
}


class Damaged(CoveyTest):
    def tearDown(self):
        self.delete_all()
        self.warm_up()  # of the coveyd that was started last
        self.before = self.descriptors_at_rest()
        super().tearDown()

    def pod(self):
        name = self.sandbox(pidMode="pod")
        return name, self.container(name, ["sleep", "1000"])

    def state(self, name):
        return pathlib.Path(self.daemon.root) / "sandboxes" / name

    def again(self, between=lambda: None):
        self.daemon.kill()
        between()
        self.daemon.start()

    def delete(self, path):
        begun = time.monotonic()
        self.assertEqual(self.client.delete(f"/v1/{path}?force=true").status, 204)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(self.client.get("/v1/" + path).status, 404)

    def assert_unknown(self, name, before):
        now = self.client.get("/v1/sandboxes/" + name).json
        self.assertEqual((now["state"], now["pid"], now["cgroup"]), ("unknown", before["pid"], before["cgroup"]), now)
        self.assertTrue(now["problem"])
        self.assertEqual(self.client.get("/v1/sandboxes?state=unknown").json["items"], [now])
        for answer in (self.client.post(f"/v1/sandboxes/{name}/stop"), self.client.delete("/v1/sandboxes/" + name),
                       self.client.put("/v1/sandboxes/" + name, {"cgroupParent": self.daemon.parent})):
            self.assertIn("--force", self.assert_problem(answer, "failed_precondition", "unknown")["fix"])

    def test_a_sandbox_whose_record_cannot_be_read(self):
        for damage, do in DAMAGES.items():
            with self.subTest(damage):
                name, one = self.pod()
                other = self.sandbox()
                before = self.client.get("/v1/sandboxes/" + name).json
                self.again(lambda: do(self.state(name) / "record.json"))
                self.assert_unknown(name, before)
                self.assertEqual(self.client.get("/v1/containers/" + one).json["state"], "running")
                self.assertEqual(self.client.get("/v1/sandboxes/" + other).json["state"], "ready")
                self.again()
                self.assert_unknown(name, before)
                self.delete("sandboxes/" + name)
                self.delete("sandboxes/" + other)
                self.assertEqual(self.leaks.all(), [])

    def test_a_container_whose_record_cannot_be_read(self):
        for damage, do in DAMAGES.items():
            with self.subTest(damage):
                name, one = self.pod()
                before = self.client.get("/v1/containers/" + one).json
                self.again(lambda: do(self.state(name) / "containers" / one / "record.json"))
                now = self.client.get("/v1/containers/" + one).json
                self.assertEqual((now["state"], now["pid"]), ("unknown", before["pid"]))
                self.assertTrue(now["problem"])
                self.assertEqual(self.client.get("/v1/sandboxes/" + name).json["state"], "ready")
                self.assert_problem(self.client.delete("/v1/containers/" + one), "failed_precondition", "unknown")
                self.delete("containers/" + one)
                self.container(name, ["sleep", "1000"])
                self.delete("sandboxes/" + name)
                self.assertEqual(self.leaks.all(), [])

    def test_a_pod_whose_state_folder_was_removed(self):
        name, _ = self.pod()
        before = self.client.get("/v1/sandboxes/" + name).json

        def remove():
            for pin in (self.state(name) / "ns").iterdir():
                subprocess.run(["umount", "-l", pin], check=True)
            shutil.rmtree(self.state(name))

        self.again(remove)
        self.assert_unknown(name, before)
        processes = self.client.get(f"/v1/sandboxes/{name}/processes").json["items"]
        self.assertIn(["sleep", "1000"], [process["command"] for process in processes])
        self.again()
        self.assert_unknown(name, before)
        self.delete("sandboxes/" + name)
        self.assertEqual(self.leaks.all(), [])

    def test_who_only_looks_like_a_shim_is_none(self):
        ghost = pathlib.Path(self.daemon.root) / "sandboxes" / "ghost"
        name = self.sandbox(pidMode="node")
        # In a mount namespace of its own, in the host's PID namespace, root: all that a container can be.
        self.container(name, ["sh", "-c", f"mkdir -p {ghost} && exec 4<{ghost} && exec sleep 1000"],
                       change=lambda config: config["mounts"].append(
                           {"destination": "/run", "type": "tmpfs", "source": "tmpfs"}))
        decoy = subprocess.Popen(["bash", "-c", "exec -a covey-shim sleep 1000"])
        try:
            self.again()
            self.assertEqual([item["id"] for item in self.client.get("/v1/sandboxes").json["items"]], [name])
        finally:
            decoy.kill()
            decoy.wait()

    def test_a_shim_that_was_stopped_is_named_and_its_sandbox_deleted(self):
        name, one = self.pod()
        stopped = self.client.get("/v1/sandboxes/" + name).json["pid"]
        with open(f"/proc/{stopped}/stat", encoding="ascii") as file:
            shim = int(file.read().rpartition(")")[2].split()[1])
        os.kill(shim, signal.SIGSTOP)
        begun = time.monotonic()
        answer = self.client.post(f"/v1/containers/{one}/kill", {"signal": "TERM"})
        self.assertLess(time.monotonic() - begun, 5)
        problem = self.assert_problem(answer, "unavailable", f"pid {shim}", "stopped (state T)")
        self.assertIn(f"kill -CONT {shim}", problem["fix"])
        self.delete("sandboxes/" + name)


class Files(CoveyTest):
    def test_what_is_no_file_is_refused_by_name_and_hangs_nothing(self):
        for name in ("events.ndjson", "lock"):
            for kind in ("a FIFO", "a symlink", "a folder"):
                with self.subTest(name=name, kind=kind):
                    root = self.folder / f"{name}-{kind[2:]}"
                    root.mkdir(mode=0o700)
                    (root / name).write_text("")
                    DAMAGES[kind](root / name)
                    run = subprocess.run([str(BIN / "coveyd"), "--root", str(root), "--socket", str(root / "s")],
                                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=10, check=False)
                    self.assertEqual(run.returncode, 1)
                    text = run.stderr.decode()
                    self.assertIn(f"{name} is {kind}", text)
                    self.assertIn("remove it", text)


if __name__ == "__main__":
    main()
