"""The OCI command line as a black box. The container's init is tests/probe, the caller's monitor is this
process (a subreaper, as conmon and containerd's shim are). Runs against covey-runtime, or against another
runtime: COVEY_RUNTIME=runc proves the tests right; a case that cannot pass there says why."""
import array
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TREE / "tests/support"))
from helpers import read_to_end, spec, wait_for  # noqa: E402

BIN = pathlib.Path(os.environ.get("COVEY_BIN", TREE / "build/dev/bin"))
PROBE = BIN.parent / "tests/probe"
RUNTIME = shutil.which(os.environ.get("COVEY_RUNTIME") or str(BIN / "covey-runtime")) or "covey-runtime"
IS_COVEY = pathlib.Path(RUNTIME).name == "covey-runtime"
SKIPPED = 77
CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
PR_SET_CHILD_SUBREAPER = 36
MAPPED_ROOT = 100000


def namespace(config, kind, path):
    """Joins by path; path None: the entry is taken out."""
    entries = [entry for entry in config["linux"]["namespaces"] if entry["type"] != kind]
    if path:
        entries.append({"type": kind, "path": path})
    config["linux"]["namespaces"] = entries


def mapped(config, size=1000):
    """A user namespace of its own, whose root is MAPPED_ROOT."""
    linux = config["linux"]
    linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        linux[key] = [{"containerID": 0, "hostID": MAPPED_ROOT, "size": size}]


def give_to_mapped_root(folder, but=()):
    for path in (folder, *folder.rglob("*")):
        if path not in but:
            os.chown(path, MAPPED_ROOT, MAPPED_ROOT, follow_symlinks=False)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def reap():
    """The exit statuses of children that have ended: pid → status."""
    ended = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


class ConsoleSocket:
    """The listener that --console-socket names; takes one pty master."""

    def __init__(self, folder, name="console.sock"):
        self.path = str(pathlib.Path(folder) / name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(1)
        self.socket.settimeout(20)

    def take(self):
        connection, _ = self.socket.accept()
        numbers = array.array("i")
        data, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        assert data, "a byte must come with the descriptor"
        for level, kind, payload in control:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            numbers.frombytes(payload)
        connection.close()
        self.socket.close()
        return numbers[0]


class OciTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-oci."))
        self.root = str(self.folder / "state")
        self.registry = self.folder / "engines"
        self.log = self.folder / "log.json"
        self.group = f"/covey-oci-{os.getpid()}"
        self.ids = []
        self.number = 0
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "COVEY_REGISTRY": str(self.registry)}
        # Under a sanitizer (cmake/test.sh).
        self.env.update({name: os.environ[name] for name in ("COVEY_PATIENCE",) if name in os.environ})
        self.rootfs = self.folder / "rootfs"
        for name in ("bin", "proc", "dev", "tmp", "etc"):
            (self.rootfs / name).mkdir(parents=True)
        os.chmod(self.folder, 0o755)
        shutil.copy2(PROBE, self.rootfs / "bin/probe")
        (self.rootfs / "etc/not-a-program").write_text("text\n", encoding="ascii")
        self.addCleanup(self.clean)

    def clean(self):
        # A sandbox last: PID 1 of a namespace is gone only when those who joined it have been waited for.
        for one in reversed(self.ids):
            self.call("delete", "--force", one)
            reap()
        left = [one for one in self.groups() if one.is_dir()]
        states = os.listdir(self.root) if os.path.isdir(self.root) else []
        links = os.listdir(self.registry) if self.registry.is_dir() else []
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line for line in file if str(self.folder) in line]
        for one in left:
            for folder, _, _ in os.walk(one, topdown=False):
                os.rmdir(folder)
        for parent in pathlib.Path("/sys/fs/cgroup").glob("*" + self.group):
            os.rmdir(parent)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual((left, states, links, mounts), ([], [], [], []), "something is left")
        self.assertEqual(reap(), {})

    def groups(self):
        """The containers' cgroups, in every hierarchy."""
        base = pathlib.Path("/sys/fs/cgroup")
        parents = [base / self.group.lstrip("/"), *(one / self.group.lstrip("/") for one in base.glob("*") if one.is_dir())]
        return [child for parent in parents if parent.is_dir() for child in parent.iterdir() if child.is_dir()]

    def bundle(self, *args, change=None, **process):
        """A new id and its bundle."""
        self.number += 1
        one = f"c{self.number}"
        folder = self.folder / one
        folder.mkdir()
        config = spec(args, CAPABILITIES, **process)
        config["root"]["path"] = str(self.rootfs)
        config["linux"]["cgroupsPath"] = f"{self.group}/{one}"
        if change:
            change(config)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        self.ids.append(one)
        return one, str(folder)

    def call(self, *words, globals_=(), stdin=subprocess.DEVNULL, env=None, cwd=None, timeout=30, **options):
        """One call; stdout and stderr go to files, as the container inherits them (a pipe would never end)."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            run = subprocess.Popen([RUNTIME, "--root", self.root, *globals_, *words], stdin=stdin, stdout=out, stderr=err,
                                   env={**self.env, **(env or {})}, cwd=cwd or self.folder, **options)
            try:
                status = run.wait(timeout)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
                raise
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        return subprocess.CompletedProcess(words, status, *texts)

    def ok(self, *words, **options):
        run = self.call(*words, **options)
        self.assertEqual(run.returncode, 0, (words, run.stderr))
        return run

    def fails(self, text, *words, status=1, **options):
        run = self.call(*words, **options)
        self.assertEqual(run.returncode, status, (words, run.stdout, run.stderr))
        self.assertIn(text, run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        return run

    def state(self, one):
        return json.loads(self.ok("state", one).stdout)

    def status(self, one):
        return self.state(one)["status"]

    def create(self, *args, change=None, flags=(), globals_=(), **process):
        """A created container: its id and init's number."""
        one, bundle = self.bundle(*args, change=change, **process)
        pid_file = self.folder / f"{one}.pid"
        self.ok("create", "--bundle", bundle, "--pid-file", str(pid_file), *flags, one, globals_=globals_)
        return one, int(pid_file.read_text(encoding="ascii"))

    def start(self, *args, **options):
        one, pid = self.create(*args, **options)
        self.ok("start", one)
        return one, pid

    def output(self, *args, change=None, **process):
        """What a container prints, run in the foreground."""
        one, bundle = self.bundle(*args, change=change, **process)
        run = self.ok("run", "--bundle", bundle, one)
        return run.stdout

    def wait_exit(self, pid, seconds=10):
        """init's exit status, as the subreaper gets it."""
        def ended():
            got, status = os.waitpid(pid, os.WNOHANG)
            return (os.waitstatus_to_exitcode(status),) if got else None
        return wait_for(ended, seconds, f"the end of {pid}")[0]


def only_covey(reason):
    return unittest.skipUnless(IS_COVEY, reason)


def main():
    if os.geteuid() != 0:
        print("SKIP: needs root")
        sys.exit(SKIPPED)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    unittest.main(verbosity=1)
