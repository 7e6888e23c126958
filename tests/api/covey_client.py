"""A private coveyd and a client for it. Each exchange is validated against proto/; each test ends with
a leak check: processes, mounts, cgroups, descriptors of coveyd, state files."""
import collections
import http.client
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import bundles  # finds helpers too
from contract import Contract
from helpers import wait_for

BIN = pathlib.Path(os.environ.get("COVEY_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/dev/bin"))
CONTRACT = Contract()
SKIPPED = 77
_numbers = itertools.count()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("covey", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = connect(self.path, self.timeout)


def connect(path, timeout=60):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect(path)
    return connection


class Daemon:
    """A coveyd with a state folder, a socket and a cgroup parent of its own."""

    before_exec = None  # called in coveyd's process before it is coveyd

    def __init__(self, environment=None):
        self.environment = {**os.environ, **(environment or {})}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-api."))
        self.root, self.socket = str(self.folder / "run"), str(self.folder / "run/covey.sock")
        self.registry = str(self.folder / "engines")  # of engines' containers
        self.log_path = self.folder / "log"
        self.parent = f"/covey-api-{os.getpid()}-{next(_numbers)}"
        self.process = None

    def start(self):
        # Under a sanitizer (cmake/test.sh).
        patience = {name: os.environ[name] for name in ("COVEY_PATIENCE",) if name in os.environ}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(BIN / "coveyd"), "--root", self.root, "--socket", self.socket, "--log-level", "debug"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.before_exec,
                env={"COVEY_REGISTRY": self.registry, **patience, **self.environment})
        wait_for(self.is_ready, 20, "coveyd's start\n" + self.log())
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"coveyd ended with {self.process.returncode}\n{self.log()}")
        try:
            connect(self.socket).close()
            return True
        except OSError:
            return False

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(10)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def descriptors(self):
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{name}"))
            except FileNotFoundError:
                pass
        return sorted(found)

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Client:
    def __init__(self, daemon):
        self.daemon = daemon

    def call(self, method, target, body=None, headers=None, timeout=60):
        """One exchange on a connection of its own; `body` is bytes or JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = UnixConnection(self.daemon.socket, timeout)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        CONTRACT.check(method, target, answer.status, answer.headers, answer.body)
        return answer

    def get(self, target, **options):
        return self.call("GET", target, **options)

    def put(self, target, body=None, **options):
        return self.call("PUT", target, body, **options)

    def post(self, target, body=None, **options):
        return self.call("POST", target, body, **options)

    def delete(self, target, **options):
        return self.call("DELETE", target, **options)

    def exec(self, container, *command, stdin=None, accept=None, **query):
        """(status, body, exit code) by curl: the trailer is there only for a real HTTP client."""
        pairs = [("cmd", word) for word in command]
        for name, value in query.items():
            pairs += [(name, item) for item in (value if isinstance(value, list) else [value])]
        url = f"http://covey/v1/containers/{container}/exec?" + urllib.parse.urlencode(pairs)
        words = ["curl", "-sN", "-m", "60", "-D", "-", "--unix-socket", self.daemon.socket, "-X", "POST", url]
        if accept:
            words += ["-H", "Accept: " + accept]
        if stdin is not None:
            words += ["-T", "."]
        run = subprocess.run(words, input=stdin if stdin is not None else b"", stdout=subprocess.PIPE, check=False)
        return parse_curl(run.stdout)


def parse_curl(output):
    """What `curl -D -` prints: interim answers, head, body; trailers are printed among the headers."""
    status, headers, rest = 0, {}, output
    while rest.startswith(b"HTTP/"):
        head, _, rest = rest.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = dict(line.split(": ", 1) for line in lines[1:])
    body, marker, code = rest.rpartition(b"Covey-Exit-Code: ")
    if not marker:
        return status, rest, None
    return status, body, int(code.split()[0])


class Leaks:
    """What of a daemon's doings is on the host. Only its own: other tests may run beside it."""

    def __init__(self, daemon):
        self.daemon = daemon

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
                    in_group = self.daemon.parent in file.read()
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read()
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read()
                child = fields.rpartition(")")[2].split()[1] == str(self.daemon.process.pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
            ours = in_group or child or (b"covey-shim" in command and self.daemon.root.encode() in command)
            if ours and int(pid) != self.daemon.process.pid:
                found.append(f"{pid} {command[:60]!r}")
        return found

    def mounts(self):
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return [line.strip() for line in file if self.daemon.root in line]

    def cgroups(self):
        found = []
        for base in ["/sys/fs/cgroup", *(str(path) for path in pathlib.Path("/sys/fs/cgroup").glob("*"))]:
            parent = base + self.daemon.parent
            if os.path.isdir(parent):
                found += [str(path) for path in pathlib.Path(parent).iterdir() if path.is_dir()]
        return found

    def files(self):
        """State of sandboxes and containers; the daemon's own lock and journal stay."""
        found = []
        for base, folders, names in os.walk(self.daemon.root):
            found += [os.path.join(base, name) for name in folders + names]
        return [path for path in found if any(word in path for word in ("/sandboxes/", "/containers/", ".pod", "/ns/"))]

    def all(self):
        return self.processes() + self.mounts() + self.cgroups() + self.files()

    def remove_parent(self):
        for base in ["/sys/fs/cgroup", *(str(path) for path in pathlib.Path("/sys/fs/cgroup").glob("*"))]:
            try:
                os.rmdir(base + self.daemon.parent)
            except OSError:
                pass


class CoveyTest(unittest.TestCase):
    """One coveyd a class, a leak check after every test."""

    environment = None  # more variables for coveyd
    make_daemon = Daemon

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.make_daemon(cls.environment)
        cls.addClassCleanup(cls.remove_daemon)
        cls.client = Client(cls.daemon)
        cls.leaks = Leaks(cls.daemon)
        cls.daemon.start()
        cls.warm_up()

    @classmethod
    def warm_up(cls):
        """coveyd makes its sealed copies of shim and pause with the first sandbox, and keeps them."""
        cls.client.put("/v1/sandboxes/warm-up", {"cgroupParent": cls.daemon.parent})
        cls.client.delete("/v1/sandboxes/warm-up?force=true")

    @classmethod
    def remove_daemon(cls):
        """Also what a failed test left: its pods would outlive coveyd."""
        if cls.daemon.process and cls.daemon.process.poll() is None:
            cls.delete_all()
            cls.daemon.kill()
        cls.leaks.remove_parent()
        shutil.rmtree(cls.daemon.folder, ignore_errors=True)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bundles.", dir=self.daemon.folder))
        self.client.get("/v1/healthz")
        self.before = self.descriptors_at_rest()

    @classmethod
    def delete_all(cls):
        for sandbox in cls.client.get("/v1/sandboxes").json["items"]:
            cls.client.delete(f"/v1/sandboxes/{sandbox['id']}?force=true")

    def tearDown(self):
        self.delete_all()
        try:
            wait_for(lambda: not self.leaks.all(), 5)
        except AssertionError:
            self.fail("left behind:\n" + "\n".join(self.leaks.all()) + "\n" + self.daemon.log()[-1500:])
        # Fewer are no leak: a connection of before may just have been ending.
        more = collections.Counter(self.descriptors_at_rest(self.before)) - collections.Counter(self.before)
        self.assertFalse(more, f"descriptors of coveyd that were not there before: {more}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def descriptors_at_rest(self, expected=None):
        """Without connections that are just ending: what is expected, or else what does not change for a moment."""
        kinds = lambda: [name.split(":")[0] for name in self.daemon.descriptors()]
        last = kinds()
        for _ in range(50):
            time.sleep(0.02 if expected is None else 0.1)
            now = kinds()
            if now == (last if expected is None else expected):
                return now
            last = now
        return last

    def sandbox(self, name=None, **fields):
        name = name or f"s{next(_numbers)}"
        answer = self.client.put(f"/v1/sandboxes/{name}", {"cgroupParent": self.daemon.parent, **fields})
        self.assertEqual(answer.status, 201, answer)
        return name

    def container(self, sandbox, args, name=None, start=True, process=None, change=None, **fields):
        name = name or f"c{next(_numbers)}"
        bundle = bundles.make_bundle(self.folder / name, args, change, **(process or {}))
        answer = self.client.put(f"/v1/containers/{name}", {"sandbox": sandbox, "bundle": bundle, **fields})
        self.assertEqual(answer.status, 201, answer)
        if start:
            answer = self.client.post(f"/v1/containers/{name}/start")
            self.assertEqual(answer.status, 200, answer)
        return name

    def assert_problem(self, answer, code, *words):
        self.assertGreaterEqual(answer.status, 400, answer)
        problem = answer.json
        self.assertEqual(problem["code"], code, problem)
        for word in words:
            self.assertIn(word, problem["detail"])
        self.assertTrue(problem["fix"])
        return problem


def main():
    if os.geteuid() != 0:
        print("SKIP: needs root")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
