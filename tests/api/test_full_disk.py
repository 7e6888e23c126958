"""The state folder on a disk that is full: the API tells the truth, what runs lives on, what ends is told, deletions
work, and when there is room again the records are right."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from covey_client import CoveyTest, Daemon, main, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18


def call(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class SmallDaemon(Daemon):
    """Its state is on a tmpfs of its own, in the mount namespace of this test."""

    def __init__(self, environment=None):
        super().__init__(environment)
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.root, self.socket = str(self.disk / "run"), str(self.disk / "run/covey.sock")
        call(LIBC.mount(b"tmpfs", str(self.disk).encode(), b"tmpfs", 0, b"size=2m,mode=0755"))

    def fill(self):
        with open(self.disk / "filler", "ab", buffering=0) as filler:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    pass

    def make_room(self):
        (self.disk / "filler").unlink()


class FullDisk(CoveyTest):
    make_daemon = SmallDaemon

    @classmethod
    def setUpClass(cls):
        call(LIBC.unshare(CLONE_NEWNS))
        call(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        cls.addClassCleanup(cls.remove_disk)  # last of all: the daemon has ended
        super().setUpClass()

    @classmethod
    def remove_disk(cls):
        LIBC.umount2(str(cls.daemon.disk).encode(), 2)
        shutil.rmtree(cls.daemon.folder, ignore_errors=True)

    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: (self.daemon.disk / "filler").unlink(missing_ok=True))

    def tearDown(self):
        (self.daemon.disk / "filler").unlink(missing_ok=True)
        self.delete_all()
        self.warm_up()  # of the coveyd that was started last
        self.before = self.descriptors_at_rest()
        super().tearDown()

    def get(self, path):
        return self.client.get("/v1/" + path).json

    def metric(self, name):
        lines = self.client.get("/metrics").body.decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    def events(self, since):
        run = subprocess.run(["curl", "-sN", "-m", "1", "--unix-socket", self.daemon.socket,
                              f"http://covey/v1/events?since={since}"], stdout=subprocess.PIPE, check=False)
        return [event for event in map(json.loads, run.stdout.splitlines()) if not event["type"].startswith(("heartbeat", "stream."))]

    def shim_of(self, sandbox):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() == b"covey-shim\0" + sandbox.encode() + b"\0":
                    return int(pid)
            except OSError:
                pass
        raise AssertionError("no shim of " + sandbox)

    def test_what_has_no_room_is_refused_naming_the_disk(self):
        name = self.sandbox(pidMode="pod")
        one = self.container(name, ["sleep", "1000"])
        self.daemon.fill()
        answer = self.client.put("/v1/sandboxes/other", {"cgroupParent": self.daemon.parent})
        self.assertEqual(answer.status, 507)
        problem = self.assert_problem(answer, "resource_exhausted", "No space left on device", self.daemon.root)
        self.assertIn("make room", problem["fix"])
        bundle = self.get("containers/" + one)["bundle"]
        answer = self.client.put("/v1/containers/other", {"sandbox": name, "bundle": bundle})
        self.assertEqual(answer.status, 507)
        self.assert_problem(answer, "resource_exhausted", "No space left on device")
        self.assertEqual(self.get("sandboxes/" + name)["state"], "ready")
        self.assertEqual(self.get("containers/" + one)["state"], "running")
        self.assertEqual(self.client.exec(one, "echo", "alive")[1], b"alive\n")
        self.daemon.make_room()
        self.sandbox("other")

    def test_stop_and_deletion_work_and_leave_nothing(self):
        name = self.sandbox(pidMode="pod")
        one = self.container(name, ["sleep", "1000"])
        self.container(name, ["sleep", "1000"])
        self.daemon.fill()
        self.assertEqual(self.client.delete(f"/v1/containers/{one}?force=true").status, 204)
        self.assertEqual(self.client.post(f"/v1/sandboxes/{name}/stop").json["state"], "stopped")
        self.assertEqual(self.client.delete(f"/v1/sandboxes/{name}?force=true").status, 204)
        self.assertEqual(self.get("sandboxes")["items"], [])

    def test_a_dead_pod_is_never_called_ready_and_its_records_follow(self):
        name = self.sandbox(pidMode="pod")
        one = self.container(name, ["sleep", "1000"])
        since = self.get("sandboxes")["resourceVersion"]
        self.daemon.fill()
        os.kill(self.shim_of(name), signal.SIGKILL)
        wait_for(lambda: self.get("sandboxes/" + name)["state"] == "stopped", 5, "the end of the sandbox")
        container = self.get("containers/" + one)
        self.assertEqual((container["state"], container["exit"]["reason"]), ("stopped", "shim died"))
        self.assertTrue(container["recordStale"] and self.get("sandboxes/" + name)["recordStale"])
        self.assertGreaterEqual(self.metric("covey_stale_records"), 2)
        self.assertEqual([event["type"] for event in self.events(since)], ["container.exited", "sandbox.stopped"])
        self.assertIn("a record cannot be written", self.daemon.log())
        self.daemon.make_room()
        wait_for(lambda: "recordStale" not in self.get("sandboxes/" + name) and
                 "recordStale" not in self.get("containers/" + one), 25, "the records")
        whole = lambda: [{**self.get(path), "resourceVersion": 0} for path in ("sandboxes/" + name, "containers/" + one)]
        before = whole()
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(whole(), before)

    def test_events_of_a_full_disk_are_told_and_counted_and_written_when_there_is_room(self):
        name = self.sandbox(pidMode="pod")
        one = self.container(name, ["sleep", "1000"])
        self.daemon.fill()
        since = self.get("sandboxes")["resourceVersion"]
        for _ in range(20):  # what is left of the journal's last page takes some
            self.assertEqual(self.client.exec(one, "true")[2], 0)
        wait_for(lambda: self.metric("covey_events_unwritten") > 0, 5, "unwritten events")
        told = self.events(since)
        self.assertEqual(len([event for event in told if event["type"] == "exec.exited"]), 20)
        self.assertEqual(self.daemon.log().count("events cannot be written"), 1)
        self.daemon.make_room()
        wait_for(lambda: self.metric("covey_events_unwritten") == 0, 25, "the journal")
        self.assertEqual(self.metric("covey_events_lost_total"), 0)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.events(since), told)

    def test_a_pod_lives_on_when_one_of_its_containers_ends(self):
        name = self.sandbox(pidMode="pod")
        one, two = self.container(name, ["sleep", "1000"]), self.container(name, ["sleep", "1000"])
        self.daemon.fill()
        self.client.post(f"/v1/containers/{one}/kill", {"signal": "KILL"})
        self.assertEqual(self.client.get(f"/v1/containers/{one}/wait?timeout=5").json["exitCode"], 137)
        time.sleep(0.2)
        self.assertEqual(self.get("sandboxes/" + name)["state"], "ready")
        self.assertEqual(self.get("containers/" + two)["state"], "running")
        self.assertEqual(self.client.exec(two, "echo", "alive")[1], b"alive\n")


if __name__ == "__main__":
    main()
