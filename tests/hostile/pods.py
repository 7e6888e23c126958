"""What both fronts (fronts.py) have: the pod and its containers as a test sees them, and how their root folders are made."""
import ctypes
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/api"), str(TREE / "tests/runtime/oci"), str(TREE / "tests/support")]
import bundles  # noqa: E402

BIN = pathlib.Path(os.environ.get("COVEY_BIN", TREE / "build/dev/bin"))
PATIENCE = int(os.environ.get("COVEY_HOSTILE_PATIENCE", "20"))  # seconds for a call that should take milliseconds
DEFAULT_CAPS = [name.removeprefix("CAP_") for name in bundles.CAPABILITIES]
PR_SET_CHILD_SUBREAPER = 36


def thief_program():
    """COVEY_THIEF, beside the programs under test, or of this tree: older programs are attacked with today's thief."""
    build = TREE / "build"
    for path in (os.environ.get("COVEY_THIEF"), BIN.parent / "tests/thief", *sorted(build.glob("*/tests/thief"))):
        if path and pathlib.Path(path).exists():
            return pathlib.Path(path)
    raise AssertionError("tests/hostile needs the program thief: cmake --build … --target thief")


@dataclasses.dataclass
class Call:
    ok: bool
    text: str
    seconds: float
    code: int | None = None  # an exec's exit code, a command's status

    def __str__(self):
        return f"{'ok' if self.ok else 'FAILED'} after {self.seconds:.2f} s: {self.text.strip()[:300]}"


def timed(function):
    """`function` answers (ok, text, code)."""
    start = time.monotonic()
    try:
        ok, text, code = function()
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        ok, text, code = False, f"no answer: {error}", None
    return Call(ok, text, time.monotonic() - start, code)


def free_of_controls(text):
    """Whether a text that a tenant may have written can be shown to a person."""
    return all(letter == "\n" or letter.isprintable() for letter in text)


class Pod:
    """`front` makes the containers; ends with front.close() or delete()."""

    def __init__(self, front, name, **facts):
        self.front, self.name, self.containers = front, name, []
        self.facts = facts

    def create(self, args, **options):
        """A container that waits at its gate; `create_call` has what the create said.

        caps: added to the default ones (None: none at all); user; mode: pod, nested, container, target, node; target: a
        container; access; resources: OCI's linux.resources; volumes: {path inside: folder of the host};
        terminal; change: called with the configuration; keep: a create that fails is not an error."""
        keep = options.pop("keep", False)
        container = self.front.make(self, list(args), **options)
        for _ in range(2):
            # A launch in mode nested holds its neighbours for 40 ms at most: on a busy machine it says so.
            if keep or container.create_call.ok or "less busy" not in container.create_call.text:
                break
            container = self.front.make(self, list(args), **options)
        self.containers.append(container)
        if not keep and not container.create_call.ok:
            raise AssertionError(f"create of {container.name}: {container.create_call}")
        return container

    def run(self, args, **options):
        container = self.create(args, **options)
        started = container.start()
        if not started.ok:
            raise AssertionError(f"start of {container.name}: {started}")
        return container

    def delete(self, timeout=PATIENCE):
        """With everything in it."""
        return self.front.delete_pod(self, timeout)


class Container:
    """Made by a front; knows its output's file."""

    def __init__(self, pod, name, output):
        self.pod, self.front, self.name, self.output_path = pod, pod.front, name, output
        self.create_call = None
        self.host_pid = None

    def output(self):
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    def wait_output(self, word, seconds=10):
        """Until a line with the word is there; False when it does not come."""
        end = time.monotonic() + seconds
        while word not in self.output():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def start(self, timeout=PATIENCE):
        return self.front.start(self, timeout)

    def exec(self, *command, timeout=PATIENCE, terminal=False):
        return self.front.exec(self, [str(word) for word in command], timeout, terminal)

    def kill(self, signal="KILL", timeout=PATIENCE):
        return self.front.kill(self, signal, timeout)

    def delete(self, timeout=PATIENCE):
        """By force."""
        return self.front.delete(self, timeout)


def apply_options(config, caps, user, resources, volumes, terminal):
    process = config["process"]
    names = [] if caps is None else [f"CAP_{name}" for name in dict.fromkeys([*DEFAULT_CAPS, *caps])]
    process["capabilities"] = {kind: names for kind in ("bounding", "effective", "permitted")}
    process["user"] = {"uid": user, "gid": user}
    process["terminal"] = terminal
    if resources:
        config["linux"]["resources"] = resources
    for path, folder in (volumes or {}).items():
        config["mounts"].append({"destination": path, "type": "bind", "source": str(folder), "options": ["bind", "rw"]})


def give(folder, owner):
    if owner:
        for base, folders, names in os.walk(folder):
            for name in [".", *folders, *names]:
                os.chown(os.path.join(base, name), owner, owner, follow_symlinks=False)


def make_rootfs(folder, owner=0):
    """Debian's busybox and the thief: links to copies of the test's own; or copies that belong to a mapped root."""
    root = pathlib.Path(folder)
    template = root.parents[1] / "template"
    if not template.exists():
        shutil.copy2(thief_program(), bundles.make_rootfs(template) / "bin/thief")
    shutil.copytree(template, root, symlinks=True, copy_function=shutil.copy2 if owner else os.link)
    give(root, owner)
    return root


class Front:
    """What both have: a folder, a root filesystem of each container's own, and numbers for names."""

    name = "?"
    is_monitor = False

    def __init__(self):
        # covey-runtime's caller waits for the containers; coveyd's orphans are the business of the machine's init.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(self.is_monitor), 0, 0, 0)
        self.pods, self.numbers = [], 0

    def next_name(self, prefix):
        self.numbers += 1
        return f"{prefix}{self.numbers}"

    def config(self, args, rootfs, caps=(), user=0, resources=None, volumes=None, terminal=False, change=None):
        config = bundles.spec(args)
        config["root"]["path"] = str(rootfs)
        apply_options(config, caps, user, resources, volumes, terminal)
        if change:
            change(config)
        return config

    def delete_all(self):
        for pod in list(self.pods):
            pod.delete()
