"""Mounts as real images and engines have them: mount points that are symlinks to nothing, a read-only tmpfs with mounts in
it, a /dev of the host's; and options that are longer than fsconfig(2) takes as text. Each was seen failing before; what
runc 1.1 fails too says so."""
import json
import os
import shutil
import subprocess

from oci import IS_COVEY, ConsoleSocket, OciTest, give_to_mapped_root, main, mapped, namespace, only_covey, read_to_end, wait_for


class LongOptions(OciTest):
    def overlay(self, lower, upper=None):
        def change(config):
            options = ["lowerdir=" + ":".join(str(one).replace(":", "\\:") for one in lower)]
            if upper:
                work = upper.parent / "work"
                work.mkdir()
                options += [f"upperdir={upper}", f"workdir={work}"]
            config["mounts"].append({"destination": "/tmp", "type": "overlay", "source": "overlay", "options": options})
        return change

    def layers(self, count, name="layer"):
        made = []
        for number in range(count):
            folder = self.folder / f"{name}{number}"
            folder.mkdir()
            (folder / f"file{number}").write_text(str(number), encoding="ascii")
            made.append(folder)
        return made

    def names(self, change):
        return self.output("probe", "ls", "/tmp", change=change).strip("[]\n").replace('"', "").split(",")

    def test_many_lower_folders(self):
        self.assertEqual(sorted(self.names(self.overlay(self.layers(20)))), sorted(f"file{n}" for n in range(20)))

    def test_a_name_with_a_colon(self):
        self.assertEqual(len(self.names(self.overlay(self.layers(12, "with:colon")))), 12)

    def test_paths_that_are_too_long_themselves(self):
        deep = self.folder / ("d" * 150) / ("e" * 150)
        upper = deep / "upper"
        upper.mkdir(parents=True)
        (deep / "lower").mkdir()
        (deep / "lower/of-lower").write_text("x", encoding="ascii")
        (upper / "of-upper").write_text("x", encoding="ascii")
        self.assertEqual(sorted(self.names(self.overlay([deep / "lower"], upper))), ["of-lower", "of-upper"])

    @only_covey("runc passes what the page holds")
    def test_what_the_kernel_cannot_take_is_named(self):
        def change(config):
            config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=" + "1" * 300]})
        one, bundle = self.bundle("probe", change=change)
        self.fails("mount option size", "create", "--bundle", bundle, one)


class Mounts(OciTest):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "source"
        self.source.mkdir()
        (self.source / "file").write_text("of the source\n", encoding="ascii")

    def bind(self, destination, source=None, options=("rbind",)):
        return {"destination": destination, "type": "bind", "source": str(source or self.source / "file"), "options": list(options)}

    def tmpfs(self, destination, *options):
        return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}

    def seen(self, *words, mounts, change=None, **process):
        """What the probe prints with these mounts behind the usual ones."""
        def changed(config):
            config["mounts"] += mounts
            if change:
                change(config)
        return self.output("probe", *words, change=changed, **process)

    def refused(self, mounts, *words, **process):
        one, bundle = self.bundle(*(words or ("probe", "state")), change=lambda config: config["mounts"].extend(mounts), **process)
        run = self.call("create", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1, run.stdout)
        return run.stderr

    def mode(self, path, *mounts):
        return json.loads(self.seen("stat", path, mounts=list(mounts)))["mode"][-4:]


