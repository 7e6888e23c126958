"""Sandboxes with a user namespace: ids inside and outside in each pid mode, the blocks that coveyd gives out, what a pod's
root may do, execs, debuggers, other runtimes, a killed coveyd, and what is refused."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import bundles
from covey_client import BIN, CoveyTest, main, wait_for

BLOCK = 65536
FIRST = 500000  # three blocks from here on are the daemon's
OWN = 900000    # a mapping that requests name themselves
MAPS = [{"containerID": 0, "hostID": OWN, "size": BLOCK}]
MAPPED = {"user": {"uidMappings": MAPS, "gidMappings": MAPS}}
LOOP = ["sh", "-c", "while :; do sleep 1000; done"]


def block(number):
    return [{"containerID": 0, "hostID": FIRST + number * BLOCK, "size": BLOCK}]


def ids(pid, field="Uid"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(field + ":"):
            return [int(word) for word in line.split()[1:]]
    raise AssertionError(field)


def inode(pid, kind):
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


class Userns(CoveyTest):
    environment = {"COVEY_USERNS_IDS": f"{FIRST}:{3 * BLOCK}"}

    def setUp(self):
        super().setUp()
        for folder in (self.daemon.folder, self.folder):  # other runtimes look up the path as the mapped root
            os.chmod(folder, 0o755)

    def give(self, folder, first=OWN):
        for base, folders, names in os.walk(folder):
            for name in [".", *folders, *names]:
                os.chown(os.path.join(base, name), first, first, follow_symlinks=False)

    def mapped(self, sandbox, args, name, first=OWN, start=True, change=None, process=None, status=201, **fields):
        """A container whose image belongs to the sandbox's root."""
        def changed(config):
            config.pop("hostname", None)
            if change:
                change(config)
        bundle = bundles.make_bundle(self.folder / name, args, changed, **(process or {}))
        self.give(f"{bundle}/rootfs", first)
        answer = self.client.put(f"/v1/containers/{name}", {"sandbox": sandbox, "bundle": bundle, **fields})
        self.assertEqual(answer.status, status, answer)
        if start and status == 201:
            started = self.client.post(f"/v1/containers/{name}/start")
            self.assertEqual(started.status, 200, started)
            return started.json
        return answer

    def run_in(self, name, *command, code=0, **query):
        status, body, exit_code = self.client.exec(name, *command, **query)
        self.assertEqual((status, exit_code), (200, code), body)
        return body.decode()

    def test_in_each_mode_root_inside_is_the_mapped_id_outside(self):
        web = self.sandbox(namespaces=MAPPED)
        made = self.client.get("/v1/sandboxes/" + web).json
        self.assertEqual((made["uidMappings"], made["gidMappings"]), (MAPS, MAPS))
        self.assertEqual(made["namespaces"]["user"]["inode"], inode(made["pid"], "user"))
        self.assertEqual(os.stat(made["namespaces"]["user"]["path"]).st_ino, inode(made["pid"], "user"))
        self.assertNotEqual(inode(made["pid"], "user"), inode("self", "user"))
        self.assertEqual(ids(made["pid"])[0], OWN + 65535)
        self.assertEqual(made["warnings"], [])
        for mode in ("pod", "nested", "container"):
            with self.subTest(mode):
                name = f"in-{mode}"
                made = self.mapped(web, ["sh", "-c", "echo x > /made; cat /proc/self/uid_map; while :; do sleep 1000; done"],
                                   name, pidMode=mode, stdio={"stdout": f"file:{self.folder}/{name}.out"},
                                   change=lambda config: config["root"].update(readonly=False))
                self.assertEqual(made["warnings"], [])
                out = self.folder / f"{name}.out"
                wait_for(out.read_text)
                self.assertEqual(out.read_text().split(), ["0", str(OWN), str(BLOCK)])
                self.assertEqual(ids(made["pid"]), [OWN] * 4)
                self.assertEqual(inode(made["pid"], "user"), inode(self.client.get("/v1/sandboxes/" + web).json["pid"], "user"))
                owner = os.stat(self.folder / name / "rootfs/made")
                self.assertEqual((owner.st_uid, owner.st_gid), (OWN, OWN))
                self.assertEqual(self.run_in(name, "id", "-u"), "0\n")
                self.assertEqual(self.run_in(name, "id", "-u", user="7:8"), "7\n")
                row = next(row for row in self.client.get(f"/v1/sandboxes/{web}/processes").json["items"]
                           if row["pid"] == made["pid"])
                self.assertEqual((row["uid"], row["gid"], row["container"]), (OWN, OWN, name))
                self.assertEqual(self.client.post(f"/v1/containers/{name}/kill", {"signal": "KILL"}).status, 204)
                ended = self.client.get(f"/v1/containers/{name}/wait").json
                self.assertEqual(ended["signal"], "SIGKILL")
                self.assertEqual(self.client.delete(f"/v1/containers/{name}").status, 204)

    def test_siblings_see_and_signal_one_another(self):
        web = self.sandbox(namespaces=MAPPED, pidMode="pod")
        first, second = self.mapped(web, LOOP, "first"), self.mapped(web, LOOP, "second")
        self.assertIn("/pause", self.run_in("second", "ps"))
        self.run_in("second", "ls", f"/proc/{first['podPid']}/root/bin")
        pairs = {(row["from"], row["to"]): row for row in self.client.get(f"/v1/sandboxes/{web}/access").json["items"]}
        for action in ("see", "signal", "readRoot", "ptrace"):
            self.assertTrue(pairs["second", "first"][action]["allowed"], pairs["second", "first"])
        self.run_in("second", "kill", "-9", str(first["podPid"]))
        self.assertEqual(self.client.get("/v1/containers/first/wait").json["signal"], "SIGKILL")
        self.assertEqual(self.client.get("/v1/containers/second").json["pid"], second["pid"])

    def test_the_pods_root_sets_what_is_the_pods(self):
        web = self.sandbox(namespaces=MAPPED, pidMode="pod", hostname="inside",
                           sysctls={"net.ipv4.ip_unprivileged_port_start": "77", "kernel.domainname": "pod.example"})

        def free(config):
            config["linux"].update(readonlyPaths=[])
            config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]})
        self.mapped(web, LOOP, "app", change=free, capabilities={"add": ["NET_ADMIN", "SYS_ADMIN"]})
        port = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
        self.assertEqual(self.run_in("app", "cat", port), "77\n")
        self.assertEqual(self.run_in("app", "cat", "/proc/sys/kernel/domainname"), "pod.example\n")
        self.run_in("app", "sh", "-c", f"echo 99 > {port}")
        self.assertEqual(self.run_in("app", "cat", port), "99\n")
        self.assertNotEqual(pathlib.Path(port).read_text(), "99\n")
        self.run_in("app", "sh", "-c", "echo 60 > /proc/sys/vm/swappiness", code=1)
        self.run_in("app", "mount", "-t", "tmpfs", "none", "/tmp")
        self.assertIn("populated 1", self.run_in("app", "cat", "/sys/fs/cgroup/cgroup.events", user="1000:1000"))

    def test_free_blocks_are_given_out_once(self):
        new = {"user": "new"}
        first, second = self.sandbox("first", namespaces=new), self.sandbox("second", namespaces=new)
        get = lambda name: self.client.get("/v1/sandboxes/" + name).json
        self.assertEqual(get(first)["uidMappings"], block(0))
        self.assertEqual(get(second)["gidMappings"], block(1))
        body = {"cgroupParent": self.daemon.parent, "namespaces": new}
        again = self.client.put("/v1/sandboxes/first", body)
        self.assertEqual((again.status, again.json["uidMappings"]), (200, block(0)))
        # A request that names ids of the last block; whoever has them is warned, and it is not given out.
        taken = [{"containerID": 0, "hostID": FIRST + 2 * BLOCK + 7, "size": 10}]
        user = {"user": {"uidMappings": taken, "gidMappings": taken}}
        third = self.sandbox("third", namespaces=user)
        self.assertEqual(get(third)["warnings"], [])
        self.assertEqual(self.client.put("/v1/sandboxes/third", {**body, "namespaces": user}).status, 200)
        self.assert_problem(self.client.put("/v1/sandboxes/third", {**body, "namespaces": MAPPED}), "already_exists")
        self.assertIn("'third'", " ".join(get(self.sandbox("fourth", namespaces=user))["warnings"]))
        self.assert_problem(self.client.put("/v1/sandboxes/fifth", body), "resource_exhausted", "65536")
        self.client.post("/v1/sandboxes/first/stop")
        self.assert_problem(self.client.put("/v1/sandboxes/fifth", body), "resource_exhausted")
        self.client.delete("/v1/sandboxes/first")
        self.assertEqual(get(self.sandbox("fifth", namespaces=new))["uidMappings"], block(0))

    def test_a_killed_coveyd_knows_the_ids_again(self):
        web = self.sandbox(namespaces={"user": "new"}, pidMode="pod")
        stopped = self.sandbox(namespaces={"user": "new"})
        self.client.post(f"/v1/sandboxes/{stopped}/stop")
        self.mapped(web, LOOP, "app", FIRST)
        before = self.client.get("/v1/sandboxes/" + web).json
        self.daemon.kill(signal.SIGKILL)
        self.daemon.start()
        self.warm_up()
        self.assertEqual(self.client.get("/v1/sandboxes/" + stopped).json["state"], "stopped")
        after = self.client.get("/v1/sandboxes/" + web).json
        for key in ("uidMappings", "gidMappings", "namespaces", "pid", "warnings"):
            self.assertEqual(after[key], before[key])
        self.assertEqual(self.run_in("app", "id", "-u"), "0\n")
        self.assertEqual(self.client.put("/v1/sandboxes/" + web, {"cgroupParent": self.daemon.parent, "pidMode": "pod",
                                                                  "namespaces": {"user": "new"}}).status, 200)
        third = self.client.get("/v1/sandboxes/" + self.sandbox(namespaces={"user": "new"})).json
        self.assertEqual(third["uidMappings"], block(2))
        self.delete_all()
        self.before = self.descriptors_at_rest()

    def test_a_debugger_is_in_the_user_namespace(self):
        web = self.sandbox(namespaces=MAPPED)
        app = self.mapped(web, LOOP, "app")
        tools = str(bundles.make_rootfs(self.folder / "tools"))
        made = self.client.post(f"/v1/sandboxes/{web}/debug", {"tools": tools, "target": "app", "id": "look"})
        self.assertEqual(made.status, 201, made)
        self.assertEqual(ids(made.json["pid"]), [OWN] * 4)
        self.assertIn("busybox", self.run_in("look", "ls", "/target/bin"))
        self.assertIn("sleep", self.run_in("look", "cat", f"/proc/{app['podPid']}/cmdline"))
        self.client.delete("/v1/containers/look?force=true")
        for access in ("private", "observer"):
            answer = self.client.post(f"/v1/sandboxes/{web}/debug",
                                      {"tools": tools, "target": "app", "id": "look", "access": access, "profile": "restricted",
                                       "command": ["sleep", "1000"]})
            self.assertEqual(answer.status, 201, answer)
            self.client.delete("/v1/containers/look?force=true")

    def test_signals_to_number_1_are_routed(self):
        web = self.sandbox(namespaces=MAPPED, pidMode="pod", pid1Signals="route")
        self.mapped(web, ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 1; done"], "app")
        self.run_in("app", "kill", "-TERM", "1")
        self.assertEqual(self.client.get("/v1/containers/app/wait").json["exitCode"], 7)

    def test_an_image_of_the_hosts_root(self):
        web = self.sandbox(namespaces=MAPPED)
        self.container(web, LOOP, "shown", start=False)
        warnings = self.client.get("/v1/containers/shown").json["warnings"]
        self.assertIn("belongs to 0:0", " ".join(warnings))
        bundle = bundles.make_bundle(self.folder / "closed", LOOP)
        os.chmod(f"{bundle}/rootfs", 0o700)
        problem = self.assert_problem(self.client.put("/v1/containers/closed", {"sandbox": web, "bundle": bundle}),
                                      "failed_precondition", "may not enter", "rootfs")
        self.assertIn(f"{OWN}:{OWN}", problem["fix"])

    def test_a_terminal_and_fifos(self):
        web = self.sandbox(namespaces=MAPPED)
        out = self.folder / "out"
        os.mkfifo(out)
        reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        self.mapped(web, ["sh", "-c", "tty; id -u; while :; do sleep 1000; done"], "app", process={"terminal": True},
                    stdio={"stdout": f"fifo:{out}"})
        text = b""

        def told():
            nonlocal text
            try:
                text += os.read(reader, 4096)
            except BlockingIOError:
                pass
            return b"0\r\n" in text
        wait_for(told)
        os.close(reader)
        self.assertIn(b"/dev/", text)
        status, body, code = self.client.exec("app", "tty", tty="true")
        self.assertEqual((status, code), (200, 0), body)

    def test_what_is_refused(self):
        refuse = lambda namespaces, code, *words, **fields: self.assert_problem(
            self.client.put("/v1/sandboxes/no", {"cgroupParent": self.daemon.parent, "namespaces": namespaces, **fields}), code, *words)
        for kind in ("net", "ipc", "uts"):
            refuse({**MAPPED, kind: "host"}, "invalid_argument", f"/namespaces/{kind}", "wholly inside")
        refuse({**MAPPED, "net": {"path": "/proc/self/ns/net"}}, "invalid_argument", "/proc/self/ns/net", "wholly inside")
        refuse({"user": {"path": "/proc/self/ns/user"}}, "invalid_argument", "host's user namespace")
        refuse({"user": {"path": "/proc/self/ns/net"}}, "invalid_argument", "not a user namespace")
        refuse({"user": "old"}, "invalid_argument", "/namespaces/user", "uidMappings")
        refuse({"user": {}}, "invalid_argument", "/namespaces/user/uidMappings", "/namespaces/user/gidMappings")
        refuse({"user": {"uidMappings": MAPS}}, "invalid_argument", "/namespaces/user/gidMappings: is missing")
        refuse({"user": {"uidMappings": MAPS, "gidMappings": MAPS, "path": "/x"}}, "unknown_field", "'uidMappings'")
        refuse(MAPPED, "invalid_argument", "/pidMode", "node", pidMode="node")
        good = {"containerID": 0, "hostID": OWN, "size": 10}
        for wrong, word in (([], "no id 0"), ([{**good, "containerID": 1}], "no id 0"), ([{**good, "hostID": 0}], "host's id 0"),
                            ([good, good], "overlaps"), ([{**good, "size": 0}], "/0/size"),
                            ([{**good, "hostID": 4294967290}], "beyond"), ([{**good, "hostID": -1}], "/0/hostID"),
                            ([{**good, "size": 1.5}], "/0/size"), ([{"containerID": 0}], "/0/hostID"),
                            ([{**good, "name": 1}], "'name'"), ({}, "array")):
            with self.subTest(wrong=wrong):
                code = "unknown_field" if word == "'name'" else "invalid_argument"
                refuse({"user": {"uidMappings": wrong, "gidMappings": MAPS}}, code, word)
        self.assertEqual(self.client.get("/v1/sandboxes/no").status, 404)

    def test_containers_are_inside_or_refused(self):
        web = self.sandbox(namespaces=MAPPED)
        problem = self.mapped(web, LOOP, "node", pidMode="node", status=400).json
        self.assertEqual(problem["code"], "invalid_argument")
        self.assertIn("node", problem["detail"])

        def with_user(maps, path=None):
            def change(config):
                config["linux"]["namespaces"].append({"type": "user", **({"path": path} if path else {})})
                if maps:
                    config["linux"].update(uidMappings=maps, gidMappings=maps)
            return change
        own = self.client.get("/v1/sandboxes/" + web).json["namespaces"]["user"]["path"]
        for number, change in enumerate((with_user(MAPS), with_user(None), with_user(None, own))):
            self.mapped(web, LOOP, f"same{number}", change=change)
        for change in (with_user(block(0)), with_user(None, "/proc/self/ns/user")):
            problem = self.mapped(web, LOOP, "other", change=change, status=400).json
            self.assertEqual(problem["code"], "invalid_spec", problem)
        outside = self.sandbox()
        problem = self.mapped(outside, LOOP, "other", change=with_user(MAPS), status=400).json
        self.assertIn("wholly inside", json.dumps(problem))

    def test_a_user_namespace_by_path(self):
        holder = subprocess.Popen(["unshare", "--user", "--net", "sleep", "1000"])
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        folder = pathlib.Path(f"/proc/{holder.pid}")
        wait_for(lambda: (folder / "comm").read_text() == "sleep\n")
        path = {"path": str(folder / "ns/user")}
        body = {"cgroupParent": self.daemon.parent, "namespaces": {"user": path}}
        self.assert_problem(self.client.put("/v1/sandboxes/no", body), "failed_precondition", "maps no id 0")
        for name in ("uid_map", "gid_map"):
            (folder / name).write_text(f"0 {OWN} 100\n")
        web = self.sandbox(namespaces={"user": path, "net": {"path": str(folder / "ns/net")}}, pidMode="pod")
        made = self.client.get("/v1/sandboxes/" + web).json
        self.assertEqual(made["uidMappings"], [{"containerID": 0, "hostID": OWN, "size": 100}])
        self.assertEqual((inode(made["pid"], "user"), inode(made["pid"], "net")),
                         (os.stat(folder / "ns/user").st_ino, os.stat(folder / "ns/net").st_ino))
        self.assertEqual(ids(made["pid"])[0], OWN + 99)
        app = self.mapped(web, LOOP, "app")
        self.assertEqual(ids(app["pid"]), [OWN] * 4)

    def test_other_runtimes_join(self):
        web = self.sandbox(namespaces=MAPPED, pidMode="pod")
        config = bundles.spec(["true"])
        joined = self.client.post(f"/v1/sandboxes/{web}/oci", config).json["linux"]
        self.assertEqual((joined["uidMappings"], joined["gidMappings"]), (MAPS, MAPS))
        path = self.client.get("/v1/sandboxes/" + web).json["namespaces"]["user"]["path"]
        self.assertIn({"type": "user", "path": path}, joined["namespaces"])
        config["linux"].update(uidMappings=block(0), gidMappings=block(0))
        self.assert_problem(self.client.post(f"/v1/sandboxes/{web}/oci", config), "invalid_spec", "/linux/uidMappings")
        for runtime in (str(BIN / "covey-runtime"), "runc"):
            if not shutil.which(runtime):
                continue
            with self.subTest(runtime):
                bundle = pathlib.Path(bundles.make_bundle(self.folder / pathlib.Path(runtime).name, ["sh", "-c", "id -u; ps"]))
                self.give(bundle / "rootfs")
                spec = json.loads((bundle / "config.json").read_text())
                spec["linux"].pop("maskedPaths")
                (bundle / "config.json").write_bytes(self.client.post(f"/v1/sandboxes/{web}/oci", spec).body)
                run = subprocess.run([runtime, "--root", str(self.folder / "state"), "run", "-b", str(bundle), f"covey-{os.getpid()}"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                self.assertEqual(run.returncode, 0, run.stdout)
                self.assertTrue(run.stdout.startswith(b"0\n"), run.stdout)
                self.assertIn(b"/pause", run.stdout)

    def test_the_command(self):
        def covey(*words, code=0):
            run = subprocess.run([str(BIN / "covey"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**os.environ, "COVEY_SOCKET": self.daemon.socket}, timeout=60, check=False)
            self.assertEqual(run.returncode, code, run)
            return run.stdout.decode() + run.stderr.decode()
        parent = ("--cgroup-parent", self.daemon.parent)
        covey("sandbox", "create", "auto", "--userns", "new", *parent)
        covey("sandbox", "create", "own", "--uidmap", f"0:{OWN}:{BLOCK}", *parent)
        covey("sandbox", "create", "both", "--userns", "new", "--uidmap", "0:910000:10", "--gidmap", "0:920000:20", *parent)
        get = lambda name: json.loads(covey("sandbox", "inspect", name))
        self.assertEqual(get("auto")["uidMappings"], block(0))
        self.assertEqual(get("own")["gidMappings"], MAPS)
        self.assertEqual(get("both")["gidMappings"], [{"containerID": 0, "hostID": 920000, "size": 20}])
        self.assertIn("user", covey("sandbox", "ls"))
        self.assertIn("CONTAINER:HOST:SIZE", covey("sandbox", "create", "no", "--uidmap", "0:1", *parent, code=2))
        self.assertIn("needs both", covey("sandbox", "create", "no", "--gidmap", "0:1:2", *parent, code=2))
        self.assertIn("needs both", covey("sandbox", "create", "no", "--userns", "host", "--uidmap", "0:1:2", *parent, code=2))
        rootfs = bundles.make_rootfs(self.folder / "image")
        self.give(rootfs)
        self.assertEqual(covey("run", "own", "--rootfs", str(rootfs), "--rm", "--", "id", "-u"), "0\n")
        self.assertIn(f"{FIRST}:{3 * BLOCK}", covey("doctor"))


class WithoutIds(CoveyTest):
    def test_without_ids_new_is_refused_with_the_fix(self):
        with open("/etc/subuid", encoding="utf-8") as file:
            if any(line.startswith("covey:") for line in file):
                self.skipTest("covey has ids on this host")
        body = {"cgroupParent": self.daemon.parent, "namespaces": {"user": "new"}}
        problem = self.assert_problem(self.client.put("/v1/sandboxes/no", body), "failed_precondition", "/etc/subuid")
        for word in ("--userns-ids", "uidMappings"):
            self.assertIn(word, problem["fix"])


if __name__ == "__main__":
    main()
