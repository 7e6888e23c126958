"""Bad input: a clear error, exit status 1, nothing left; and the command killed at every stage."""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from oci import IS_COVEY, RUNTIME, OciTest, main, only_covey, wait_for


class BadInput(OciTest):
    def refused(self, text, one, bundle, *flags):
        run = self.call("create", "--bundle", bundle, *flags, one)
        self.assertEqual(run.returncode, 1, (run.stdout, run.stderr))
        if IS_COVEY:
            self.assertIn(text, run.stderr)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
            self.assertNotRegex(run.stderr.lower(), "no such file or directory|operation not permitted|permission denied")
        self.assertEqual(self.groups(), [])
        states = os.listdir(self.root) if os.path.isdir(self.root) else []
        self.assertEqual(states, [])

    def test_a_bundle_without_configuration(self):
        one, bundle = self.bundle("probe")
        os.unlink(f"{bundle}/config.json")
        self.refused("config.json", one, bundle)

    def test_a_bundle_that_is_not_there(self):
        self.refused("bundle", "x", str(self.folder / "nothing"))

    @only_covey("runc reads any size")
    def test_a_configuration_of_16_mib(self):
        one, bundle = self.bundle("probe", change=lambda c: c.update(annotations={"a": "x" * (16 << 20)}))
        self.refused("larger than", one, bundle)

    def test_a_configuration_that_is_not_utf8_or_not_json(self):
        for text in (b'{"ociVersion": "1.0.2\xff"}', b"{", b"[]", b""):
            one, bundle = self.bundle("probe")
            pathlib.Path(bundle, "config.json").write_bytes(text)
            self.refused("config.json", one, bundle)

    def test_ids(self):
        _, bundle = self.bundle("probe")
        for bad in ("a/b", "..", ".", "a b", "", "x\n", "ä"):
            self.refused("invalid container id", bad, bundle)
        self.refused("invalid container id", "x" * 300, bundle)

    def test_a_rootfs_that_is_missing(self):
        one, bundle = self.bundle("probe", change=lambda c: c["root"].update(path="/not/there"))
        self.refused("/not/there", one, bundle)

    def test_a_mount_target_that_climbs_out(self):
        target = self.folder / "outside"
        target.mkdir()
        (self.rootfs / "escape").symlink_to(target)
        one, bundle = self.bundle("probe", "ls", "/escape", change=lambda c: c["mounts"].append(
            {"destination": "/escape/in", "type": "tmpfs", "source": "tmpfs"}))
        self.call("run", "--bundle", bundle, one)
        self.assertEqual(list(target.iterdir()), [])

    def test_a_sysctl_outside_its_namespace(self):
        one, bundle = self.bundle("probe", change=lambda c: c["linux"].update(sysctl={"kernel.panic": "1"}))
        self.refused("kernel.panic", one, bundle)

    @unittest.skipIf(" - resctrl " in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8"), "the host has resctrl")
    @only_covey("runc's words differ")
    def test_intel_rdt_on_a_host_without_it(self):
        for wanted in ({}, {"closID": "gold"}, {"l3CacheSchema": "L3:0=f"}, {"enableCMT": True}):
            one, bundle = self.bundle("probe", change=lambda c, rdt=wanted: c["linux"].update(intelRdt=rdt))
            self.refused("linux.intelRdt: no resctrl filesystem is mounted", one, bundle)

    @only_covey("runc warns about the one and calls the other by its number")
    def test_unknown_names_offer_the_nearest(self):
        one, bundle = self.bundle("probe", change=lambda c: c["process"]["capabilities"].update(bounding=["CAP_CHWON"]))
        self.refused("CAP_CHOWN", one, bundle)
        one, bundle = self.bundle("probe", rlimits=[{"type": "RLIMIT_NOFILES", "soft": 1, "hard": 1}])
        self.refused("RLIMIT_NOFILE", one, bundle)

    def test_another_file_at_a_devices_path(self):
        device = {"path": "/etc/not-a-program", "type": "c", "major": 1, "minor": 3}
        one, bundle = self.bundle("probe", change=lambda c: c["linux"].update(devices=[device]))
        self.refused("/etc/not-a-program", one, bundle)
        self.assertEqual((self.rootfs / "etc/not-a-program").read_text(encoding="ascii"), "text\n")

    @only_covey("runc's words differ")
    def test_a_capability_that_the_caller_does_not_hold(self):
        sets = {kind: ["CAP_SYS_RESOURCE"] for kind in ("bounding", "effective", "permitted")}
        one, bundle = self.bundle("probe", capabilities=sets)
        run = subprocess.run(["setpriv", "--bounding-set=-sys_resource", RUNTIME, "--root", self.root, "create", "--bundle", bundle, one], env=self.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"CAP_SYS_RESOURCE", run.stderr)
        self.assertEqual(self.groups(), [])

    def test_a_limit_that_may_not_be_raised(self):
        one, bundle = self.bundle("probe", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1 << 30, "hard": 1 << 30}])
        self.refused("the hard limit here is", one, bundle)

    @only_covey("runc finds out too late: it leaves the container")
    @only_covey("runc writes below its v1 group and says ENOENT")
    def test_a_unified_value_of_a_controller_that_is_v1s(self):
        """It is mounted: to mount it is no remedy."""
        if not pathlib.Path("/sys/fs/cgroup/memory").is_dir():
            self.skipTest("memory is v2's here")
        one, bundle = self.bundle("probe", change=lambda c: c["linux"].update(resources={"unified": {"memory.min": "0"}}))
        run = self.fails("cgroup v2", "create", "--bundle", bundle, one)
        self.assertIn("memory.min", run.stderr)
        self.assertNotIn("mount -t", run.stderr)

    @only_covey("runc's state folder is another")
    def test_the_state_of_what_is_being_made(self):
        """A create has made its folder and not yet written its intent: --force would destroy what it makes."""
        folder = pathlib.Path(self.root, "new")
        folder.mkdir(mode=0o700, parents=True)
        os.chmod(self.root, 0o700)
        with open(folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run = self.fails("is being created", "state", "new")
            self.assertNotIn("--force", run.stderr)
        self.assertIn("--force", self.fails("cannot be read", "state", "new").stderr)
        self.ok("delete", "--force", "new")

    def test_a_pid_file_in_a_folder_that_is_not_there(self):
        one, bundle = self.bundle("probe")
        self.refused("--pid-file", one, bundle, "--pid-file", str(self.folder / "no/pid"))

    @only_covey("runc does not look")
    def test_annotations_of_coveys_own_are_never_passed_over(self):
        one, bundle = self.bundle("probe", change=lambda c: c.update(annotations={"covey.dev/pid": "pod"}))
        self.refused("covey.dev/pid", one, bundle)

    @only_covey("runc 1.1 passes over them")
    def test_preserved_descriptors_that_are_not_open(self):
        one, bundle = self.bundle("probe")
        self.refused("descriptor 3 is not open", one, bundle, "--preserve-fds", "1")

    @only_covey("runc has no such limit")
    def test_a_full_state_folder(self):
        os.mkdir(self.root, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=4,mode=700", "tmpfs", self.root], check=True)
        try:
            one, bundle = self.bundle("probe")
            self.refused("ENOSPC", one, bundle)
        finally:
            subprocess.run(["umount", self.root], check=True)

    @only_covey("runc's state is its own")
    def test_a_half_written_record_is_said_and_force_removes_it(self):
        one, _ = self.create("probe", "sleep", "forever")
        self.ok("delete", "--force", one)
        os.makedirs(f"{self.root}/{one}", 0o700)
        pathlib.Path(self.root, one, "record.json").write_text('{"schema":1,"bo', encoding="ascii")
        for command in ("state", "start", "delete", "kill"):
            self.fails("cannot be read", command, one)
        self.assertIn("cannot be read", self.ok("list").stderr)
        self.assertIn("were left as they are", self.ok("delete", "--force", one).stderr)

    @only_covey("runc 1.1 leaves the cgroup: its state was not written yet")
    def test_the_command_killed_while_a_hook_runs(self):
        hang = {"path": "/bin/sh", "args": ["sh", "-c", f"echo $$ > {self.folder}/hook; exec sleep 1000"], "env": ["PATH=/bin"]}
        one, bundle = self.bundle("probe", change=lambda c: c.update(hooks={"createRuntime": [hang]}))
        run = subprocess.Popen([RUNTIME, "--root", self.root, "create", "--bundle", bundle, one], env=self.env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: (self.folder / "hook").exists() and (self.folder / "hook").read_text(), what="the hook")
        run.kill()
        run.wait()
        os.kill(int((self.folder / "hook").read_text(encoding="ascii")), signal.SIGKILL)
        self.ok("delete", "--force", one)

    @only_covey("runc 1.1 leaves what its state does not know")
    def test_the_command_killed_at_any_time(self):
        for step in range(40):
            one, bundle = self.bundle("probe", "sleep", "forever")
            run = subprocess.Popen([RUNTIME, "--root", self.root, "run", "-d", "--bundle", bundle, one], env=self.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(step * 0.0007)
            run.kill()
            run.wait()
            self.ok("delete", "--force", one)
            self.assertEqual(self.groups(), [], step)

    @only_covey("named steps are ours")
    def test_every_step_that_fails_leaves_nothing(self):
        for step in ("runtime.intent", "runtime.cgroup", "runtime.clone", "runtime.record", "launch.read", "launch.open",
                     "launch.cgroup", "launch.namespaces", "launch.build", "launch.mount", "launch.pivot", "launch.drop",
                     "launch.clone", "launch.prepared", "launch.cut", "init.start"):
            one, bundle = self.bundle("probe", "sleep", "forever")
            self.env["COVEY_FAIL_AT"] = step
            run = self.call("create", "--bundle", bundle, one)
            del self.env["COVEY_FAIL_AT"]
            self.assertEqual(run.returncode, 1, step)
            self.assertIn("injected fault", run.stderr, step)
            self.assertEqual((self.groups(), os.listdir(self.root)), ([], []), step)


if __name__ == "__main__":
    main()
