"""A world of the test's own: mount namespace with empty /run, /dev/shm and engine folders; orphans come
back to the test; a leak check. Under the lock that all root tests take."""
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from helpers import wait_for  # noqa: E402,F401  (tests take it from here)

BIN = pathlib.Path(os.environ.get("COVEY_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/dev/bin"))
RUNTIME = shutil.which(os.environ.get("COVEY_RUNTIME", str(BIN / "covey-runtime")))
IS_RUNC = os.path.basename(RUNTIME or "") == "runc"
LOCK = "/run/covey-test.lock"
CLONE_NEWNS, PR_SET_CHILD_SUBREAPER = 0x20000, 36
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 16384, 1 << 18
# Where engines keep things unless every one of their many flags is set, and some even then.
EMPTY = ("/run", "/dev/shm", "/var/lib/containers", "/var/lib/cni", "/etc/cni", "/var/lib/docker", "/var/lib/containerd")
_libc = ctypes.CDLL(None, use_errno=True)
_lock = None
_cgroups = set()  # those before the program began


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind, flags, data=None):
    encode = lambda text: text.encode() if text else None
    check(_libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(data)), f"mount {target}")


def take_turn():
    """The lock that tests/support/leak_check.cpp takes."""
    global _lock
    if "COVEY_TEST_TURN" in os.environ:
        return
    _lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            fcntl.flock(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.05)
    os.environ["COVEY_TEST_TURN"] = "1"


def enter():
    """Once, before anything else. Returns the test's folder, which remove() takes away again."""
    if os.geteuid() != 0:
        print("SKIP: needs root")
        sys.exit(77)
    if RUNTIME is None:
        sys.exit(f"no runtime at {os.environ.get('COVEY_RUNTIME', BIN / 'covey-runtime')}: build the target covey-runtime")
    take_turn()
    _cgroups.update(cgroups())
    check(_libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    for folder in EMPTY:
        if os.path.isdir(folder):
            mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    os.mkdir("/run/lock")
    check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-engine."))
    folder.chmod(0o755)  # users of user namespaces go through it
    return folder


def stat_of(pid):
    """(state, parent, command) or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    return fields[0], int(fields[1]), command


def descendants():
    """{pid: (state, parent, command)} of all that this test started, reparented or not."""
    everyone = {int(name): stat_of(name) for name in os.listdir("/proc") if name.isdigit()}
    everyone = {pid: stat for pid, stat in everyone.items() if stat}
    found, todo = {}, [os.getpid()]
    while todo:
        parent = todo.pop()
        for pid, stat in everyone.items():
            if stat[1] == parent and pid not in found:
                found[pid] = stat
                todo.append(pid)
    return found


def reap_orphans(keep=()):
    """Those that came back to us as the subreaper; subprocess waits for its own."""
    for pid, (state, parent, _) in descendants().items():
        if state == "Z" and parent == os.getpid() and pid not in keep:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def cgroups():
    found = set()
    for base, folders, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(base, name) for name in folders if not os.path.islink(os.path.join(base, name)))
    return found


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        return {" ".join(line.split()[:5]) for line in file}


class Leaks:
    """What is there now; later, what is there besides."""

    def __init__(self, *folders):
        self.folders = folders
        self.before = self.look()

    def look(self):
        files = {os.path.join(base, name) for folder in self.folders for base, folders, names in os.walk(folder)
                 for name in folders + names}
        processes = {f"{pid} {command[:100]}" for pid, (state, _, command) in descendants().items() if state != "Z"}
        return {"process": processes, "mount": mounts(), "cgroup": cgroups(), "file": files}

    def found(self, seconds=5):
        end = time.monotonic() + seconds
        while True:
            now = self.look()
            left = [f"{kind}: {item}" for kind in now for item in sorted(now[kind] - self.before[kind])]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.05)


def remove(folder):
    """Whatever a failed test left of processes, cgroups and files."""
    for _ in range(20):
        reap_orphans()
        alive = [pid for pid, stat in descendants().items() if stat[0] != "Z"]
        if not alive:
            break
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def leave(folder):
    """Last of all. Engines keep the parents of their containers' cgroups."""
    remove(folder)
    remove_cgroups(cgroups() - _cgroups)


def remove_cgroups(paths):
    """Deepest first: those that a failed test left. A frozen one cannot die: thaw it first."""
    for path in sorted(paths, key=len, reverse=True):
        state = pathlib.Path(path, "freezer.state")
        try:
            if state.exists():
                state.write_text("THAWED", encoding="ascii")
            os.rmdir(path)
        except OSError:
            pass


def output(words, **options):
    """stdout of a command that must succeed."""
    run = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=60, check=False, **options)
    if run.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: status {run.returncode}\n{run.stdout.decode(errors='replace')}"
                             f"{run.stderr.decode(errors='replace')}")
    return run.stdout.decode(errors="replace")
