"""A containerd of the test's own, configured as docs/engines/containerd.md shows."""
import os
import subprocess

import engine_test
import private
import snippets

PLACES = """
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
"""
# What CRI needs besides on a machine without a network to set up.
CRI = """  sandbox_image = "localhost/pause:latest"
  stream_server_address = "127.0.0.1"
"""


class ContainerdTest(engine_test.EngineTest):
    namespace = "tests"

    @classmethod
    def start_engine(cls):
        config = cls.folder / "config.toml"
        first, _for_systemd, restricted = snippets.blocks("containerd.md", "toml")
        config.write_text(first + restricted + CRI + PLACES.format(folder=cls.folder), encoding="utf-8")
        cls.socket = cls.folder / "containerd.sock"
        with open(cls.folder / "log", "wb") as log:
            cls.daemon = subprocess.Popen(
                ["containerd", "--config", config, "--root", cls.folder / "root", "--state", cls.folder / "state",
                 "--address", cls.socket], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(cls.stop_daemon)
        private.wait_for(lambda: subprocess.run(["ctr", "-a", cls.socket, "version"], stdin=subprocess.DEVNULL, check=False,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0,
                         20, "containerd's start")
        private.output(["ctr", "-a", cls.socket, "-n", cls.namespace, "images", "import", cls.archive])

    @classmethod
    def stop_daemon(cls):
        cls.daemon.terminate()
        cls.daemon.wait(10)

    def own_children(self):
        return (self.daemon.pid,)

    def watched(self):
        """Where containerd's shim tells the runtime to keep its state."""
        return (f"/run/containerd/runc/{self.namespace}",)

    def log(self):
        with open(self.folder / "log", encoding="utf-8", errors="replace") as file:
            return file.read()[-1500:]

    def ctr(self, *words, **options):
        return self.call(["ctr", "-a", self.socket, "-n", self.namespace, *words], environment=dict(os.environ), **options)
