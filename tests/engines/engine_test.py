"""What the tests of all engines share: a private world for the program, images, a leak check after each test."""
import os
import pty
import select
import subprocess
import time
import unittest

import images
import private

FOLDER = None  # the program's private folder


class EngineTest(unittest.TestCase):
    """A class starts its engine once; what the engine itself keeps is there before the first leak check."""

    maxDiff = None
    keeps = ()  # substrings of what an engine keeps to itself between containers

    @classmethod
    def setUpClass(cls):
        cls.folder = FOLDER / cls.__name__
        cls.folder.mkdir()
        cls.addClassCleanup(private.remove, cls.folder)
        cls.archive = FOLDER / "images.tar"
        if not cls.archive.exists():
            images.make_archive(cls.archive)
        cls.start_engine()

    @classmethod
    def start_engine(cls):
        """Configuration, daemon, images, and one container, so that the engine's own folders are there."""

    def remove_containers(self):
        """Whatever a test left, by the engine's own commands."""

    def setUp(self):
        self.leaks = private.Leaks(*self.watched())

    def watched(self):
        """Folders whose files are checked: the runtime's state."""
        return ()

    def tearDown(self):
        self.remove_containers()
        private.reap_orphans(self.own_children())
        left = [leak for leak in self.leaks.found() if not any(word in leak for word in self.keeps)]
        private.remove_cgroups(leak[8:] for leak in left if leak.startswith("cgroup: "))
        self.assertEqual(left, [], "left behind")

    def own_children(self):
        return ()

    def call(self, words, status=0, data=None, timeout=60, environment=None):
        """(stdout, stderr) of a command that ends with `status` (None: any)."""
        run = subprocess.run([str(word) for word in words], input=data if data is not None else b"", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=timeout, check=False, env=environment)
        out, err = run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")
        if status is not None:
            self.assertEqual(run.returncode, status, f"{' '.join(map(str, words))}\nstdout: {out}\nstderr: {err}")
        return out, err


class Terminal:
    """A command on a terminal of its own, as a person has it."""

    def __init__(self, words, environment=None):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([str(word) for word in words], stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True, preexec_fn=self._take_terminal)
        os.close(slave)
        self.seen = b""

    @staticmethod
    def _take_terminal():
        import fcntl
        import termios
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, seconds=15):
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"no {text!r} on the terminal: {self.seen!r}")
            try:
                self.seen += os.read(self.master, 4096)
            except OSError as closed:
                raise AssertionError(f"no {text!r} before the end: {self.seen!r}") from closed

    def end(self, seconds=15):
        """The exit status, and all output."""
        status = self.process.wait(seconds)
        os.set_blocking(self.master, False)
        try:
            while data := os.read(self.master, 4096):
                self.seen += data
        except OSError:
            pass
        os.close(self.master)
        return status, self.seen.decode(errors="replace")


def main():
    global FOLDER
    FOLDER = private.enter()
    result = None
    try:
        print(f"runtime: {private.RUNTIME}", flush=True)
        result = unittest.main(module="__main__", verbosity=2, exit=False).result
    finally:
        private.leave(FOLDER)
    raise SystemExit(0 if result.wasSuccessful() else 1)
