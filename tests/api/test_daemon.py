"""What coveyd says of itself, and how it begins and ends."""
import json
import os
import shutil
import signal
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


if __name__ == "__main__":
    main()
