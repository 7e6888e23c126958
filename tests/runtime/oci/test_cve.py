"""The classes of holes that other runtimes had with descriptors, capabilities and groups, each by its CVE. What
is about paths and mounts stands in tests/kernel/spec_cve_test.cpp, class A in test_exec.py and
tests/kernel/launch_hostile_test.cpp. "Seen failing": with the named line of lib/ changed so, the case failed."""
import json
import os
import pathlib
import socket
import subprocess
import tempfile

from oci import IS_COVEY, RUNTIME, OciTest, main, only_covey, wait_for


class Descriptors(OciTest):
    """CVE-2024-21626, CVE-2016-9962: what the caller left open must not get in."""

    def setUp(self):
        super().setUp()
        self.canary = self.folder / "canary"
        self.canary.mkdir()
        (self.canary / "of-the-host").touch()
        self.leaked = []
        self.keep = []
        for _ in range(8):
            pair = socket.socketpair()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            file = tempfile.TemporaryFile(dir=self.folder)
            self.keep += [*pair, listener, file]
            self.leaked += [os.open(self.canary, os.O_RDONLY), os.open("/", os.O_PATH), *os.pipe(),
                            *(one.fileno() for one in (*pair, listener, file))]
        for fd in self.leaked:
            os.set_inheritable(fd, True)
        self.addCleanup(self.close)

    def close(self):
        for one in self.keep:
            one.close()
        for fd in self.leaked:
            try:
                os.close(fd)
            except OSError:
                pass

    def leaky(self, *words):
        """The call inherits every leaked descriptor."""
        with open(self.folder / "out", "w+b") as out:
            status = subprocess.run([RUNTIME, "--root", self.root, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    env=self.env, cwd=self.folder, close_fds=False, timeout=30, check=False).returncode
            out.seek(0)
            return status, out.read().decode()

    def test_64_of_every_kind_into_create_run_and_exec(self):
        """Seen failing without close_all_except() in runtime/inherited.cpp, launch/launcher.cpp and launch/exec_join.cpp."""
        one, bundle = self.bundle("probe", "state")
        status, text = self.leaky("run", "--bundle", bundle, one)
        self.assertEqual(status, 0, text)
        self.assertEqual([entry["fd"] for entry in json.loads(text)["fds"]], [0, 1, 2])
        two, bundle = self.bundle("probe", "sleep", "forever")
        self.assertEqual(self.leaky("create", "--bundle", bundle, two), (0, ""))
        pid = self.state(two)["pid"]
        if IS_COVEY:  # at the gate too, where a neighbour may look
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            self.assertEqual([name for name in links if name == "/" or str(self.canary) in name], [])
        self.ok("start", two)
        status, text = self.leaky("exec", two, "probe", "state")
        self.assertEqual([entry["fd"] for entry in json.loads(text)["fds"]], [0, 1, 2], text)

    def test_the_working_directory_is_never_the_hosts(self):
        """Seen failing without those and without the look at getcwd(2) in launch/identity.cpp."""
        folders = ("/proc/self/fd/{}", "/proc/1/fd/{}", "/proc/self/fd/{}/../canary", "/proc/thread-self/fd/{}")
        places = [cwd.format(fd) for cwd in folders for fd in (self.leaked[0], self.leaked[1], 3, 4, 5, 6, 7, 8)]
        for place in places:
            one, bundle = self.bundle("probe", "ls", ".", cwd=place)
            _, text = self.leaky("run", "--bundle", bundle, one)
            self.assertNotIn("of-the-host", text, place)
        two, pid = self.start("probe", "sleep", "forever")
        for place in places:
            _, text = self.leaky("exec", "--cwd", place, two, "probe", "ls", ".")
            self.assertNotIn("of-the-host", text, place)
        self.ok("kill", two, "9")
        self.wait_exit(pid)


class Identity(OciTest):
    def caps(self, text):
        return {name: int(value, 16) for name, value in json.loads(text)["caps"].items()}

    def test_inheritable_and_ambient_are_empty_unless_asked_for(self):
        """CVE-2022-29162, CVE-2022-27650: Seen failing with the inheritable set equal to the permitted one
        (wanted_masks() in lib/launch/identity.cpp). The caller's own sets must not shine through either."""
        for user in ({"uid": 0, "gid": 0}, {"uid": 1000, "gid": 1000}):
            caps = self.caps(self.output("probe", "state", user=user))
            self.assertEqual((caps["inheritable"], caps["ambient"]), (0, 0), user)
            self.assertNotEqual(caps["bounding"], 0)
        one, pid = self.start("probe", "sleep", "forever")
        caps = self.caps(self.ok("exec", "--user", "1000:1000", one, "probe", "state").stdout)
        self.assertEqual((caps["inheritable"], caps["ambient"], caps["effective"]), (0, 0, 0))
        self.ok("kill", one, "9")
        self.wait_exit(pid)

    def test_no_capabilities_named_means_none(self):
        """youki 3434. Seen failing with limit_bounding_set() left out of cut_privileges()."""
        caps = self.caps(self.output("probe", "state", capabilities={}))
        self.assertEqual(set(caps.values()), {0}, caps)

    def test_the_callers_groups_stay_outside(self):
        """CVE-2022-2989, CVE-2022-36109. Seen failing with set_groups() left out of set_ids()."""
        own = os.getgroups()
        os.setgroups([0, 4, 27])
        try:
            one, bundle = self.bundle("probe", "ids", user={"uid": 1000, "gid": 1000})
            self.assertEqual(json.loads(self.ok("run", "--bundle", bundle, one).stdout)["groups"], [])
            two, pid = self.start("probe", "sleep", "forever", user={"uid": 1000, "gid": 1000, "additionalGids": [56]})
            self.assertEqual(json.loads(self.ok("exec", two, "probe", "ids").stdout)["groups"], [56])
            if IS_COVEY:  # runc keeps the groups of the container's user
                self.assertEqual(json.loads(self.ok("exec", "-u", "5:6", two, "probe", "ids").stdout)["uid"], 5)
            self.ok("kill", two, "9")
            self.wait_exit(pid)
        finally:
            os.setgroups(own)

    @only_covey("runc looks names up in the container's /etc/passwd")
    def test_a_user_is_a_number_and_nothing_else(self):
        """CVE-2016-3697, CVE-2024-40635, CVE-2026-30892: no name, no sign, nothing that wraps to 0."""
        (self.rootfs / "etc/passwd").write_text("4294967296:x:0:0::/:\n99999999999:x:0:0::/:\n", encoding="ascii")
        one, pid = self.start("probe", "sleep", "forever")
        for user in ("4294967296", "4294967295", "99999999999", "-1", "+0", " 0", "0x0", "root", "1:", ":1", "1:2:3", "1:-1"):
            run = self.call("exec", "--user", user, one, "probe", "ids")
            self.assertEqual((run.returncode, run.stdout), (255, ""), user)
        self.assertEqual(json.loads(self.ok("exec", "-u", "1", one, "probe", "ids").stdout)["uid"], 1)
        self.ok("kill", one, "9")
        self.wait_exit(pid)


class Keyrings(OciTest):
    """A session keyring is found by no name, and an account of keys that others fill stops nothing."""
    OWN = "keyring;0;0;3f000000;_ses"

    def thief(self, victim):
        """Has made the keyring that runc's containers of that id are in, and opened it."""
        self.start("probe", "key", "join", f"_ses.{victim}", "--", "sleep", "forever")
        wait_for(lambda: f"_ses.{victim}:" in pathlib.Path("/proc/keys").read_text(encoding="ascii", errors="replace"))

    @only_covey("runc joins _ses.ID by name")
    def test_a_thief_who_made_the_keyring_of_an_id_has_nobody_in_it(self):
        """Seen failing at the code before decision 017, create and exec."""
        one, bundle = self.bundle("probe", "key", "session")
        self.thief(one)
        self.assertEqual(json.loads(self.ok("run", "--bundle", bundle, one).stdout)["description"], self.OWN)
        two, _ = self.start("probe", "sleep", "forever")
        self.thief(two)
        first, second = (json.loads(self.ok("exec", two, "probe", "key", "session").stdout) for _ in range(2))
        self.assertEqual((first["description"], second["description"]), (self.OWN, self.OWN))
        self.assertNotEqual(first["serial"], second["serial"])

    @only_covey("runc makes the keyring on the container's account")
    def test_a_full_account_of_keys_stops_neither_create_nor_exec(self):
        """Keys of one host uid have one account for all containers (keyrings(7))."""
        def mapped(config):
            config["linux"]["namespaces"].append({"type": "user"})
            for kind in ("uidMappings", "gidMappings"):
                config["linux"][kind] = [{"containerID": 0, "hostID": 250000, "size": 65536}]
        thief, _ = self.start("probe", "key", "fill", "--", "sleep", "forever", change=mapped)
        wait_for(lambda: self.call("exec", thief, "probe", "key", "add", "more", "x" * 4000).stdout == "EDQUOT\n")
        self.assertTrue(self.output("probe", "key", "session", change=mapped).startswith('{"serial"'))


class Streams(OciTest):
    """CVE-2024-21626's kind: a folder of the host as a descriptor of the container."""

    @only_covey("runc passes a folder on")
    def test_a_folder_or_an_o_path_descriptor_is_no_stream(self):
        one, bundle = self.bundle("probe", "state")
        two, _ = self.start("probe", "sleep", "forever")
        for path, flags in (("/", os.O_RDONLY), ("/", os.O_PATH), ("/etc/passwd", os.O_PATH)):
            fd = os.open(path, flags)
            try:
                self.fails("stdin is a folder or an O_PATH descriptor", "run", "--bundle", bundle, one, stdin=fd)
                self.fails("stdin is a folder or an O_PATH descriptor", "exec", two, "probe", "state", stdin=fd, status=255)
            finally:
                os.close(fd)


if __name__ == "__main__":
    main()
