"""SCMP_ACT_NOTIFY: a real agent on linux.seccomp.listenerPath that answers for the container."""
import array
import contextlib
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading
import time

from oci import IS_COVEY, OciTest, main, namespace, only_covey

# linux/seccomp.h on x86_64: struct seccomp_notif is 80 bytes, its response 24.
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101


class Agent:
    """Takes listeners as they come and answers each call that is asked about with ENOTTY."""

    def __init__(self, path):
        self.path, self.told, self.asked = str(path), [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(4)
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)
        self.listeners = set()
        self.wake, self.stop_end = os.pipe()
        self.poll.register(self.wake, select.POLLIN)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def take(self):
        connection, _ = self.socket.accept()
        with connection:
            data, control, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(16))
            numbers = array.array("i")
            for _, _, payload in control:
                numbers.frombytes(payload)
        self.told.append((json.loads(data), len(numbers)))
        for number in numbers:
            self.listeners.add(number)
            self.poll.register(number, select.POLLIN)

    def answer(self, listener):
        request = bytearray(80)
        fcntl.ioctl(listener, NOTIF_RECV, request)
        one, pid, _, number = struct.unpack_from("QIIi", request)
        self.asked.append((pid, number))
        fcntl.ioctl(listener, NOTIF_SEND, bytearray(struct.pack("QqiI", one, 0, -errno.ENOTTY, 0)))

    def serve(self):
        while True:
            for fd, event in self.poll.poll():
                if fd == self.wake:
                    return
                if fd == self.socket.fileno():
                    self.take()
                elif event & select.POLLIN:
                    try:
                        self.answer(fd)
                    except OSError:
                        pass  # who asked has ended
                else:
                    self.poll.unregister(fd)

    def stop(self):
        os.write(self.stop_end, b"x")
        self.thread.join(10)
        for fd in (*self.listeners, self.wake, self.stop_end):
            os.close(fd)
        self.socket.close()


