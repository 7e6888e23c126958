"""Namespaces through the command line: a user namespace of its own, and execs into it."""
import json
import os

from oci import OciTest, main, only_covey


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

    # A process that is not dumpable has files of root's: seen failing with the member of the new namespace like that.
    @only_covey("runc makes a cgroup, or wants systemd's")
    def test_a_user_without_rights_maps_himself(self):
        own = 12345

        def change(config):
            config["linux"]["namespaces"] = [{"type": name} for name in ("user", "pid", "ipc", "uts", "mount")]
            for key in ("uidMappings", "gidMappings"):
                config["linux"][key] = [{"containerID": 0, "hostID": own, "size": 1}]
            config["mounts"] = config["mounts"][:2]
            del config["linux"]["readonlyPaths"], config["linux"]["maskedPaths"]
        one, bundle = self.bundle("probe", "sleep", "forever", change=change)
        short, empty = self.bundle("probe", "exit", "0", change=change)
        for folder, _, files in os.walk(self.folder):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                os.chown(path, own, own)
        mine = {"user": own, "group": own, "extra_groups": [], "globals_": ("--cgroup-manager", "disabled")}
        for _ in range(5):  # a race would be seen
            self.ok("run", "--bundle", empty, short, **mine)
        self.ok("run", "-d", "--bundle", bundle, "--pid-file", f"{bundle}/pid", one, **mine)
        with open(f"{bundle}/pid", encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
            self.assertEqual(file.read().split(), ["0", str(own), "1"])
        state = json.loads(self.ok("exec", one, "probe", "state", **mine).stdout)
        self.assertEqual((state["uid"], state["gid"]), (0, 0))
        self.ok("delete", "--force", one, **mine)
        self.assertEqual(self.wait_exit(pid), -9)


if __name__ == "__main__":
    main()
