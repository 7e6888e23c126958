"""What coveyd says of itself, and how it begins and ends."""
import array
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import yaml

from contract import ROOT
from covey_client import BIN, Client, CoveyTest, Daemon, connect, main


class Documents(CoveyTest):
    def test_version_health_and_info_are_as_documented(self):
        version = self.client.get("/v1/version").json
        self.assertIn("exec", version["features"])
        self.assertEqual(self.client.get("/v1/healthz").json, {"status": "ok"})
        info = self.client.get("/v1/info").json
        self.assertEqual(info["kernel"], os.uname().release)
        for check in info["checks"]:
            self.assertTrue(check["status"] == "ok" or check["fix"], check)

    def test_the_document_served_is_the_one_in_proto(self):
        with open(ROOT / "proto/openapi.yaml", encoding="utf-8") as file:
            self.assertEqual(self.client.get("/v1/openapi.json").json, yaml.safe_load(file))

    def test_every_error_code_has_a_page(self):
        pages = self.client.get("/v1/errors").json["items"]
        with open(ROOT / "proto/errors.yaml", encoding="utf-8") as file:
            self.assertEqual([page["code"] for page in pages],
                             [entry["code"] for entry in yaml.safe_load(file)["errors"]])
        for page in pages:
            self.assertEqual(self.client.get("/v1/errors/" + page["code"]).json, page)
        self.assert_problem(self.client.get("/v1/errors/not_fond"), "not_found", "did you mean 'not_found'")

    def test_curl_needs_nothing_but_the_socket(self):
        output = subprocess.run(["curl", "-sS", "--unix-socket", self.daemon.socket, "http://covey/v1/version"],
                                stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(json.loads(output)["apiVersion"], "1.0")

    def test_a_page_of_requests_on_one_connection(self):
        with connect(self.daemon.socket) as connection:
            connection.sendall(b"GET /v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            data = b""
            while data.count(b'{"status":"ok"}') < 50:
                data += connection.recv(65536)
            self.assertEqual(data.count(b"HTTP/1.1 200 OK"), 50)


class BeginningAndEnd(CoveyTest):
    def run_second(self, root, socket):
        run = subprocess.run([str(BIN / "coveyd"), "--root", root, "--socket", socket],
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20, check=False)
        return run.returncode, run.stderr.decode()

    def test_the_socket_is_for_root_and_the_group_only(self):
        mode = os.stat(self.daemon.socket).st_mode & 0o777
        self.assertEqual(mode, 0o660)

    def test_descriptors_are_refused(self):
        """What it would have to close may take long to close (SO_LINGER, a FUSE)."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.daemon.socket)
            try:
                client.sendmsg([b"G"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
                release = tuple(int(number) for number in os.uname().release.split(".")[:2])
                self.assertLess(release, (6, 16), "Linux 6.16 has SO_PASSRIGHTS")
            except PermissionError:
                pass
        self.assertEqual(self.client.get("/v1/healthz").status, 200)

    def test_whoever_connects_and_ends_is_nobody(self):
        """Won: a container that has the socket connected by a child that ended, and was in no group."""
        with socket.socket(socket.AF_UNIX) as client:
            # Not looked at before it has ended.
            self.daemon.process.send_signal(signal.SIGSTOP)
            child = os.fork()
            if child == 0:
                client.connect(self.daemon.socket)
                os._exit(0)
            os.waitpid(child, 0)
            self.daemon.process.send_signal(signal.SIGCONT)
            client.settimeout(10)
            with contextlib.suppress(BrokenPipeError):  # it has been answered and closed
                client.sendall(b"GET /v1/version HTTP/1.1\r\nHost: covey\r\nConnection: close\r\n\r\n")
            answer = b""
            with contextlib.suppress(ConnectionResetError):  # behind the answer: it was not read
                while piece := client.recv(65536):
                    answer += piece
        self.assertIn(b" 403 ", answer.split(b"\r\n")[0], answer)

    def test_a_second_daemon_on_the_same_state_folder_is_refused(self):
        status, text = self.run_second(self.daemon.root, str(self.folder / "other.sock"))
        self.assertEqual(status, 1)
        self.assertIn("failed_precondition", text)
        self.assertIn(self.daemon.root, text)

    def test_a_second_daemon_on_the_same_socket_is_refused(self):
        status, text = self.run_second(str(self.folder / "root"), self.daemon.socket)
        self.assertEqual(status, 1)
        self.assertIn("listens on", text)
        self.assertIn("fix=", text)
        self.assertEqual(self.client.get("/v1/healthz").status, 200)

    def test_a_file_that_is_no_socket_is_left_alone(self):
        path = self.folder / "precious"
        path.write_text("text")
        status, text = self.run_second(str(self.folder / "root"), str(path))
        self.assertEqual(status, 1)
        self.assertIn("is no socket", text)
        self.assertEqual(path.read_text(), "text")

    def test_unknown_options_are_a_usage_error(self):
        run = subprocess.run([str(BIN / "coveyd"), "--sokcet", "x"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=20, check=False)
        self.assertEqual(run.returncode, 2)

    def test_sigterm_takes_the_socket_away_and_a_killed_ones_socket_is_replaced(self):
        daemon = Daemon().start()
        try:
            self.assertEqual(daemon.kill(signal.SIGTERM), 0)
            self.assertFalse(os.path.exists(daemon.socket))
            daemon.start().kill(signal.SIGKILL)
            self.assertTrue(os.path.exists(daemon.socket))
            daemon.start()
            self.assertEqual(Client(daemon).get("/v1/healthz").status, 200)
        finally:
            daemon.kill()
            shutil.rmtree(daemon.folder)

    def test_a_socket_path_of_any_length(self):
        daemon = Daemon()
        deep = tempfile.mkdtemp(prefix="x" * 150, dir=daemon.folder)
        daemon.socket = deep + "/covey.sock"
        daemon.is_ready = lambda: "READY" in daemon.log()
        daemon.start()
        try:
            here = os.open(deep, os.O_RDONLY | os.O_CLOEXEC)
            connect(f"/proc/self/fd/{here}/covey.sock").close()
            os.close(here)
        finally:
            daemon.kill()
            shutil.rmtree(daemon.folder)


class TaintedDaemon(Daemon):
    @staticmethod
    def before_exec():
        libc = ctypes.CDLL(None, use_errno=True)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for number in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        mask = ctypes.c_ulong(1)
        results = [libc.syscall(238, 3, ctypes.byref(mask), 64),  # set_mempolicy(MPOL_INTERLEAVE)
                   libc.personality(0x0040000), libc.prctl(29, 1_000_000_000), libc.prctl(41, 1, 0, 0, 0), libc.prctl(28, 0x40)]
        with open("/proc/self/coredump_filter", "w", encoding="ascii") as file:
            file.write("0x7f")
        os.umask(0)
        assert -1 not in results, results


class Surroundings(CoveyTest):
    """docs/RUNTIME.md, "What a caller passes on"."""

    make_daemon = TaintedDaemon

    def seen(self, pid):
        files = {name: pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="ascii")
                 for name in ("status", "personality", "timerslack_ns", "coredump_filter", "numa_maps")}
        fields = dict(line.split(":\t", 1) for line in files["status"].splitlines())
        return {"signals": (int(fields["SigIgn"], 16), int(fields["SigBlk"], 16)), "cpus": fields["Cpus_allowed_list"].strip(),
                "huge pages": fields["THP_enabled"].strip(), "personality": int(files["personality"], 16),
                "slack": int(files["timerslack_ns"]), "dumped": int(files["coredump_filter"], 16), "policy": "interleave" in files["numa_maps"]}

    def test_nothing_of_the_daemons_surroundings_reaches_a_pod(self):
        cpus = dict(line.split(":\t", 1) for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines())
        clean = {"signals": (0, 0), "cpus": cpus["Cpus_allowed_list"].strip(), "huge pages": "1", "personality": 0, "slack": 50_000,
                 "dumped": 0x33, "policy": False}
        name = self.sandbox()
        one = self.container(name, ["sleep", "1000"])
        self.assertEqual(self.seen(self.client.get(f"/v1/containers/{one}").json["pid"]), clean)
        # Pause takes its signals one by one.
        self.assertEqual({**self.seen(self.client.get(f"/v1/sandboxes/{name}").json["pid"]), "signals": (0, 0)}, clean)
        status, body, _ = self.client.exec(one, "cat", "/proc/self/status")
        self.assertEqual(status, 200)
        fields = dict(line.split(":\t", 1) for line in body.decode().splitlines())
        self.assertEqual((fields["Cpus_allowed_list"].strip(), int(fields["SigIgn"], 16), fields["THP_enabled"].strip()), (clean["cpus"], 0, "1"))
        # It is coveyd's unit that says where coveyd itself runs.
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            self.assertIn("Cpus_allowed_list:\t0\n", file.read())


if __name__ == "__main__":
    main()
