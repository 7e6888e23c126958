"""linux.netDevices and linux.memoryPolicy of specification 1.3. The runtime's network namespace is the test's own, new for
each case; devices are pairs of veth."""
import ctypes
import json
import os
import shutil
import subprocess
import unittest

from oci import IS_COVEY, OciTest, main, mapped, namespace, only_covey

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, stdout=subprocess.PIPE).stdout.decode()


@unittest.skipUnless(IS_COVEY, "runc has netDevices since 1.4, crun since 1.24")
@unittest.skipUnless(shutil.which("ip"), "needs ip (iproute2)")
class NetDevices(OciTest):
    def setUp(self):
        super().setUp()
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        ip("link", "add", "v0", "mtu", "1400", "address", "02:00:00:00:00:77", "type", "veth", "peer", "name", "v1")
        ip("address", "add", "10.1.2.3/24", "brd", "10.1.2.255", "dev", "v0")
        ip("address", "add", "10.9.9.9", "peer", "10.9.9.10", "dev", "v0")
        ip("address", "add", "fd00::1/64", "dev", "v0", "nodad")

    def here(self):
        """The devices of the runtime's namespace by name."""
        return {one["ifname"]: one for one in json.loads(ip("-j", "address"))}

    def inside(self, pid):
        text = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-j", "address"], check=True, stdout=subprocess.PIPE).stdout
        return {one["ifname"]: one for one in json.loads(text)}

    def addresses(self, device, scope="global"):
        return {(one["local"], one.get("address"), one["prefixlen"]) for one in device["addr_info"] if one["scope"] == scope}

    def with_devices(self, *more, **devices):
        def change(config):
            config["ociVersion"] = "1.3.0"
            config["linux"]["netDevices"] = {name: {"name": inside} if inside else {} for name, inside in devices.items()}
            for one in more:
                one(config)
        return change

    def refuse(self, text, change):
        """Nothing is made, and the devices are as they were."""
        before = self.here()
        one, bundle = self.bundle("probe", change=change)
        run = self.fails(text, "create", "--bundle", bundle, one)
        self.assertIn("netDevices", run.stderr)
        self.assertEqual(self.groups(), [])
        after = self.here()
        self.assertEqual(set(before), set(after))
        for name, device in before.items():
            self.assertEqual(self.addresses(device), self.addresses(after[name]), name)
            self.assertEqual("UP" in device["flags"], "UP" in after[name]["flags"], name)

    def test_a_device_is_moved_renamed_and_up_with_its_addresses(self):
        before = self.here()["v0"]
        one, pid = self.create("probe", "sleep", "forever", change=self.with_devices(v0="eth9"))
        self.assertEqual(set(self.here()), {"lo", "v1"})
        device = self.inside(pid)["eth9"]
        self.assertIn("UP", device["flags"])
        self.assertEqual((device["mtu"], device["address"]), (1400, "02:00:00:00:00:77"))
        self.assertEqual(self.addresses(device), self.addresses(before))
        self.assertIn("10.1.2.255", [address.get("broadcast") for address in device["addr_info"]])
        self.ok("start", one)
        self.assertEqual(set(self.inside(pid)), {"lo", "eth9"})

    def test_a_device_keeps_its_name_and_two_may_change_theirs(self):
        _, pid = self.create("probe", "sleep", "forever", change=self.with_devices(v0=None))
        self.assertEqual(set(self.inside(pid)), {"lo", "v0"})
        ip("link", "add", "w0", "type", "veth", "peer", "name", "w1")
        ip("address", "add", "10.0.0.1/8", "dev", "w0")
        _, pid = self.create("probe", "sleep", "forever", change=self.with_devices(w0="w1", w1="w0"))
        inside = self.inside(pid)
        self.assertEqual(self.addresses(inside["w1"]), {("10.0.0.1", None, 8)})
        self.assertEqual(self.addresses(inside["w0"]), set())

    def test_hooks_of_the_creation_find_it(self):
        text = 'pid=$(sed \'s/.*"pid":\\([0-9]*\\).*/\\1/\'); nsenter -t $pid -n ip -br link > ' + str(self.folder / "seen")
        hook = {"path": "/bin/sh", "args": ["sh", "-c", text], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}
        self.create("probe", "sleep", "forever", change=self.with_devices(lambda c: c.update(hooks={"createRuntime": [hook]}), v0="eth9"))
        self.assertIn("eth9", (self.folder / "seen").read_text(encoding="ascii"))

    def test_a_network_namespace_that_is_joined(self):
        with subprocess.Popen(["unshare", "-n", "sleep", "1000"]) as other:
            try:
                path = f"/proc/{other.pid}/ns/net"
                mine = os.readlink("/proc/self/ns/net")
                while os.readlink(path) == mine:
                    pass
                self.create("probe", "sleep", "forever", change=self.with_devices(lambda c: namespace(c, "network", path), v0="eth9"))
                self.assertIn("eth9", self.inside(other.pid))
            finally:
                other.kill()

    def test_a_container_in_a_user_namespace(self):
        os.chmod(self.rootfs, 0o755)
        _, pid = self.create("probe", "sleep", "forever", change=self.with_devices(mapped, v0="eth9"))
        self.assertIn("eth9", self.inside(pid))

    def test_one_that_is_not_there(self):
        self.refuse("'nothing'", self.with_devices(v0="eth9", nothing=None))

    def test_a_name_that_is_taken(self):
        self.refuse("lo", self.with_devices(v0="lo"))

    def test_one_that_cannot_be_moved_and_one_that_could(self):
        ip("link", "add", "z0", "type", "bridge")
        ip("link", "set", "v0", "up")
        self.refuse("z0", self.with_devices(v0="eth9", z0="eth8"))
        self.refuse("lo", self.with_devices(v0="eth9", lo="eth8"))

    def test_without_a_network_namespace(self):
        self.refuse("private NET namespace", self.with_devices(lambda c: namespace(c, "network", None), v0="eth9"))
        self.refuse("runtime's own", self.with_devices(lambda c: namespace(c, "network", "/proc/self/ns/net"), v0="eth9"))

    def test_a_create_that_fails_later_gives_it_back(self):
        hook = {"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}
        before = self.addresses(self.here()["v0"])
        for kind in ("createRuntime", "createContainer"):
            one, bundle = self.bundle("probe", change=self.with_devices(lambda c: c.update(hooks={kind: [hook]}), v0="eth9"))
            self.fails(kind, "create", "--bundle", bundle, one)
            device = self.here()["v0"]
            self.assertEqual(self.addresses(device), before)
            self.assertNotIn("UP", device["flags"])


@unittest.skipUnless(IS_COVEY, "runc has memoryPolicy since 1.4")
class MemoryPolicy(OciTest):
    def policy(self, **policy):
        return lambda config: config["linux"].update(memoryPolicy=policy)

    def test_the_program_and_an_exec_have_it(self):
        for policy, seen in (({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
                             ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
                             ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"), ({"mode": "MPOL_LOCAL"}, "local"),
                             ({"mode": "MPOL_DEFAULT"}, "default")):
            one, bundle = self.bundle("probe", "read", "/proc/self/numa_maps", change=self.policy(**policy))
            self.assertIn(f" {seen} ", self.ok("run", "--bundle", bundle, one).stdout)
            two, _ = self.start("probe", "sleep", "forever", change=self.policy(**policy))
            self.assertIn(f" {seen} ", self.ok("exec", two, "probe", "read", "/proc/self/numa_maps").stdout)

    def test_nodes_that_are_not_there_are_refused(self):
        for policy in ({"mode": "MPOL_BIND", "nodes": "63"}, {"mode": "MPOL_INTERLEAVE"}, {"mode": "MPOL_DEFAULT", "nodes": "0"}):
            one, bundle = self.bundle("probe", change=self.policy(**policy))
            run = self.fails("memory policy " + policy["mode"], "create", "--bundle", bundle, one)
            self.assertIn("linux.memoryPolicy", run.stderr)

    def test_nodes_outside_the_cpuset_are_refused(self):
        def change(config):
            self.policy(mode="MPOL_BIND", nodes="1-63")(config)
            config["linux"]["resources"] = {"cpu": {"mems": "0"}}
        one, bundle = self.bundle("probe", change=change)
        self.fails("MPOL_BIND on nodes 1-63", "create", "--bundle", bundle, one)


class NoProcesses(OciTest):
    def limit(self, version):
        def change(config):
            config["ociVersion"] = version
            config["linux"]["resources"] = {"pids": {"limit": 0}}
        return change

    def file(self, one):
        group = next(group for group in self.groups() if group.name == one and (group / "pids.max").exists())
        return (group / "pids.max").read_text(encoding="ascii").strip()

    @only_covey("runc 1.1 takes 0 for no limit")
    def test_a_limit_of_no_process_beside_the_first(self):
        one, _ = self.start("probe", "fork", "1", change=self.limit("1.3.0"))
        self.assertEqual(self.file(one), "1")

    def test_before_1_3_it_is_no_limit(self):
        one, _ = self.start("probe", "sleep", "forever", change=self.limit("1.0.2"))
        self.assertIn(self.file(one), ("max",))
        self.ok("update", "--pids-limit", "7", one)
        self.ok("update", "--pids-limit", "0", one)
        self.assertEqual(self.file(one), "7")


if __name__ == "__main__":
    main()
