"""Hooks: which one runs where, with what, and what happens when it fails."""
import json
import os
import signal
import time

from oci import IS_COVEY, OciTest, alive, main, only_covey, wait_for

HOOK = """#!/bin/sh
printf '%s ' "$0" "$@" > "$OUT.$NAME.argv"
cat > "$OUT.$NAME.state"
readlink /proc/self/ns/mnt > "$OUT.$NAME.mnt"
readlink /proc/self/ns/net > "$OUT.$NAME.net"
env > "$OUT.$NAME.env"
"""
KINDS = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")


class Hooks(OciTest):
    def setUp(self):
        super().setUp()
        self.script = self.folder / "hook.sh"
        self.script.write_text(HOOK, encoding="ascii")
        self.script.chmod(0o755)
        self.out = self.folder / "hook-out"

    def hook(self, name, **fields):
        return {"path": str(self.script), "args": ["hook", "one", "two"], "env": [f"NAME={name}", f"OUT={self.out}", "PATH=/bin:/usr/bin"],
                **fields}

    def shell(self, text, **fields):
        return {"path": "/bin/sh", "args": ["sh", "-c", text], "env": ["PATH=/bin:/usr/bin"], **fields}

    def result(self, name, what):
        path = self.folder / f"hook-out.{name}.{what}"
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def host(self, kind):
        return os.readlink(f"/proc/self/ns/{kind}")

    def test_every_kind_runs_once_at_its_time_and_place(self):
        def change(config):
            config["hooks"] = {kind: [self.hook(kind)] for kind in KINDS}
            config["annotations"] = {"k": "v"}
        one, pid = self.create("probe", "sleep", "forever", change=change)
        for kind in ("prestart", "createRuntime", "createContainer"):
            state = json.loads(self.result(kind, "state"))
            self.assertEqual((state["id"], state["status"], state["bundle"]), (one, "creating", str(self.folder / one)), kind)
            self.assertEqual(state["annotations"], {"k": "v"})
            self.assertGreater(state["pid"], 0)
            self.assertTrue(self.result(kind, "argv").endswith("one two"))
        for kind in ("prestart", "createRuntime"):
            self.assertEqual(self.result(kind, "mnt"), self.host("mnt"))
            self.assertEqual(self.result(kind, "net"), self.host("net"))
        self.assertEqual(self.result("createContainer", "mnt"), os.readlink(f"/proc/{pid}/ns/mnt"))
        self.assertEqual(self.result("createContainer", "net"), os.readlink(f"/proc/{pid}/ns/net"))
        if IS_COVEY:  # runc 1.1 runs it at the end of create
            self.assertIsNone(self.result("poststart", "state"))
        self.ok("start", one)
        state = json.loads(self.result("poststart", "state"))
        self.assertEqual((state["status"], state["pid"]), ("running" if IS_COVEY else "created", pid))
        self.ok("delete", "--force", one)
        state = json.loads(self.result("poststop", "state"))
        self.assertEqual((state["status"], state.get("pid", 0)), ("stopped", 0))

    def test_with_a_pid_namespace_of_its_own_the_number_is_inits(self):
        """Seen failing while hooks were given the launcher's."""
        one, pid = self.create("probe", change=lambda c: c.update(hooks={"createRuntime": [self.hook("createRuntime")]}))
        self.assertEqual(json.loads(self.result("createRuntime", "state"))["pid"], pid)
        self.ok("delete", "-f", one)

    def test_a_creation_hook_may_write_into_a_root_that_will_be_read_only(self):
        """As device hooks do, who write /etc/ld.so.cache. Seen failing while the root was read-only before them."""
        text = 'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); nsenter -t $pid -m touch ' + f"{self.rootfs}/etc/by-hook"

        def change(config):
            config["root"]["readonly"] = True
            config["hooks"] = {"createRuntime": [self.shell(text)]}
        one, _ = self.create("probe", "sleep", "forever", change=change)
        self.assertTrue((self.rootfs / "etc/by-hook").exists())
        self.ok("delete", "-f", one)

    def test_a_hook_in_the_containers_namespaces_mounts_into_its_root(self):
        """At root.path, which such a hook sees: device hooks do. Seen failing while the root was attached elsewhere."""
        text = f"mkdir {self.rootfs}/tmp/disk && mount -t tmpfs disk {self.rootfs}/tmp/disk && echo yes > {self.rootfs}/tmp/disk/there"
        one, pid = self.create("probe", "sleep", "forever",
                               change=lambda c: c.update(hooks={"createContainer": [self.shell(text)]}))
        with open(f"/proc/{pid}/root/tmp/disk/there", encoding="ascii") as file:
            self.assertEqual(file.read(), "yes\n")
        self.assertEqual(os.listdir(self.rootfs / "tmp/disk"), [])
        self.ok("delete", "-f", one)

    def test_mounts_stand_in_the_order_of_the_configuration(self):
        def change(config):
            config["mounts"] += [{"destination": f"/tmp/{name}", "type": "tmpfs", "source": "tmpfs"} for name in "ab"]
            config["hooks"] = {"createContainer": [self.shell(f"cat /proc/self/mountinfo > {self.folder}/mounts")]}
        one, _ = self.create("probe", change=change)
        targets = [line.split()[4].removeprefix(str(self.rootfs)) for line in
                   (self.folder / "mounts").read_text(encoding="utf-8").splitlines() if str(self.rootfs) in line]
        self.ok("delete", "-f", one)
        wanted = ["/proc", "/dev", "/dev/pts", "/tmp/a", "/tmp/b"]
        self.assertEqual([one for one in targets if one in wanted], wanted)

    def test_hooks_run_in_order(self):
        """Of one kind as listed; then the kinds."""
        order = self.folder / "order"
        say = lambda word: self.shell(f"echo {word} >> {order}")

        def change(config):
            config["hooks"] = {"createContainer": [say("container-1"), say("container-2")], "prestart": [say("prestart-1"), say("prestart-2")],
                               "createRuntime": [say("runtime-1"), say("runtime-2")], "poststart": [say("poststart-1"), say("poststart-2")],
                               "poststop": [say("poststop-1"), say("poststop-2")]}
        one, _ = self.start("probe", "sleep", "forever", change=change)
        self.ok("delete", "--force", one)
        self.assertEqual(order.read_text(encoding="ascii").split(),
                         [f"{kind}-{number}" for kind in ("prestart", "runtime", "container", "poststart", "poststop") for number in "12"])

    @only_covey("runc 1.1 passes its own environment on")
    def test_the_environment_is_exactly_the_hooks(self):
        self.env["SECRET"] = "x"
        one, _ = self.create("probe", change=lambda c: c.update(hooks={"createRuntime": [self.hook("createRuntime")]}))
        self.assertNotIn("SECRET", self.result("createRuntime", "env"))
        self.ok("delete", "-f", one)

    def test_the_namespaces_are_there_when_create_runtime_runs(self):
        text = f'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); readlink /proc/$pid/ns/net > {self.folder}/net'
        one, pid = self.create("probe", "sleep", "forever",
                               change=lambda c: c.update(hooks={"createRuntime": [self.shell(text)]}))
        self.assertEqual((self.folder / "net").read_text(encoding="ascii").strip(), os.readlink(f"/proc/{pid}/ns/net"))
        self.ok("delete", "-f", one)

    def test_start_container_runs_in_the_container_before_its_program(self):
        hook = {"path": "/bin/probe", "args": ["probe", "write", "/tmp/hook", "was here"]}
        (self.rootfs / "tmp/hook").write_text("", encoding="ascii")
        one, pid = self.create("probe", "read", "/tmp/hook", change=lambda c: c.update(hooks={"startContainer": [hook]}))
        self.assertEqual((self.rootfs / "tmp/hook").read_text(encoding="ascii"), "")
        self.ok("start", one)
        self.wait_exit(pid)
        self.assertEqual((self.rootfs / "tmp/hook").read_text(encoding="ascii").strip(), "was here")

    def test_a_hook_that_fails_fails_the_create_and_leaves_nothing(self):
        for kind in ("prestart", "createRuntime", "createContainer"):
            def change(config, kind=kind):
                config["hooks"] = {kind: [self.shell("echo it is broken >&2; exit 3")], "poststop": [self.hook(f"after-{kind}")]}
            one, bundle = self.bundle("probe", change=change)
            run = self.call("create", "--bundle", bundle, one)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("it is broken", run.stderr)
            if IS_COVEY:
                self.assertIn(f"{kind} hook #0", run.stderr)
            self.assertEqual(self.groups(), [])
            self.fails("does not exist", "state", one)
            self.assertEqual(json.loads(self.result(f"after-{kind}", "state"))["id"], one, kind)

    def test_start_container_that_fails_fails_the_start(self):
        hook = {"path": "/bin/probe", "args": ["probe", "exit", "4"]}
        one, pid = self.create("probe", change=lambda c: c.update(hooks={"startContainer": [hook]}))
        run = self.call("start", one)
        self.wait_exit(pid)
        if IS_COVEY:  # runc's start does not wait for it
            self.assertEqual(run.returncode, 1)
            self.assertIn("startContainer hook #0", run.stderr)
        self.assertEqual(self.status(one), "stopped")

    @only_covey("runc 1.1 runs none behind one that fails")
    def test_poststop_that_fails_is_a_warning(self):
        def change(config):
            config["hooks"] = {"poststop": [self.shell("exit 1"), self.hook("poststop")]}
        one, _ = self.start("probe", "sleep", "forever", change=change)
        run = self.ok("delete", "-f", one)
        if IS_COVEY:
            self.assertIn("warning: poststop hook #0", run.stderr)
        self.assertIsNotNone(self.result("poststop", "state"))

    @only_covey("runc 1.1 runs poststart hooks at create")
    def test_poststart_that_fails_ends_the_container(self):
        def change(config):
            config["hooks"] = {"poststart": [self.hook("before"), self.shell("echo no; exit 3"), self.hook("after")],
                               "poststop": [self.hook("poststop")]}
        one, pid = self.create("probe", "sleep", "forever", change=change)
        run = self.fails("poststart hook #1", "start", one)
        self.assertIn("no", run.stderr)
        self.assertEqual(self.wait_exit(pid), -signal.SIGKILL)
        self.assertIsNotNone(self.result("before", "state"))
        self.assertFalse((self.folder / "after").exists())
        self.assertIsNotNone(self.result("poststop", "state"))
        self.fails("does not exist", "state", one)

    @only_covey("runc 1.1 runs poststart hooks at create")
    def test_poststart_that_fails_in_the_foreground(self):
        one, bundle = self.bundle("probe", "sleep", "forever", change=lambda c: c.update(hooks={
            "poststart": [self.shell("exit 3")], "poststop": [self.hook("poststop")]}))
        self.fails("poststart hook #0", "run", "--bundle", bundle, one)
        self.assertIsNotNone(self.result("poststop", "state"))
        self.fails("does not exist", "state", one)

    @only_covey("runc 1.1 runs poststart hooks at create")
    def test_poststart_that_hangs_ends_the_container(self):
        one, pid = self.create("probe", "sleep", "forever", change=lambda c: c.update(hooks={
            "poststart": [self.shell("sleep 1000", timeout=1)]}))
        self.fails("timeout of 1 s", "start", one)
        self.assertEqual(self.wait_exit(pid), -signal.SIGKILL)
        self.fails("does not exist", "state", one)

    @only_covey("runc 1.1 waits for the end of the output, and so for the children")
    def test_a_hook_that_hangs_is_killed_with_its_children(self):
        text = f"sleep 1000 & echo $! > {self.folder}/child; sleep 1000"
        one, bundle = self.bundle("probe", change=lambda c: c.update(hooks={"createRuntime": [self.shell(text, timeout=1)]}))
        start = time.monotonic()
        run = self.call("create", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1)
        self.assertLess(time.monotonic() - start, 8)
        child = int((self.folder / "child").read_text(encoding="ascii"))
        self.assertIn("timeout of 1 s", run.stderr)
        wait_for(lambda: not alive(child), what="the end of the hook's child")

    def test_a_hook_that_does_not_read_or_prints_much(self):
        one, _ = self.create("probe", change=lambda c: c.update(hooks={"createRuntime": [
            self.shell("exec <&-; dd if=/dev/zero bs=65536 count=64 2>/dev/null")]}))
        self.ok("delete", "-f", one)


if __name__ == "__main__":
    main()
