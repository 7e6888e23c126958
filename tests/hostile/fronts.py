"""Two ways to make the same pod: coveyd's API and covey-runtime's command line. What runs in it, and what is asked of it, is
the same to a test of tests/hostile.

    pod = front.pod()                                  a sandbox, or a container that stands for one
    thief = pod.run(["thief", "theft", …], caps=["SYS_PTRACE"], mode="pod")
    victim = pod.create(["sleep", "1000"], mode="nested", access="private")
    victim.start(); victim.exec("cat", "/x"); victim.kill("TERM"); victim.delete()

Every call answers a Call: whether it did what it was asked, what it said, and how long that took. None raises for what the
pod's processes do, none waits longer than its `timeout`."""
import ctypes
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/api"), str(TREE / "tests/runtime/oci"), str(TREE / "tests/support")]
import bundles  # noqa: E402
import covey_client  # noqa: E402
import oci  # noqa: E402
from helpers import wait_for  # noqa: E402

BIN = covey_client.BIN
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


class CoveydFront(Front):
    """A coveyd of its own (tests/api/covey_client.py)."""

    name = "coveyd"

    def __init__(self, environment=None):
        super().__init__()
        self.daemon = covey_client.Daemon(environment)
        self.client, self.leaks = covey_client.Client(self.daemon), covey_client.Leaks(self.daemon)
        self.daemon.start()
        os.chmod(self.daemon.folder, 0o755)
        self.folder = self.daemon.folder

    def close(self):
        """What is left of it on the host, in words; nothing when all is well."""
        self.delete_all()
        try:
            wait_for(lambda: not self.leaks.all(), 5)
        except AssertionError:
            pass
        left = self.leaks.all()
        self.daemon.kill()
        for pid in left:  # of its own doings only
            if pid.split()[0].isdigit():
                try:
                    os.kill(int(pid.split()[0]), 9)
                except ProcessLookupError:
                    pass
        self.leaks.remove_parent()
        shutil.rmtree(self.daemon.folder, ignore_errors=True)
        return left

    def left(self):
        return self.leaks.all()

    def call(self, method, target, body=None, timeout=PATIENCE):
        def do():
            try:
                answer = self.client.call(method, target, body, timeout=timeout)
            except TimeoutError:
                raise
            except OSError as error:
                return False, repr(error), None
            return answer.status < 400, answer.body.decode(errors="replace"), answer.status
        return timed(do)

    def pod(self, **fields):
        name = self.next_name("s")
        made = self.call("PUT", f"/v1/sandboxes/{name}", {"cgroupParent": self.daemon.parent, **fields})
        if not made.ok:
            raise AssertionError(f"sandbox: {made}")
        self.pods.append(Pod(self, name, **json.loads(made.text)))
        return self.pods[-1]

    def make(self, pod, args, mode=None, target=None, access=None, pod_owner=0, **options):
        name = self.next_name("c")
        folder = self.folder / name
        root = make_rootfs(folder / "rootfs", pod_owner)
        config = self.config(args, root, **options)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        container = Container(pod, name, folder / "output")
        container.rootfs = root
        container.output_path.touch()
        body = {"sandbox": pod.name, "bundle": str(folder)}
        if not config["process"]["terminal"]:
            body["stdio"] = {"stdout": f"file:{container.output_path}", "stderr": f"file:{container.output_path}"}
        body.update({key: value for key, value in (
            ("pidMode", mode), ("target", target.name if target else None), ("access", access)) if value})
        container.create_call = self.call("PUT", f"/v1/containers/{name}", body, 40)
        if container.create_call.ok:
            container.host_pid = json.loads(container.create_call.text)["pid"]
        return container

    def start(self, container, timeout):
        return self.call("POST", f"/v1/containers/{container.name}/start", timeout=timeout)

    def exec(self, container, command, timeout, terminal):
        """By curl, for the exit code is in a trailer."""
        query = covey_client.urllib.parse.urlencode([("cmd", word) for word in command] + ([("tty", "true")] if terminal else []))
        url = f"http://covey/v1/containers/{container.name}/exec?{query}"
        words = ["curl", "-sN", "-m", str(timeout), "-D", "-", "--unix-socket", self.daemon.socket, "-X", "POST", url]

        def do():
            run = subprocess.run(words, input=b"", stdout=subprocess.PIPE, check=False, timeout=timeout + 5)
            if run.returncode == 28:
                raise TimeoutError(f"exec {command}")
            status, body, code = covey_client.parse_curl(run.stdout)
            return status == 200 and code is not None, body.decode(errors="replace"), code
        return timed(do)

    def kill(self, container, signal, timeout):
        return self.call("POST", f"/v1/containers/{container.name}/kill", {"signal": signal, "all": True}, timeout)

    def delete(self, container, timeout):
        gone = self.call("DELETE", f"/v1/containers/{container.name}?force=true", timeout=timeout)
        if gone.ok and container in container.pod.containers:
            container.pod.containers.remove(container)
        return gone

    def delete_pod(self, pod, timeout):
        if pod in self.pods:
            self.pods.remove(pod)
        return self.call("DELETE", f"/v1/sandboxes/{pod.name}?force=true", timeout=timeout)

    def log(self):
        return self.daemon.log()


