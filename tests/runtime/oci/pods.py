"""A pod as an engine makes it with covey-runtime: a sandbox container, and others in its PID namespace by annotations."""
import os

from oci import OciTest, namespace

SANDBOX_ID, TYPE = "io.kubernetes.cri.sandbox-id", "io.kubernetes.cri.container-type"


class PodTest(OciTest):
    def setUp(self):
        super().setUp()
        self.pod, self.pod_pid = self.start("probe", "sleep", "forever", change=lambda c: c.update(
            annotations={TYPE: "sandbox", SANDBOX_ID: "c1", "covey.dev/pid": "nested"}))

    def joining(self, annotations, pid="path", change=None):
        """A change of a bundle: in the pod's PID namespace by path, with annotations."""
        def apply(config):
            if pid != "own":
                namespace(config, "pid", f"/proc/{self.pod_pid}/ns/pid" if pid == "path" else None)
            namespace(config, "ipc", f"/proc/{self.pod_pid}/ns/ipc")
            config["annotations"] = {SANDBOX_ID: self.pod, TYPE: "container", **annotations}
            if change:
                change(config)
        return apply

    def member(self, *args, change=None, **annotations):
        """A running container; annotations with _ for the prefix: pid="nested"."""
        keys = {f"covey.dev/{key}": value for key, value in annotations.items()}
        return self.start("probe", *args, change=self.joining(keys, change=change))

    def still(self):
        """The groups that stand still: containers' own, and those of their processes."""
        found = []
        for group in self.groups():
            for folder, _, names in os.walk(group):
                for name, word in (("cgroup.events", "frozen 1"), ("freezer.state", "FROZEN")):
                    if name in names:
                        with open(f"{folder}/{name}", encoding="ascii") as file:
                            found += [folder] if word in file.read() else []
        return found

    def assert_nobody_frozen(self):
        self.assertEqual(self.still(), [])
