#!/usr/bin/python3
"""Buildah's RUN steps with its runtime replaced: docs/engines/buildah.md."""
import os
import re

import engine_test
import private
import snippets
from engine_test import EngineTest, Terminal

ULIMITS = ["--ulimit", "nproc=1024:1024", "--ulimit", "nofile=1024:1024"]


class Buildah(EngineTest):
    @classmethod
    def start_engine(cls):
        exports = dict(re.findall(r"^export (\w+)=(.*)$", snippets.blocks("buildah.md", "sh")[1], re.M))
        policy = cls.folder / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="ascii")
        config = cls.folder / "containers.conf"  # none of the machine's
        config.write_text("[engine]\n", encoding="ascii")
        cls.environment = {"PATH": os.environ["PATH"], "HOME": str(cls.folder), "TMPDIR": str(cls.folder), "TERM": "xterm",
                           "CONTAINERS_CONF": str(config), **exports}
        cls.words = ["buildah", "--root", cls.folder / "root", "--runroot", cls.folder / "run", "--storage-driver", "vfs"]
        cls.policy = ["--signature-policy", policy]
        for image in ("busybox", "nginx"):
            private.output([*cls.words, "pull", "-q", *cls.policy, f"docker-archive:{cls.archive}:docker.io/library/{image}:latest"], env=cls.environment)

    def watched(self):
        return ("/run/covey/runtime", "/run/covey/engines", "/run/runc")

    def buildah(self, *words, **options):
        return self.call([*self.words, *words], environment=self.environment, **options)

    def remove_containers(self):
        self.buildah("rm", "-a", status=None)

    def working_container(self):
        return self.buildah("from", "--pull-never", *self.policy, *ULIMITS, "docker.io/library/busybox")[0].strip()

    def build(self, text, *flags, **options):
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        (context / "Containerfile").write_text(text, encoding="utf-8")
        return self.buildah("build", "--pull-never", "--network", "none", *self.policy, *ULIMITS, *flags, "-t", "made", context, **options)

    def test_build(self):
        self.build("FROM docker.io/library/busybox\nRUN echo made > /file && id -u\nENV A=b\nWORKDIR /work\nUSER 101\nRUN test $A = b && pwd > /tmp/where\n")
        name = self.buildah("from", "--pull-never", *self.policy, *ULIMITS, "localhost/made")[0].strip()
        self.assertEqual(self.buildah("run", "--network", "none", name, "--", "cat", "/file", "/tmp/where")[0], "made\n/work\n")

    def test_failing_step(self):
        _, err = self.build("FROM docker.io/library/busybox\nRUN exit 7\n", status=7)
        self.assertIn("exit status 7", err)
        self.build("FROM docker.io/library/busybox\nRUN [\"/no/such/program\"]\n", status=None)

    def test_mounts_of_a_step(self):
        (self.folder / "context").mkdir(exist_ok=True)
        (self.folder / "context/input").write_text("from the context\n", encoding="ascii")
        (self.folder / "secret").write_text("secret\n", encoding="ascii")
        out, err = self.build("FROM docker.io/library/busybox\n"
                              "RUN --mount=type=bind,source=input,target=/input cat /input\n"
                              "RUN --mount=type=tmpfs,target=/scratch touch /scratch/a && df /scratch\n"
                              "RUN --mount=type=secret,id=s,target=/secret cat /secret\n", "--secret", f"id=s,src={self.folder / 'secret'}")
        self.assertIn("from the context", out + err)
        self.assertIn("secret", out + err)

    def test_run(self):
        name = self.working_container()
        self.assertEqual(self.buildah("run", "--network", "none", name, "--", "echo", "hi")[0], "hi\n")
        self.buildah("run", "--network", "none", name, "--", "sh", "-c", "exit 3", status=3)
        self.assertEqual(self.buildah("run", "--network", "none", "--user", "101", "--workingdir", "/tmp", name, "--", "sh", "-c", "id -u; pwd")[0],
                         "101\n/tmp\n")
        out = self.buildah("run", "--network", "none", "--cap-drop", "CAP_KILL", name, "--", "grep", "CapEff", "/proc/self/status")[0]
        self.assertFalse(int(out.split()[1], 16) & 1 << 5)

    def test_terminal(self):
        name = self.working_container()
        shell = Terminal([*self.words, "run", "-t", "--network", "none", name, "--", "sh"], self.environment)
        shell.expect("# ")
        shell.type("tty; exit 5\n")
        shell.expect("/dev/pts/0")
        self.assertEqual(shell.end()[0], 5)


if __name__ == "__main__":
    engine_test.main()
