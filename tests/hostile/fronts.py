"""Two ways to make the same pod: coveyd's API and covey-runtime's command line. What runs in it, and what is asked of it, is
the same to a test of tests/hostile.

    pod = front.pod()                                  a sandbox, or a container that stands for one
    thief = pod.run(["thief", "theft", …], caps=["SYS_PTRACE"], mode="pod")
    victim = pod.create(["sleep", "1000"], mode="nested", access="private")
    victim.start(); victim.exec("cat", "/x"); victim.kill("TERM"); victim.delete()

Every call answers a Call: whether it did what it was asked, what it said, and how long that took. None raises for what the
pod's processes do, none waits longer than its `timeout`."""
import json
import os
import shutil
import subprocess

from pods import PATIENCE, Container, Front, Pod, free_of_controls, make_rootfs, timed

import covey_client
from helpers import wait_for
from runtime_front import RuntimeFront


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


FRONTS = (CoveydFront, RuntimeFront)
