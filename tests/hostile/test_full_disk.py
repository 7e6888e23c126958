"""Kind 7: the file system of the state is full. What runs goes on, what is answered is true, what ends is ended."""
import ctypes
import os
import pathlib
import subprocess
import tempfile
from unittest import mock

import fronts
from fronts import covey_client
from hostile_test import HostileTest, main, on_both_fronts

CLONE_NEWNS = 0x20000
libc = ctypes.CDLL(None, use_errno=True)


class DaemonOnDisk(covey_client.Daemon):
    """Its state is on the small disk."""

    disk = None

    def __init__(self, environment=None):
        super().__init__(environment)
        self.root, self.socket = f"{self.disk}/run", f"{self.disk}/run/covey.sock"


@on_both_fronts
class FullDisk:
    @classmethod
    def start_front(cls):
        """The disk is a tmpfs in a mount namespace of this test's own."""
        if libc.unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        cls.disk = pathlib.Path(tempfile.mkdtemp(prefix="covey-disk."))
        cls.addClassCleanup(cls.disk.rmdir)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", cls.disk], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.disk], check=True)
        DaemonOnDisk.disk = cls.disk
        with mock.patch.object(covey_client, "Daemon", DaemonOnDisk):
            super().start_front()
        if cls.front.name == "covey-runtime":
            cls.front.root = f"{cls.disk}/state"

    def fill(self):
        with open(self.disk / "ballast", "wb", buffering=0) as file:
            for size in (1 << 16, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def status(self, container):
        if self.front.name == "coveyd":
            return self.front.client.get(f"/v1/containers/{container.name}").json["state"]
        return fronts.json.loads(self.front.call("state", container.name).text)["status"]

    def assert_stopped(self, container):
        fronts.wait_for(lambda: self.status(container) == "stopped", 5, f"the truth about {container.name}")

    def test_a_container_ends(self):
        """Before: covey-shim ended with all containers of the pod, and coveyd went on saying `running`."""
        with self.attack():
            pod, near, far = self.bystanders()
            ending, waiting = pod.run(["sleep", "1000"], mode="pod"), pod.create(["sleep", "1000"], mode="nested")
            self.fill()
            try:
                self.note("kill", ending.kill("KILL"))
                self.assert_stopped(ending)
                self.assert_bystanders_work(near, far)
                self.note("start", waiting.start())
                self.assert_bystanders_work(near, far)
                fresh = pod.create(["sleep", "1000"], keep=True)
                self.note("create", fresh.create_call)
                self.assertTrue(fresh.create_call.ok or fresh.create_call.seconds < 5, self.story())
                if not fresh.create_call.ok:
                    pod.containers.remove(fresh)
                    self.assertNotIn('"internal"', fresh.create_call.text)
                self.assert_bystanders_work(near, far)
                for what, one in (("what had ended", ending), ("what was started", waiting)):
                    self.assert_deleted(what, one)
                self.assert_bystanders_work(near, far)
            finally:
                (self.disk / "ballast").unlink()
            again = pod.run(["sleep", "1000"], mode="pod")
            self.assert_works("exec with room again", again.exec("true"))

    def test_a_pod_is_deleted(self):
        with self.attack():
            pod, near, far = self.bystanders()
            self.fill()
            try:
                self.assert_deleted("the pod", pod)
                self.assert_works("exec in another pod", far.exec("true"))
            finally:
                (self.disk / "ballast").unlink()


if __name__ == "__main__":
    main()
