"""covey-runtime as a front of tests/hostile (fronts.py)."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from pods import PATIENCE, Container, Front, Pod, make_rootfs, timed

import oci
from helpers import wait_for


COMMANDS = set()  # under way, perhaps in several threads: each waits for its own


def wait_reaping(command, timeout):
    """The command's status; others who end meanwhile are waited for at once, as an engine's monitor does."""
    COMMANDS.add(command.pid)
    try:
        return wait_among(command, timeout)
    finally:
        COMMANDS.discard(command.pid)


def wait_among(command, timeout):
    end = time.monotonic() + timeout
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            ended = None
        if ended is not None and ended.si_pid not in COMMANDS:
            with contextlib.suppress(ChildProcessError):
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