class Notify(OciTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "agent.sock"

    def agent(self):
        agent = Agent(self.path)
        self.addCleanup(agent.stop)
        return agent

    def asking(self, *names, pid=True, **more):
        def change(config):
            config["linux"]["seccomp"] = {
                "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(self.path), "listenerMetadata": "for the agent",
                "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}], **more}
            if not pid:
                namespace(config, "pid", None)
            config["annotations"] = {"a": "b"}
        return change

    def check_told(self, agent, one, pid, main, status):
        state, count = agent.told[-1]
        self.assertEqual(count, 1)
        self.assertEqual((state["fds"], state["pid"], state["metadata"]), (["seccompFd"], pid, "for the agent"))
        self.assertTrue(state["ociVersion"])
        inner = state["state"]
        self.assertEqual((inner["id"], inner["pid"], inner["annotations"]), (one, main, {"a": "b"}))
        self.assertEqual(inner["bundle"], str(self.folder / one))
        self.assertEqual(inner["status"], status)

    def check_exec(self, agent, one, pid):
        pid_file = self.folder / "exec.pid"
        run = self.call("exec", "--pid-file", str(pid_file), one, "probe", "mkdir", "/tmp/x")
        self.assertEqual((run.returncode, run.stdout), (1, "ENOTTY\n"), run.stderr)
        exec_pid = int(pid_file.read_text(encoding="ascii"))
        self.check_told(agent, one, exec_pid, pid, "running")
        self.assertEqual([entry for entry, _ in agent.asked], [pid, exec_pid])

    def test_the_agent_answers_for_the_container_and_for_its_execs(self):
        for locked in (True, False):
            for pid_namespace in (True, False):
                with self.subTest(locked=locked, pid_namespace=pid_namespace):
                    agent = self.agent()
                    one, pid = self.create("probe", "mkdir", "/tmp/x", "--", "sleep", "forever", noNewPrivileges=locked,
                                           change=self.asking("mkdir", "mkdirat", pid=pid_namespace))
                    self.check_told(agent, one, pid, pid, "creating")
                    self.ok("start", one)
                    self.check_exec(agent, one, pid)
                    self.ok("delete", "--force", one)
                    self.wait_exit(pid)
                    agent.stop()
                    self._cleanups.pop()
                    self.path.unlink()

    def test_neither_listener_nor_agent_is_left_in_the_container(self):
        """Who holds the listener answers for the filter. At the gate, in the program and in an exec."""
        self.agent()
        for locked in (True, False):
            one, pid = self.create("probe", "sleep", "forever", change=self.asking("mkdir"), noNewPrivileges=locked)
            if IS_COVEY:  # runc's init is its own program until it is started
                open_files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                self.assertEqual([name for name in open_files if "seccomp" in name], [])
                # The hand-shake's end and nothing else.
                self.assertLessEqual(len([name for name in open_files if name.startswith("socket:")]), 1, open_files)
            self.ok("start", one)
            state = json.loads(self.ok("exec", one, "probe", "state").stdout)
            self.assertEqual([entry["fd"] for entry in state["fds"]], [0, 1, 2])
            self.assertEqual(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"])

    def test_an_agent_that_is_not_there(self):
        for flaw in ("no file", "nobody listens"):
            with self.subTest(flaw):
                if flaw == "nobody listens":
                    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    dead.bind(str(self.path))
                    dead.close()
                one, bundle = self.bundle("probe", change=self.asking("mkdir"))
                run = self.call("create", "--bundle", bundle, one)
                self.assertEqual(run.returncode, 1)
                self.assertIn(str(self.path), run.stderr)
                if IS_COVEY:
                    self.assertEqual(run.stderr.count("\n"), 1)
                    self.assertIn("start the agent", run.stderr)
                self.assertNotEqual(self.call("state", one).returncode, 0)

    def test_an_agent_that_does_not_read_and_sends_what_nobody_asked_for(self):
        """Nothing is read from it, and nobody waits for it: neither the launch nor the end."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listening.close)
        listening.bind(str(self.path))
        listening.listen(8)
        held = []

        def lie():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                held.append(connection)
                connection.setblocking(False)
                with contextlib.suppress(OSError):
                    socket.send_fds(connection, [b"\0" * 8], [0, 1, 2])
                    while True:
                        connection.send(b'{"ociVersion":"9","fds":["seccompFd"],"state":{"pid":1}}' * 100)
        threading.Thread(target=lie, daemon=True).start()
        before = time.monotonic()
        one, pid = self.create("probe", "sleep", "forever", change=self.asking("mkdir"))
        self.ok("start", one)
        self.assertEqual(self.ok("exec", one, "probe", "echo", "alive").stdout, "alive\n")
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"])
        self.ok("delete", "--force", one)
        self.assertLess(time.monotonic() - before, 5)
        self.assertGreaterEqual(len(held), 2, "the container and its exec")
        for connection in held:
            connection.close()

    @only_covey("runc connects only when it tells")
    def test_an_agent_that_accepts_nobody(self):
        """Its queue is full: connecting would wait without an end."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listening.close)
        listening.bind(str(self.path))
        listening.listen(0)
        queue = []
        with contextlib.suppress(BlockingIOError):
            while True:
                client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                queue.append(client)
                client.setblocking(False)
                client.connect(str(self.path))
        before = time.monotonic()
        one, bundle = self.bundle("probe", "sleep", "forever", change=self.asking("mkdir"))
        run = self.call("create", "--bundle", bundle, one, timeout=20)
        for client in queue:
            client.close()
        self.assertEqual(run.returncode, 1)
        self.assertIn(str(self.path), run.stderr)
        self.assertLess(time.monotonic() - before, 5)
        self.assertNotEqual(self.call("state", one).returncode, 0)

    @only_covey("runc connects only when it tells")
    def test_an_agent_that_ends_before_it_is_told(self):
        """A hook that runs between the connection and the telling waits until the agent has hung up."""
        gone = self.folder / "gone"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(self.path))
        listening.listen(1)

        def take_and_hang_up():
            listening.accept()[0].close()
            gone.touch()
        thread = threading.Thread(target=take_and_hang_up)
        thread.start()
        asking = self.asking("mkdir")

        def change(config):
            asking(config)
            wait = f"until [ -e {gone} ]; do sleep 0.01; done"
            config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", wait], "timeout": 10}]}
        one, bundle = self.bundle("probe", "sleep", "forever", change=change)
        self.fails("the seccomp agent", "create", "--bundle", bundle, one)
        thread.join(10)
        listening.close()
        self.assertNotEqual(self.call("state", one).returncode, 0)

    def test_what_the_runtime_itself_needs_cannot_be_asked(self):
        self.agent()
        one, bundle = self.bundle("probe", change=self.asking("mkdir", defaultAction="SCMP_ACT_NOTIFY"))
        run = self.call("create", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1)
        self.assertIn("SCMP_ACT_NOTIFY cannot be used as default action", run.stderr)

    @only_covey("runc's is write: it tells its parent by that, covey-runtime by sendmsg")
    def test_the_one_call_that_hands_over_the_listener(self):
        self.agent()
        one, bundle = self.bundle("probe", change=self.asking("sendmsg"))
        self.fails("SCMP_ACT_NOTIFY cannot be used for sendmsg", "create", "--bundle", bundle, one)
        self.assertEqual(self.output("probe", "echo", "hello", change=self.asking("write")), "")

    def test_without_the_action_the_path_is_ignored(self):
        def change(config):
            config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nobody/is/here"}
        self.assertEqual(self.output("probe", "echo", "hello", change=change), "hello\n")


if __name__ == "__main__":
    main()
