"""Limits of the HTTP server: sizes, times, odd clients. Each ends in an answer or a closed connection,
and never delays anybody else."""
import json
import os
import socket
import time

from covey_client import CONTRACT, Answer, CoveyTest, connect, main, wait_for


def read_answer(connection):
    """One answer from a raw connection, validated as a problem when it is one."""
    file = connection.makefile("rb")
    status = 100
    while status == 100:
        line = file.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = {}
        while text := file.readline().strip():
            name, _, value = text.decode().partition(": ")
            headers[name] = value
    body = file.read(int(headers.get("Content-Length", 0)))
    if status >= 400:
        CONTRACT.check_problem(json.loads(body)["instance"], status, headers["Content-Type"], body)
    return Answer(status, headers, body)


class Limits(CoveyTest):
    def raw(self, data, timeout=60):
        with connect(self.daemon.socket, timeout) as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_answer(connection)

    def test_a_body_of_one_mebibyte_is_read_and_one_byte_more_is_not(self):
        fill = lambda size: b'{"foo": "' + b"x" * (size - 11) + b'"}'
        exact = self.client.put("/v1/sandboxes/web", fill(1 << 20))
        self.assert_problem(exact, "unknown_field", "'foo'")
        self.assert_problem(self.client.put("/v1/sandboxes/web", fill((1 << 20) + 1)), "too_large", "1048576")

    def test_a_body_without_an_end_is_too_large_in_time(self):
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = self.raw(b"PUT /v1/sandboxes/web HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 64)
        self.assert_problem(answer, "too_large", "1048576")
        answer = self.raw(b"PUT /v1/sandboxes/web HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\n\r\n")
        self.assert_problem(answer, "too_large")

    def test_expect_continue_is_answered_before_the_body_and_not_for_a_refusal(self):
        with connect(self.daemon.socket) as connection:
            connection.sendall(b"PUT /v1/sandboxes/web HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
            connection.sendall(b"[]")
            self.assertEqual(read_answer(connection).status, 400)
        with connect(self.daemon.socket) as connection:
            connection.sendall(b"PUT /v1/nope HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(connection.recv(12).startswith(b"HTTP/1.1 404"))

    def test_a_head_may_have_16_kibibytes(self):
        head = lambda size: b"GET /v1/healthz HTTP/1.1\r\nX: " + b"x" * size + b"\r\n\r\n"
        self.assertEqual(self.raw(head(15 << 10)).status, 200)
        self.assert_problem(self.raw(head(17 << 10)), "too_large", "head")
        self.assert_problem(self.raw(head(1 << 20)), "too_large", "head")
        self.assert_problem(self.raw(b"GET /" + b"x" * (1 << 20)), "too_large", "head")

    def test_what_is_no_http_is_refused(self):
        for data in (b"hello\r\n\r\n", b"GET /v1/version HTTP/3.0\r\n\r\n", b"GET /v1/version HTTP/1.1\r\nbad header\r\n\r\n",
                     b"PUT /v1/sandboxes/web HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                     b"PUT /v1/sandboxes/web HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                     b"PUT /v1/sandboxes/web HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            self.assert_problem(self.raw(data), "invalid_argument", "malformed")

    def test_an_unknown_upgrade_is_ignored(self):
        answer = self.raw(b"GET /v1/healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        self.assertEqual(answer.status, 200)

    def test_http_1_0_gets_answers_but_no_streams(self):
        self.assertEqual(self.raw(b"GET /v1/healthz HTTP/1.0\r\n\r\n").status, 200)
        self.assert_problem(self.raw(b"GET /v1/events HTTP/1.0\r\n\r\n"), "invalid_argument", "HTTP/1.1")

    def test_a_slow_head_is_cut_off_after_five_seconds(self):
        with connect(self.daemon.socket) as connection:
            start = time.monotonic()
            try:
                for byte in b"GET /v1/healthz HTTP/1.1\r\nX: " + b"x" * 100:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.2)
                    if time.monotonic() - start > 5.5:
                        break
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.assert_problem(read_answer(connection), "timeout", "head")
            self.assertLess(time.monotonic() - start, 12)
        with connect(self.daemon.socket) as silent:
            start = time.monotonic()
            self.assertEqual(silent.recv(1), b"")
            self.assertLess(time.monotonic() - start, 12)

    def test_clients_that_do_not_read_their_answers_cost_little(self):
        before = self.daemon.memory()
        connections = []
        for _ in range(20):
            connection = connect(self.daemon.socket)
            connection.setblocking(False)
            try:
                while True:
                    connection.send(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            except BlockingIOError:
                connections.append(connection)
        start = time.monotonic()
        self.assertEqual(self.client.get("/v1/healthz").status, 200)
        self.assertLess(time.monotonic() - start, 2)
        self.assertLess(self.daemon.memory() - before, 16 << 20)
        for connection in connections:
            connection.close()

    def test_a_thousand_connections_and_the_next_one_is_told(self):
        connections, answer = [], None
        for _ in range(1100):
            connection = connect(self.daemon.socket)
            connections.append(connection)
        connection.settimeout(10)
        answer = read_answer(connection)
        self.assert_problem(answer, "too_many")
        for connection in connections:
            connection.close()
        wait_for(lambda: self.raw(b"GET /v1/healthz HTTP/1.1\r\n\r\n").status == 200)

    def test_strangers_are_refused_although_the_mode_would_let_them_in(self):
        folder = self.daemon.folder
        for path in (folder, folder / "run"):
            os.chmod(path, 0o711)
        os.chmod(self.daemon.socket, 0o666)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            with connect(self.daemon.socket) as connection:
                os.write(writer, connection.recv(65536))
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as file:
            data = file.read()
        self.assertIn(b"403 Forbidden", data)
        self.assertIn(b"uid 12345", data)

    def test_a_container_that_finds_the_socket_is_refused(self):
        name = self.sandbox()
        self.container(name, ["sleep", "1000"], name="inside", pidMode="pod")
        reader, writer = os.pipe()
        group = self.client.get("/v1/containers/inside").json["cgroup"]
        base = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
        child = os.fork()
        if child == 0:
            with open(f"{base}{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
            with connect(self.daemon.socket) as connection:
                os.write(writer, connection.recv(65536))
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as file:
            data = file.read()
        self.assertIn(b"403 Forbidden", data)
        self.assertIn(b"in a container of Covey", data)

    def test_half_requests_leave_nothing(self):
        before = self.descriptors_at_rest()
        for data in (b"", b"G", b"PUT /v1/sandboxes/web HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
                     b"PUT /v1/sandboxes/web HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"):
            for _ in range(20):
                connection = connect(self.daemon.socket)
                connection.sendall(data)
                connection.close()
        self.assertEqual(self.descriptors_at_rest(), before)
        self.assertEqual(self.client.get("/v1/sandboxes").json["items"], [])


if __name__ == "__main__":
    main()
