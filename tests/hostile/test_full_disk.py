"""Kind 7: the file system of the state is full. What runs goes on, what is answered is true, what ends is ended."""
import ctypes
import os
import pathlib
import subprocess
import time

from hostile_test import HostileTest, main, on_both_fronts

CLONE_NEWNS = 0x20000
libc = ctypes.CDLL(None, use_errno=True)


def own_mounts():
    """A mount namespace of this test's own: what is mounted here is gone with it."""
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


class FullDisk:
    """A tmpfs of one megabyte below the state."""

    @classmethod
    def start_front(cls):
        original = cls.front_class.__init__
        super().start_front()

    def fill(self):
        path = pathlib.Path(self.state()) / "ballast"
        with open(path, "wb", buffering=0) as file:
            for size in (1 << 16, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass
        return path