def give(folder, owner):
    if owner:
        for base, folders, names in os.walk(folder):
            for name in [".", *folders, *names]:
                os.chown(os.path.join(base, name), owner, owner, follow_symlinks=False)


def wait_reaping(command, timeout):
    """The command's status; others who end meanwhile are waited for at once, as an engine's monitor does."""
    end = time.monotonic() + timeout
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            ended = None
        if ended is not None and ended.si_pid != command.pid:
            os.waitpid(ended.si_pid, 0)
        elif command.poll() is not None:
            return command.returncode
        elif time.monotonic() > end:
            command.kill()
            command.wait()
            raise subprocess.TimeoutExpired(command.args[2:], timeout)
        else:
            time.sleep(0.003)


class RuntimeFront(Front):
    """covey-runtime as an engine calls it; the pod is a container whose PID namespace others join by its path."""

    name = "covey-runtime"
    is_monitor = True

    def __init__(self, environment=None):
        super().__init__()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-hostile."))
        os.chmod(self.folder, 0o755)
        self.root, self.registry = str(self.folder / "state"), self.folder / "engines"
        self.group = f"/covey-hostile-{os.getpid()}-{id(self) & 0xffff}"
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "COVEY_REGISTRY": str(self.registry), **(environment or {})}

    def close(self):
        self.delete_all()
        try:
            wait_for(lambda: not self.left(), 5)
        except AssertionError:
            pass
        left = self.left()
        for group in self.groups():
            for folder, _, _ in os.walk(group, topdown=False):
                end_group(pathlib.Path(folder))
        for base in self.group_parents():
            try:
                base.rmdir()
            except OSError:
                pass
        oci.reap()
        shutil.rmtree(self.folder, ignore_errors=True)
        return left

    def group_parents(self):
        base = pathlib.Path("/sys/fs/cgroup")
        all_of = [base / self.group.lstrip("/"), *(one / self.group.lstrip("/") for one in base.glob("*") if one.is_dir())]
        return [one for one in all_of if one.is_dir()]

    def groups(self):
        return [child for parent in self.group_parents() for child in parent.iterdir() if child.is_dir()]

    def left(self):
        oci.reap()
        states = os.listdir(self.root) if os.path.isdir(self.root) else []
        links = os.listdir(self.registry) if self.registry.is_dir() else []
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line.strip() for line in file if str(self.folder) in line]
        return [str(one) for one in [*states, *links, *mounts, *self.groups()]]

    def call(self, *words, timeout=PATIENCE, stdout=None, **options):
        """stdout and stderr go to files, as the container inherits them."""
        def do():
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                run = subprocess.Popen([oci.RUNTIME, "--root", self.root, *words], stdin=subprocess.DEVNULL,
                                       stdout=stdout or out, stderr=err, env=self.env, cwd=self.folder, **options)
                try:
                    status = wait_reaping(run, timeout)
                finally:
                    texts = []
                    for file in (out, err):
                        file.seek(0)
                        texts.append(file.read().decode(errors="replace"))
                return status == 0, "".join(texts), status
        return timed(do)

    def pod(self, **options):
        pod = Pod(self, self.next_name("s"))
        self.pods.append(pod)
        pod.pause = self.make(pod, ["thief", "stay"], name=pod.name, is_pause=True, **options)
        for call in (pod.pause.create_call, pod.pause.start()):
            if not call.ok:
                raise AssertionError(f"sandbox: {call}")
        return pod

    def make(self, pod, args, mode=None, target=None, access=None, pod_owner=0, name=None, is_pause=False, **options):
        name = name or self.next_name("c")
        folder = self.folder / name
        root = make_rootfs(folder / "rootfs", pod_owner)
        config = self.config(args, root, **options)
        config["linux"]["cgroupsPath"] = f"{self.group}/{name}"
        self.place(config, pod, mode, target, access, is_pause)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        container = Container(pod, name, folder / "output")
        container.rootfs = root
        flags, console = [], None
        if config["process"]["terminal"]:
            console = oci.ConsoleSocket(folder)
            flags = ["--console-socket", console.path]
        with open(container.output_path, "wb") as file:
            container.create_call = self.call("create", "--bundle", str(folder), "--pid-file", str(folder / "pid"), *flags, name,
                                              timeout=40, stdout=file)
        if console and container.create_call.ok:
            container.terminal = console.take()
        elif console:
            console.socket.close()
        if container.create_call.ok:
            container.host_pid = int((folder / "pid").read_text(encoding="ascii"))
        return container

    @staticmethod
    def place(config, pod, mode, target, access, is_pause):
        kind = "io.kubernetes.cri.container-type"
        annotations = {kind: "sandbox" if is_pause else "container", "io.kubernetes.cri.sandbox-id": pod.name}
        config["annotations"] = annotations
        if is_pause:
            return
        if mode == "node":
            oci.namespace(config, "pid", None)
        elif mode != "container":
            oci.namespace(config, "pid", f"/proc/{(target or pod.pause).host_pid}/ns/pid")
        if mode in ("nested", None):
            annotations["covey.dev/pid"] = "nested"
        if access:
            annotations["covey.dev/access"] = access

    def start(self, container, timeout):
        return self.call("start", container.name, timeout=timeout)

    def exec(self, container, command, timeout, terminal):
        if not terminal:
            return self.call("exec", container.name, *command, timeout=timeout)
        console = oci.ConsoleSocket(self.folder, self.next_name("tty"))
        done = self.call("exec", "--tty", "--detach", "--console-socket", console.path, container.name, *command, timeout=timeout)
        if done.ok:
            os.close(console.take())
        else:
            console.socket.close()
        return done

    def kill(self, container, signal, timeout):
        done = self.call("kill", "--all", container.name, signal, timeout=timeout)
        oci.reap()
        return done

    def delete(self, container, timeout):
        """An engine's way: the monitor waits for what ends."""
        gone = self.call("delete", "--force", container.name, timeout=timeout)
        oci.reap()
        if gone.ok and container in container.pod.containers:
            container.pod.containers.remove(container)
        return gone

    def delete_pod(self, pod, timeout):
        """The containers, then what stands for the sandbox: PID 1 ends when all who joined have been waited for."""
        if pod in self.pods:
            self.pods.remove(pod)

        def do():
            texts = []
            for container in [*reversed(pod.containers), pod.pause]:
                gone = self.delete(container, timeout)
                if not gone.ok:
                    texts.append(f"{container.name}: {gone.text}")
            return not texts, "\n".join(texts), None
        return timed(do)

    def log(self):
        return ""


def end_group(folder):
    """What a lost fight has left: thawed, killed, removed."""
    for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0"), ("cgroup.kill", "1")):
        if (folder / name).exists():
            try:
                (folder / name).write_text(text, encoding="ascii")
            except OSError:
                pass
    end = time.monotonic() + 5
    while folder.exists() and time.monotonic() < end:
        oci.reap()
        try:
            for pid in (folder / "cgroup.procs").read_text(encoding="ascii").split():
                os.kill(int(pid), 9)
            folder.rmdir()
        except OSError:
            time.sleep(0.02)

FRONTS = (CoveydFront, RuntimeFront)
