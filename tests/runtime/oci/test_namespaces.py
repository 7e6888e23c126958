"""Namespaces through the command line: a user namespace of its own, and execs into it."""
import json
import os
import pathlib

from oci import OciTest, give_to_mapped_root, main, mapped, only_covey


class Namespaces(OciTest):
    def test_a_user_namespace_and_an_exec_into_it(self):
        give_to_mapped_root(self.rootfs)
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

    def owners(self):
        """Whose each file of the image is, and its mode: the container adds none."""
        paths = [self.rootfs, *self.rootfs.rglob("*")]
        return {str(path): (path.lstat().st_uid, path.lstat().st_gid, path.lstat().st_mode) for path in paths}

    def test_the_owners_of_files_are_not_changed_for_a_mapping(self):
        """Nor their modes. Seen failing with a chown where the root is attached."""
        give_to_mapped_root(self.rootfs)
        bound = self.folder / "bound"
        bound.mkdir()
        for number, uid in enumerate((0, 5, 100000, 100999, 101000)):
            for folder in (self.rootfs / "etc", bound):
                (folder / f"of-{number}").touch()
                os.chown(folder / f"of-{number}", uid, uid + 1)
        os.chmod(self.rootfs / "etc/of-0", 0o4711)

        def change(config):
            mapped(config)
            config["mounts"].append({"destination": "/tmp", "type": "bind", "source": str(bound), "options": ["rbind"]})
        before = self.owners(), [path.stat().st_uid for path in sorted(bound.iterdir())]
        one, pid = self.create("probe", *(word for number in range(5) for word in ("stat", f"/etc/of-{number}", "--")),
                               "sleep", "forever", change=change)
        at_the_gate = self.owners()
        self.ok("start", one)
        seen = json.loads(self.ok("exec", one, "probe", "stat", "/etc/of-3").stdout)
        self.assertEqual(seen["uid"], 999)  # what is mapped is seen as it is
        self.assertEqual(json.loads(self.ok("exec", one, "probe", "stat", "/etc/of-1").stdout)["uid"], 65534)
        self.ok("delete", "--force", one)
        self.assertEqual(self.wait_exit(pid), -9)
        made = {str(self.rootfs / name) for name in ("dev/pts",)}
        for later in (at_the_gate, self.owners()):
            self.assertEqual({path: facts for path, facts in later.items() if path not in made}, before[0])
        self.assertEqual([path.stat().st_uid for path in sorted(bound.iterdir())], before[1])

    @only_covey("runc gives a v2 group to the mapped root")
    def test_a_containers_cgroup_stays_roots(self):
        """Whatever the namespaces are. Seen failing with a chown of the group where it is made."""
        def shows_its_group(config):
            config["linux"]["namespaces"].append({"type": "cgroup"})
            config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"})
            config["root"]["readonly"] = False

        def mapped_too(config):
            shows_its_group(config)
            mapped(config)
        (self.rootfs / "sys/fs/cgroup").mkdir(parents=True)
        give_to_mapped_root(self.rootfs)
        for change in (shows_its_group, mapped_too):
            one, _ = self.start("probe", "sleep", "forever", change=change, user={"uid": 7, "gid": 8})
            groups = [group for group in self.groups() if group.name == one]
            self.assertTrue(groups)
            paths = [path for group in groups for path in (group, *pathlib.Path(group).rglob("*"))]
            self.assertIn("cgroup.procs", {path.name for path in paths})
            self.assertEqual({(path.stat().st_uid, path.stat().st_gid) for path in paths}, {(0, 0)})

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
