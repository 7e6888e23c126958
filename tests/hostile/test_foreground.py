"""`covey-runtime run` waits for its container, and passes on what the container says. Whatever that is, its caller's signals arrive."""
import os
import pty
import socket
import subprocess
import time

import fronts
import oci
from hostile_test import DELETE_LIMIT, HostileTest, main


class Foreground(HostileTest):
    front_class = fronts.RuntimeFront

    def run_in_front(self, args, terminal=False, environment=None, **streams):
        """(the command, the container's folder) of a container in the foreground."""
        name = self.front.next_name("c")
        folder = self.front.folder / name
        config = self.front.config(args, fronts.make_rootfs(folder / "rootfs"), terminal=terminal)
        config["linux"]["cgroupsPath"] = f"{self.front.group}/{name}"
        (folder / "config.json").write_text(fronts.json.dumps(config), encoding="utf-8")
        self.addCleanup(self.front.call, "delete", "--force", name)
        return subprocess.Popen([oci.RUNTIME, "--root", self.front.root, "run", "--bundle", str(folder), name],
                                env={**self.front.env, **(environment or {})}, **streams)

    def assert_ends(self, command):
        """By the signal that it passes on."""
        command.terminate()
        try:
            command.wait(DELETE_LIMIT)
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()
            self.fail("it is deaf to SIGTERM")

    def test_a_flood_at_the_notify_socket(self):
        """Won: it read for ever."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(self.folder / "notify")
        listener.bind(path)
        self.addCleanup(os.unlink, path)
        self.addCleanup(listener.close)
        output = open(self.front.folder / "output", "w+b")
        self.addCleanup(output.close)
        command = self.run_in_front(["thief", "flood-notify", "8"], environment={"NOTIFY_SOCKET": path},
                                    stdin=subprocess.DEVNULL, stdout=output)
        fronts.wait_for(lambda: b"ready" in (self.front.folder / "output").read_bytes(), 10)
        time.sleep(0.5)
        self.assert_ends(command)

    def test_a_terminal_that_nobody_reads(self):
        """Won: it waited to write what was typed."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        command = self.run_in_front(["thief", "deaf-terminal"], terminal=True, stdin=reader, stdout=slave, stderr=slave)
        os.close(reader)
        os.close(slave)
        fronts.wait_for(lambda: b"ready" in os.read(master, 4096), 10)
        os.set_blocking(writer, False)
        end, typed = time.monotonic() + 2, 0
        while time.monotonic() < end:
            try:
                typed += os.write(writer, b"typed text without a reader, line after line\n" * 20)
            except BlockingIOError:
                time.sleep(0.05)
        self.evidence.append(f"  typed {typed} bytes")
        self.assert_ends(command)

    def tearDown(self):
        self.doCleanups()
        super().tearDown()


if __name__ == "__main__":
    main()