class DanglingLinks(Mounts):
    """Seen failing: ENOENT."""

    def test_a_file_on_a_link_to_nothing(self):
        for number, (target, real) in enumerate({"../run/systemd/resolve/stub-resolv.conf": "run/systemd/resolve/stub-resolv.conf",
                                                 "/run/absolute": "run/absolute", "beside": "etc/beside",
                                                 "../../../../../run/above": "run/above"}.items()):
            link = self.rootfs / f"etc/link{number}"
            link.symlink_to(target)
            self.assertEqual(self.seen("read", f"/etc/link{number}", mounts=[self.bind(f"/etc/link{number}")]).strip(), "of the source")
            self.assertEqual(self.seen("read", "/" + real, mounts=[self.bind(f"/etc/link{number}")]).strip(), "of the source")
            self.assertTrue(link.is_symlink())
            self.assertTrue((self.rootfs / real).is_file(), target)

    def test_a_folder(self):
        (self.rootfs / "data").symlink_to("var/lib/data")
        self.assertIn("file", self.seen("ls", "/data", mounts=[self.bind("/data", self.source)]))
        self.assertTrue((self.rootfs / "var/lib/data").is_dir())

    @only_covey("runc 1.1 says EEXIST")
    def test_the_working_directory(self):
        (self.rootfs / "work").symlink_to("/srv/work")
        self.assertEqual(json.loads(self.output("probe", "state", cwd="/work"))["cwd"], "/srv/work")
        self.assertTrue((self.rootfs / "srv/work").is_dir())

    def test_links_to_links_and_on_the_way(self):
        (self.rootfs / "etc/a").symlink_to("b")
        (self.rootfs / "etc/b").symlink_to("/opt/c")
        (self.rootfs / "opt").symlink_to("usr/opt")
        self.assertEqual(self.seen("read", "/etc/a", mounts=[self.bind("/etc/a")]).strip(), "of the source")
        self.assertTrue((self.rootfs / "usr/opt/c").is_file())

    def test_into_an_earlier_mount(self):
        (self.rootfs / "etc/resolv.conf").symlink_to("../run/resolve/resolv.conf")
        (self.rootfs / "run").mkdir()
        text = self.seen("read", "/run/resolve/resolv.conf", mounts=[self.tmpfs("/run"), self.bind("/etc/resolv.conf")])
        self.assertEqual(text.strip(), "of the source")
        self.assertEqual(list((self.rootfs / "run").iterdir()), [])

    def test_never_outside(self):
        outside = self.folder / "outside"
        (self.rootfs / "etc/up").symlink_to("../" * 30 + str(outside).lstrip("/"))
        (self.rootfs / "etc/absolute").symlink_to(outside)
        for name in ("up", "absolute"):
            self.seen("read", f"/etc/{name}", mounts=[self.bind(f"/etc/{name}")])
        self.assertFalse(outside.exists())
        self.assertTrue((self.rootfs / str(outside).lstrip("/")).exists())

    @only_covey("the words are Covey's")
    def test_a_loop_is_refused(self):
        (self.rootfs / "etc/a").symlink_to("b/x")
        (self.rootfs / "etc/b").symlink_to("a")
        self.assertIn("ELOOP", self.refused([self.bind("/etc/a")]))


class Tmpfs(Mounts):
    def test_read_only_after_what_is_mounted_in_it(self):
        mounts = [self.tmpfs("/mnt", "ro"), self.bind("/mnt/etc", self.source), self.bind("/mnt/secrets/f"), self.tmpfs("/mnt/own")]
        text = self.seen("ls", "/mnt/etc", "--", "read", "/mnt/secrets/f", "--", "write", "/mnt/x", "y", "--", "write", "/mnt/own/x", "y",
                         mounts=mounts).split("\n")
        self.assertEqual([line for line in text if line], ['["file"]', "of the source", "EROFS", "ok"])

    def test_a_read_only_dev_has_its_devices(self):
        def change(config):
            config["mounts"][1]["options"].append("ro")
        text = self.seen("write", "/dev/null", "y", "--", "write", "/dev/x", "y", "--", "stat", "/dev/zero", mounts=[], change=change)
        self.assertEqual([json.loads(line)["minor"] if line.startswith("{") else line for line in text.split()], ["ok", "EROFS", 5])

    def test_the_mode_of_the_folder_is_kept(self):
        for mode in (0o700, 0o750, 0o2775, 0o1777):
            folder = self.rootfs / f"m{mode:o}"
            folder.mkdir()
            folder.chmod(mode)
            self.assertEqual(self.mode(f"/m{mode:o}", self.tmpfs(f"/m{mode:o}", "nosuid", "nodev")), f"{mode:04o}")

    def test_a_mode_that_is_named_counts_and_a_new_folder_has_the_kernels(self):
        (self.rootfs / "priv").mkdir(mode=0o700)
        if IS_COVEY:  # runc 1.1 takes the folder's all the same
            self.assertEqual(self.mode("/priv", self.tmpfs("/priv", "mode=711")), "0711")
        self.assertEqual(self.mode("/priv", self.tmpfs("/priv", "tmpcopyup")), "0700")
        self.assertEqual(self.mode("/new", self.tmpfs("/new")), "1777")

    def test_the_mode_of_what_an_earlier_mount_has_there(self):
        (self.source / "closed").mkdir(mode=0o700)
        self.assertEqual(self.mode("/data/closed", self.bind("/data", self.source), self.tmpfs("/data/closed")), "0700")


