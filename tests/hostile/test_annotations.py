"""Kind 14: which sandbox a container belongs to is not what its author writes. covey-runtime alone: the API has no such keys."""
import os

import fronts
import oci
from hostile_test import HostileTest, main


class Annotations(HostileTest):
    front_class = fronts.RuntimeFront

    def create(self, pod, annotations, access=None):
        """A container of `pod` whose author has added annotations."""
        def change(config):
            oci.namespace(config, "pid", None)
            config["linux"]["namespaces"].append({"type": "pid"})
            config["annotations"] = annotations
        place, self.front.place = self.front.place, staticmethod(lambda *words: None)
        try:
            return pod.create(["sleep", "1000"], change=change, keep=True)
        finally:
            self.front.place = place

    def is_in(self, container, pod):
        return os.readlink(f"/proc/{container.host_pid}/ns/pid") == os.readlink(f"/proc/{pod.pause.host_pid}/ns/pid")

    def test_a_foreign_sandbox_is_not_joined(self):
        """Won: the container ran in the victim's PID namespace, access open."""
        own, victim = self.front.pod(), self.front.pod()
        secret = victim.run(["sleep", "1000"], mode="pod")
        for mode in ("pod", "nested"):
            for annotations in (
                    {"io.kubernetes.cri-o.SandboxID": own.name, "io.kubernetes.cri-o.ContainerType": "container",
                     "io.kubernetes.cri.sandbox-id": victim.name},
                    {"io.kubernetes.cri.sandbox-id": victim.name, "io.kubernetes.cri.container-type": "container"},
                    {"io.kubernetes.cri.sandbox-id": secret.name}):
                with self.subTest(mode=mode, annotations=annotations):
                    thief = self.create(own, {**annotations, "covey.dev/pid": mode})
                    if not thief.create_call.ok:
                        own.containers.remove(thief)
                        continue
                    self.assertFalse(self.is_in(thief, victim), "it is in the victim's PID namespace")
                    self.assertNotIn(f"NSpid:\t{thief.host_pid}\t2", open(f"/proc/{thief.host_pid}/status", encoding="ascii").read())
                    self.assertTrue(thief.delete().ok)
        self.assert_works("exec in the victim", secret.exec("true"))

    def test_a_forged_type_drops_nothing_in_silence(self):
        """Won: container-type "sandbox" took covey.dev/access: private away without a word."""
        own = self.front.pod()
        for kind in ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"):
            with self.subTest(kind=kind):
                thief = self.create(own, {kind: "sandbox", "covey.dev/access": "private"})
                if thief.create_call.ok:
                    with open(f"/proc/{thief.host_pid}/mountinfo", encoding="ascii") as file:
                        procs = [line for line in file if " - proc " in line and line.split()[4] == "/proc"]
                    self.assertTrue(any("hidepid=ptraceable" in line or "hidepid=4" in line for line in procs), procs)
                    self.assertTrue(thief.delete().ok)
                else:
                    own.containers.remove(thief)


if __name__ == "__main__":
    main()
