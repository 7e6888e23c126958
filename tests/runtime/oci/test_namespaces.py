"""Namespaces through the command line: a user namespace of its own, and execs into it."""
import json
import os

from oci import OciTest, main


def mapped(config):
    linux = config["linux"]
    linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        linux[key] = [{"containerID": 0, "hostID": 100000, "size": 1000}]


class Namespaces(OciTest):
    def test_a_user_namespace_and_an_exec_into_it(self):
        for folder, _, files in os.walk(self.rootfs):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                os.chown(path, 100000, 100000)
        one, pid = self.start("probe", "sleep", "forever", change=mapped)
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            self.assertIn("Uid:\t100000\t", status.read())
        for flags in ((), ("--user", "7:8")):
            state = json.loads(self.ok("exec", *flags, one, "probe", "state").stdout)
            self.assertEqual((state["uid"], state["gid"]), (7, 8) if flags else (0, 0))
            own = int(os.readlink(f"/proc/{pid}/ns/user").split("[")[1].rstrip("]"))
            self.assertEqual(state["namespaces"]["user"], own)
        self.ok("kill", one, "9")
        self.assertEqual(self.wait_exit(pid), -9)


if __name__ == "__main__":
    main()