class HostsDev(Mounts):
    """Engines leave their own mounts below /dev out when a user brings a /dev along."""

    def device_rules(self, config):
        config["linux"]["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}

    def tty(self, mounts, words=("tty",)):
        def change(config):
            config["mounts"] = [config["mounts"][0], *mounts]
            self.device_rules(config)
        one, bundle = self.bundle("probe", *words, change=change, terminal=True)
        console = ConsoleSocket(self.folder, f"{one}.sock")
        run = self.call("create", "--bundle", bundle, "--console-socket", console.path, one)
        if run.returncode != 0:
            console.socket.close()
            return run.stderr
        master = console.take()
        self.ok("start", one)
        if words[0] == "tty":
            text = read_to_end(master).decode()
            os.close(master)
            return json.loads(text)
        return one, master

    def setUp(self):
        super().setUp()
        self.before = sorted(os.listdir("/dev"))
        self.addCleanup(lambda: self.assertEqual(sorted(os.listdir("/dev")), self.before))

    def test_a_terminal_on_the_hosts_devpts(self):
        shown = self.tty([self.bind("/dev", "/dev")])
        self.assertTrue(shown["tty"])
        self.assertRegex(shown["name"], "^/dev/pts/[0-9]+$")

    def test_the_hosts_devpts_in_a_tmpfs(self):
        shown = self.tty([self.tmpfs("/dev", "mode=755"), self.bind("/dev/pts", "/dev/pts")])
        self.assertTrue(shown["tty"])

    def test_an_exec_with_a_terminal(self):
        one, master = self.tty([self.bind("/dev", "/dev")], words=("sleep", "forever"))
        console = ConsoleSocket(self.folder, "exec.sock")
        pid_file = self.folder / "exec.pid"
        self.ok("exec", "-d", "-t", "--pid-file", str(pid_file), "--console-socket", console.path, one, "probe", "tty")
        second = console.take()
        self.assertTrue(json.loads(read_to_end(second).decode())["tty"])
        os.close(second)
        self.wait_exit(int(pid_file.read_text(encoding="ascii")))
        self.ok("delete", "-f", one)
        os.close(master)

    @only_covey("the words are Covey's")
    def test_a_dev_without_a_devpts_is_refused_by_name(self):
        self.assertIn("/dev/pts in the container is not a devpts", self.tty([self.bind("/dev", "/dev", ["bind"])]))
        self.assertIn("/process/terminal", self.tty([self.tmpfs("/dev", "mode=755")]))

    def points(self, *options):
        one, master = self.tty([self.bind("/dev", "/dev", options)], words=("sleep", "forever"))
        lines = self.ok("exec", one, "probe", "mounts").stdout.split("\n")
        self.ok("delete", "-f", one)
        os.close(master)
        return [json.loads(line)["mountPoint"] for line in lines if line]

    def test_it_is_the_console_too(self):
        self.assertIn("/dev/console", self.points("rbind"))

    @only_covey("runc mounts it all the same")
    def test_nothing_is_mounted_on_a_shared_dev(self):
        """It would go back to the host."""
        points = self.points("rbind", "rshared")
        self.assertIn("/dev", points)
        self.assertNotIn("/dev/console", points)


class Binds(Mounts):
    def test_a_source_that_an_earlier_mount_has_filled(self):
        """Seen failing: the empty folder below the mount was bound, or ENOENT."""
        for name in ("mnt", "views"):
            (self.rootfs / name).mkdir()
        first = self.bind("/mnt", self.source)
        self.assertIn("file", self.seen("ls", "/views", mounts=[first, self.bind("/views", self.rootfs / "mnt")]))
        self.assertEqual(self.seen("read", "/views/f", mounts=[first, self.bind("/views/f", self.rootfs / "mnt/file")]).strip(), "of the source")
        text = self.seen("ls", "/views/mnt", mounts=[first, self.bind("/views", self.rootfs)])
        self.assertIn("file", text)

    def test_a_source_in_the_root_that_nothing_covers(self):
        (self.rootfs / "tmp/own").write_text("own", encoding="ascii")
        self.assertEqual(self.seen("read", "/views/own", mounts=[self.bind("/views", self.rootfs / "tmp")]).strip(), "own")

    @only_covey("runc follows a link of the image out of the root")
    def test_such_a_source_stays_in_the_root(self):
        (self.rootfs / "mnt").mkdir()
        (self.source / "out").symlink_to(self.folder)
        mounts = [self.bind("/mnt", self.source), self.bind("/views", self.rootfs / "mnt/out")]
        self.assertIn("/mnt/out leads out of what is mounted at /mnt", self.refused(mounts))

    def test_nothing_is_made_in_a_read_only_bind(self):
        """It may be anybody's: unlike a tmpfs it is read-only at once."""
        one, bundle = self.bundle("probe", change=lambda config: config["mounts"].extend(
            [self.bind("/data", self.source, ["rbind", "ro"]), self.tmpfs("/data/new")]))
        self.assertEqual(self.call("create", "--bundle", bundle, one).returncode, 1)
        self.assertFalse((self.source / "new").exists())

    @only_covey("the words are Covey's")
    def test_a_file_on_a_folder_and_a_folder_on_a_file(self):
        self.assertIn("is a file, and that is a folder", self.refused([self.bind("/etc")]))
        self.assertIn("is a folder, and that is a file", self.refused([self.bind("/etc/not-a-program", self.source)]))
        self.assertIn("is a folder, and that is a file", self.refused([self.tmpfs("/etc/not-a-program/x")]))

    @only_covey("the words are Covey's")
    def test_a_program_on_a_mount_without_exec(self):
        shutil.copy2(self.rootfs / "bin/probe", self.source / "probe")
        one, bundle = self.bundle("/data/probe", change=lambda config: config["mounts"].append(
            self.bind("/data", self.source, ["bind", "noexec"])))
        self.assertIn("noexec", self.call("run", "--bundle", bundle, one).stderr)

    @only_covey("runc mounts it twice")
    def test_a_masked_path_that_stands_twice(self):
        def change(config):
            config["linux"]["maskedPaths"] = ["/proc/keys", "/proc/keys", "/proc//keys"]
        lines = self.seen("mounts", mounts=[], change=change).split("\n")
        self.assertEqual([json.loads(line)["mountPoint"] for line in lines if line].count("/proc/keys"), 1)


class IdMaps(Mounts):
    @only_covey("runc 1.1 has no idmap")
    def test_without_maps_of_its_own_those_of_a_joined_user_namespace(self):
        give_to_mapped_root(self.rootfs)
        _, pid = self.start("probe", "sleep", "forever", change=mapped)

        def joins(config):
            config["linux"]["namespaces"].append({"type": "user", "path": f"/proc/{pid}/ns/user"})
        mounts = [self.bind("/data", self.source, ["bind", "idmap"])]
        shown = json.loads(self.seen("stat", "/data/file", mounts=mounts, change=joins))
        self.assertEqual((shown["uid"], shown["gid"]), (0, 0))
        self.assertIn("ok", self.seen("write", "/data/file", "by the container", mounts=mounts, change=joins))
        os.chown(self.source / "file", 5, 6)
        shown = json.loads(self.seen("stat", "/data/file", mounts=mounts, change=joins))
        self.assertEqual((shown["uid"], shown["gid"]), (5, 6))


class WithoutPivot(Mounts):
    """While the host's whole procfs is in the mount namespace, the kernel lets a tenant have one without a mask."""
    MAY_MAP_ROOT = ["CAP_SETFCAP", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT", "CAP_MKNOD"]

    def own_proc(self, *flags):
        capabilities = {name: self.MAY_MAP_ROOT for name in ("bounding", "effective", "permitted")}
        one, bundle = self.bundle("probe", "own-proc", "/tmp", "stat", "/tmp/keys", capabilities=capabilities, noNewPrivileges=False)
        return self.call("run", *flags, "--bundle", bundle, one)

    def test_no_second_procfs_without_masks(self):
        for flags in ((), ("--no-pivot",)):
            run = self.own_proc(*flags)
            self.assertEqual((run.returncode, run.stdout.strip()), (1, "EPERM"), flags)

    def test_the_hosts_own_mounts_stay(self):
        before = self.hosts_mounts()
        self.own_proc("--no-pivot")
        self.assertEqual(self.hosts_mounts(), before)

    def hosts_mounts(self):
        """Without those of a coveyd that is tested beside."""
        with open("/proc/self/mountinfo", encoding="ascii") as file:
            return [line for line in file if not line.split()[4].startswith("/tmp/covey-api")]

    @only_covey("runc unmounts them there")
    def test_not_in_a_mount_namespace_that_others_are_in(self):
        """Theirs would go."""
        other = subprocess.Popen(["unshare", "-m", "sleep", "1000"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        path = f"/proc/{other.pid}/ns/mnt"
        wait_for(lambda: os.readlink(path) != os.readlink("/proc/self/ns/mnt"), what="its namespace")
        one, bundle = self.bundle("probe", change=lambda config: namespace(config, "mount", path))
        self.fails("in a mount namespace that others are in", "create", "--no-pivot", "--bundle", bundle, one)
        self.assertTrue(os.path.exists(f"/proc/{other.pid}/root/proc/1"))

    def test_it_runs_in_every_mode(self):
        def hosts(config):
            config["linux"]["namespaces"] = [one for one in config["linux"]["namespaces"] if one["type"] != "pid"]
        for change in (None, hosts, mapped):
            if change is mapped:
                give_to_mapped_root(self.rootfs)
            one, bundle = self.bundle("probe", "echo", "hi", change=change)
            self.assertEqual(self.ok("run", "--no-pivot", "--bundle", bundle, one).stdout, "hi\n")


if __name__ == "__main__":
    main()
