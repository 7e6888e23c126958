"""exec: streams both ways, exit codes, and what happens when the client goes away."""
import base64
import json
import struct
import subprocess
import threading
import time
import urllib.parse

from covey_client import CONTRACT, CoveyTest, connect, main, wait_for

FRAMES = "application/vnd.docker.multiplexed-stream"
LINES = "application/x-ndjson"


class Exec(CoveyTest):
    def setUp(self):
        super().setUp()
        self.name = self.sandbox(pidMode="pod")
        self.shell = self.container(self.name, ["cat"], stdio={"stdin": "hold"})

    def execs(self):
        rows = self.client.get(f"/v1/sandboxes/{self.name}/processes").json["items"]
        return [row["command"] for row in rows if row["exec"]]

    def open_stream(self, *command, body=b"", headers=b"Transfer-Encoding: chunked\r\n"):
        """A connection in the middle of an exec."""
        connection = connect(self.daemon.socket)
        query = urllib.parse.urlencode([("cmd", word) for word in command])
        connection.sendall(f"POST /v1/containers/{self.shell}/exec?{query} HTTP/1.1\r\nHost: x\r\n".encode() + headers + b"\r\n" + body)
        return connection

    def test_output_and_exit_code(self):
        self.assertEqual(self.client.exec(self.shell, "sh", "-c", "echo out; echo err >&2; exit 5")[0::2], (200, 5))
        self.assertEqual(self.client.exec(self.shell, "echo", "a b", "c+d&e=%f"), (200, b"a b c+d&e=%f\n", 0))
        self.assertEqual(self.client.exec(self.shell, "sh", "-c", "kill -9 $$"), (200, b"", 137))

    def test_stdin_goes_up_while_output_comes_down(self):
        data = bytes(range(256)) * 8192
        self.assertEqual(self.client.exec(self.shell, "cat", stdin=data), (200, data, 0))
        connection = self.open_stream("cat")
        for word in (b"one", b"two", b"three"):
            connection.sendall(b"%x\r\n%s\r\n" % (len(word), word))
            received = b""
            while word not in received:
                received += connection.recv(65536)
        connection.sendall(b"0\r\n\r\n")
        rest = b""
        while b"Covey-Exit-Code" not in rest:
            rest += connection.recv(65536)
        connection.close()

    def test_frames_and_lines_keep_the_streams_apart(self):
        command = ["sh", "-c", "printf out; sleep 0.1; printf err >&2; exit 4"]
        status, body, code = self.client.exec(self.shell, *command, accept=FRAMES)
        frames = []
        while body:
            stream, length = body[0], struct.unpack(">I", body[4:8])[0]
            frames.append((stream, body[8:8 + length]))
            body = body[8 + length:]
        self.assertEqual((status, code, frames), (200, 4, [(1, b"out"), (2, b"err")]))
        status, body, code = self.client.exec(self.shell, *command, accept=LINES)
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines:
            CONTRACT.validate(line, {"$ref": "#/components/schemas/ExecLine"})
        self.assertEqual([(line["stream"], base64.b64decode(line["data"])) for line in lines[:-1]],
                         [("stdout", b"out"), ("stderr", b"err")])
        self.assertEqual((lines[-1]["exit"]["exitCode"], code), (4, 4))

    def test_user_environment_folder_capabilities_and_terminal(self):
        self.assertEqual(self.client.exec(self.shell, "id", "-u", user="1000:1001")[1], b"1000\n")
        self.assertEqual(self.client.exec(self.shell, "id", "-g", user="1000:1001")[1], b"1001\n")
        self.assertEqual(self.client.exec(self.shell, "sh", "-c", "echo $A$B", env=["A=x y", "B=+"])[1], b"x y+\n")
        self.assertEqual(self.client.exec(self.shell, "pwd", cwd="/tmp")[1], b"/tmp\n")
        self.assertEqual(self.client.exec(self.shell, "stty", "size", tty="true", rows="33", columns="99")[1], b"33 99\r\n")
        effective = lambda **query: int(self.client.exec(self.shell, "sh", "-c", "cat /proc/self/status", **query)[1]
                                        .split(b"CapEff:\t")[1].split()[0], 16)
        self.assertEqual(effective(cap="SYS_PTRACE") & ~effective(), 1 << 19)

    def test_a_program_that_is_not_there_is_a_problem_not_a_stream(self):
        answer = self.client.post(f"/v1/containers/{self.shell}/exec?cmd=/bin/nope")
        self.assert_problem(answer, "not_found", "/bin/nope")
        self.assertEqual(self.execs(), [])

    def test_bad_queries(self):
        for query, code, word in (("", "invalid_argument", "cmd"), ("cmd=x&cwdd=/", "unknown_field", "did you mean 'cwd'"),
                                  ("cmd=x&user=root", "invalid_argument", "root"), ("cmd=x&user=1:", "invalid_argument", "1:"),
                                  ("cmd=x&user=4294967295", "invalid_argument", "4294967295"),
                                  ("cmd=x&user=1&user=2", "invalid_argument", "2 times"),
                                  ("cmd=x&cwd=tmp", "invalid_argument", "tmp"), ("cmd=x&tty=yes", "invalid_argument", "yes"),
                                  ("cmd=x&rows=3", "invalid_argument", "terminal"), ("cmd=x&env=B=&env=A", "invalid_argument", "number 2"),
                                  ("cmd=x&cap=SYS_PTRAC", "invalid_argument", "CAP_SYS_PTRACE"),
                                  ("cmd=%zz", "invalid_argument", "%-escape"), ("cmd=%00", "invalid_argument", "NUL"),
                                  ("cmd=%ff", "invalid_argument", "UTF-8")):
            self.assert_problem(self.client.post(f"/v1/containers/{self.shell}/exec?{query}"), code, word)

    def test_no_log_has_a_word_of_a_command_or_an_environment(self):
        secret = "pAssw0rd-of-nobody"
        self.client.exec(self.shell, "sh", "-c", f": {secret}", env=["A=" + secret])
        self.client.exec(self.shell, "/no/such/" + secret, env=["A=" + secret], cwd="/" + secret)
        exec_path = f"/v1/containers/{self.shell}/exec"
        for target in (f"{exec_path}?cmd=x&env={secret}", f"{exec_path}?cmd={secret}&rows=x", f"{exec_path}?{secret}=1",
                       f"{exec_path}%3Fcmd=x&env=A={secret}", f"{exec_path}?cmd=x&cap={secret}",
                       f"/v1/containers/nobody/exec?cmd={secret}&env=A={secret}"):
            self.assertGreaterEqual(self.client.post(target).status, 400)
        for query in (f"?cmd=x&env={secret}", "?cmd=x&env=A=&env=" + secret):
            self.assertNotIn(secret, str(self.client.post(exec_path + query)))
        self.client.post(f"/v1/sandboxes/{self.name}/debug", {"command": ["x"], "env": [secret]})
        self.client.put("/v1/sandboxes/other", {"labels": {secret: secret}, "foo": secret})
        log = self.daemon.log()
        self.assertIn("path=" + exec_path, log)
        self.assertNotIn(secret, log)

    def test_a_client_that_goes_away_ends_the_exec(self):
        connection = self.open_stream("sleep", "1000")
        wait_for(lambda: self.execs() == [["sleep", "1000"]])
        connection.close()
        wait_for(lambda: self.execs() == [], what="the end of the exec")
        connection = self.open_stream("sh", "-c", "sleep 1000 & sleep 1000", headers=b"Content-Length: 0\r\n")
        wait_for(lambda: len(self.execs()) >= 2)
        connection.close()
        wait_for(lambda: self.execs() == [], what="the end of the exec's children")

    def test_half_a_close_is_only_the_end_of_stdin(self):
        import socket
        connection = self.open_stream("sh", "-c", "cat; echo done; exit 6", body=b"3\r\nabc\r\n0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        data = b""
        while piece := connection.recv(65536):
            data += piece
        connection.close()
        self.assertIn(b"Covey-Exit-Code: 6", data)

    def test_a_client_that_reads_nothing_costs_no_memory_and_delays_nobody(self):
        connections = [self.open_stream("yes", headers=b"Content-Length: 0\r\n") for _ in range(4)]
        wait_for(lambda: len(self.execs()) == 4)
        before = self.daemon.memory()
        slowest = 0.0
        for _ in range(50):
            start = time.monotonic()
            self.client.get("/v1/healthz")
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.01)
        self.assertLess(self.daemon.memory() - before, 4 << 20)
        self.assertLess(slowest, 1.0)
        for connection in connections:
            connection.close()
        wait_for(lambda: self.execs() == [])

    def test_a_process_that_reads_no_stdin_does_not_hold_the_answer_up(self):
        data = b"x" * (4 << 20)
        start = time.monotonic()
        status, body, code = self.client.exec(self.shell, "echo", "at once", stdin=data)
        self.assertEqual((status, body, code), (200, b"at once\n", 0))
        self.assertLess(time.monotonic() - start, 10)

    def test_what_a_process_leaves_running_does_not_hold_the_answer_up(self):
        self.assertEqual(self.client.exec(self.shell, "sh", "-c", "sleep 1000 & echo away"), (200, b"away\n", 0))
        wait_for(lambda: self.execs() == [["sleep", "1000"]])  # the shell execs it in its own time

    def test_many_at_once(self):
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append(self.client.exec(self.shell, "sh", "-c", f"echo {n}; exit {n}")))
                   for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(results), sorted((200, f"{n}\n".encode(), n) for n in range(20)))

    def test_the_line_of_the_documentation(self):
        url = f"http://covey/v1/containers/{self.shell}/exec?cmd=cat"
        run = subprocess.run(["curl", "-sN", "-T", ".", "-X", "POST", "--unix-socket", self.daemon.socket, url],
                             input=b"typed\n", stdout=subprocess.PIPE, timeout=20, check=False)
        self.assertEqual((run.returncode, run.stdout), (0, b"typed\n"))


if __name__ == "__main__":
    main()
