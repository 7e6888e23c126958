"""The process as images and engines expect it: HOME from the image's passwd(5), a working directory that only the
runtime may enter, an environment that is a map, a seccomp profile that allows no more than other runtimes need. Each was
seen failing before; what runc 1.1 fails too says so."""
import functools
import json
import os
import signal
import stat
import time

from oci import OciTest, give_to_mapped_root, main, mapped, namespace, only_covey

PASSWD = "root:x:0:0:root:/root:/bin/sh\nbroken line\napp:x:1000:1000:An App:/home/app:/bin/sh\nempty:x:7:7:::\n"


class Process(OciTest):
    def state_of_run(self, change=None, **process):
        return json.loads(self.output("probe", "state", change=change, **process))

    def process_file(self, *args, **process):
        path = self.folder / f"process{time.monotonic_ns()}.json"
        base = {"user": {"uid": 0, "gid": 0}, "args": list(args), "env": ["PATH=/bin"], "cwd": "/", **process}
        path.write_text(json.dumps({key: value for key, value in base.items() if value is not None}), encoding="utf-8")
        return str(path)


def variable(state, name):
    return [entry.partition("=")[2] for entry in state["env"] if entry.startswith(name + "=")]


class Home(Process):
    def setUp(self):
        super().setUp()
        self.passwd = self.rootfs / "etc/passwd"
        self.passwd.write_text(PASSWD, encoding="ascii")

    def home(self, uid=0, env=()):
        return variable(self.state_of_run(user={"uid": uid, "gid": 0}, env=["PATH=/bin", *env]), "HOME")

    def test_of_the_uid_in_the_containers_database(self):
        self.assertEqual([self.home(uid) for uid in (0, 1000, 4242)], [["/root"], ["/home/app"], ["/"]])

    def test_one_that_is_set_stays_an_empty_one_does_not(self):
        self.assertEqual((self.home(env=["HOME=/elsewhere"]), self.home(env=["HOME="])), (["/elsewhere"], ["/root"]))

    def test_of_an_exec_by_its_own_uid(self):
        one, _ = self.start("probe", "sleep", "forever")
        of = lambda *flags: variable(json.loads(self.ok("exec", *flags, one, *([] if "-p" in flags else ["probe", "state"])).stdout), "HOME")
        self.assertEqual(of(), ["/root"])
        self.assertEqual(of("--user", "1000"), ["/home/app"])
        self.assertEqual(of("--user", "1000", "--env", "HOME=/set"), ["/set"])
        self.assertEqual(of("-p", self.process_file("/bin/probe", "state", env=None)), ["/root"])

    def test_without_a_database(self):
        self.passwd.unlink()
        self.assertEqual(self.home(1000), ["/"])

    def test_the_database_behind_a_link_within_the_root(self):
        self.passwd.rename(self.rootfs / "etc/users")
        self.passwd.symlink_to("/etc/users")
        self.assertEqual(self.home(1000), ["/home/app"])

    def test_never_the_hosts(self):
        (self.folder / "passwd").write_text("host:x:0:0::/of-the-host:/bin/sh\n", encoding="ascii")
        self.passwd.unlink()
        self.passwd.symlink_to("../" * 20 + str(self.folder).lstrip("/") + "/passwd")
        self.assertEqual(self.home(), ["/"])

    @only_covey("runc hangs at a FIFO, and at a device that never ends")
    def test_what_is_no_regular_file_costs_nothing(self):
        made = {"fifo": lambda: os.mkfifo(self.passwd), "zero": lambda: os.mknod(self.passwd, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
                "folder": self.passwd.mkdir, "procfs": lambda: self.passwd.symlink_to("/proc/kmsg")}
        for name, make in made.items():
            if self.passwd.is_symlink() or not self.passwd.is_dir():
                self.passwd.unlink(missing_ok=True)
            begin = time.monotonic()
            make()
            self.assertEqual(self.home(), ["/"], name)
            self.assertLess(time.monotonic() - begin, 5, name)
            if self.passwd.is_dir() and not self.passwd.is_symlink():
                self.passwd.rmdir()

    @only_covey("runc reads it to its end")
    def test_of_a_huge_file_the_first_part_counts(self):
        with open(self.passwd, "a", encoding="ascii") as file:
            file.truncate(1 << 40)
        begin = time.monotonic()
        self.assertEqual((self.home(), self.home(9)), (["/root"], ["/"]))
        self.assertLess(time.monotonic() - begin, 10)

    @only_covey("runc passes them on")
    def test_no_control_characters_get_into_the_environment(self):
        self.passwd.write_bytes(b"root:x:0:0::/a\x00b:/bin/sh\nother:x:5:5::/a\x1b[2J:/bin/sh\nempty:x:7:7:::\n")
        self.assertEqual([self.home(uid) for uid in (0, 5, 7)], [["/"], ["/"], ["/"]])


class WorkingDirectory(Process):
    def setUp(self):
        super().setUp()
        self.home = self.rootfs / "home/app"
        self.home.mkdir(parents=True)
        os.chown(self.home, 1000, 1000)
        self.home.chmod(0o700)

    def test_one_that_only_the_runtime_may_enter(self):
        for uid in (4242, 0):
            state = self.state_of_run(cwd="/home/app", user={"uid": uid, "gid": uid}, capabilities={})
            self.assertEqual((state["uid"], state["cwd"], state["caps"]["effective"]), (uid, "/home/app", "0" * 16))

    def test_of_an_exec(self):
        one, _ = self.start("probe", "sleep", "forever", cwd="/home/app", user={"uid": 1000, "gid": 1000}, capabilities={})
        for user in ("0:0", "4242:4242", "1000:1000"):
            self.assertEqual(json.loads(self.ok("exec", "--user", user, one, "probe", "state").stdout)["cwd"], "/home/app")
        self.assertEqual(json.loads(self.ok("exec", "--cwd", "/home/app", "--user", "7:7", one, "probe", "state").stdout)["cwd"], "/home/app")
        run = self.call("exec", "--cwd", "/missing", one, "probe", "state")
        self.assertEqual(run.returncode, 255, run.stderr)
        self.assertIn("/missing", run.stderr)

    def test_one_that_only_the_user_may_enter(self):
        """Of a group that is mapped and an owner that is not: root of the user namespace is locked out, its user is not."""
        change = functools.partial(mapped, size=5000)
        os.chown(self.home, 0, 101000)
        self.home.chmod(0o070)
        give_to_mapped_root(self.rootfs, but=(self.home,))
        state = self.state_of_run(change, cwd="/home/app", user={"uid": 1000, "gid": 1000}, capabilities={})
        self.assertEqual(state["cwd"], "/home/app")
        one, bundle = self.bundle("probe", "state", change=change, cwd="/home/app", user={"uid": 1001, "gid": 1001}, capabilities={})
        run = self.call("run", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn("/home/app", run.stderr)

    @only_covey("runc 1.1 names the folder in other words")
    def test_a_link_of_proc_is_not_followed_with_the_runtimes_rights(self):
        one, _ = self.start("probe", "sleep", "forever")
        (self.rootfs / "home/link").symlink_to("/proc/1/root/home/app")
        self.fails("working directory /home/link is outside the root", "exec", "--cwd", "/home/link", one, "probe", "state", status=255)


class Environment(Process):
    def test_a_name_stands_once_and_the_last_counts(self):
        state = self.state_of_run(env=["PATH=/nope", "A=1", "A=2", "PATH=/bin", "B=", "B=x"])
        self.assertEqual([variable(state, name) for name in ("PATH", "A", "B")], [["/bin"], ["2"], ["x"]])

    def test_of_an_exec_with_a_process_file(self):
        one, _ = self.start("probe", "sleep", "forever")
        file = self.process_file("probe", "state", env=["PATH=/bin", "Z=1", "ZZ=0", "Z=2"])
        state = json.loads(self.ok("exec", "-p", file, one).stdout)
        self.assertEqual((variable(state, "Z"), variable(state, "ZZ")), (["2"], ["0"]))

    def hook_environment(self, env):
        seen = self.folder / "seen"
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"tr '\\0' '\\n' < /proc/$$/environ > {seen}"], **env}
        one, _ = self.create("probe", change=lambda config: config.update(hooks={"createRuntime": [hook]}))
        self.ok("delete", "-f", one)
        return seen.read_text(encoding="ascii").split()

    @only_covey("runc passes them on as they are")
    def test_of_a_hook(self):
        self.assertEqual(self.hook_environment({"env": ["PATH=/usr/bin", "A=1", "A=2", "PATH=/bin:/usr/bin"]}), ["A=2", "PATH=/bin:/usr/bin"])

    @only_covey("runc gives it its own environment")
    def test_a_hook_that_names_none_has_a_path(self):
        self.env["SECRET"] = "x"
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.assertEqual((self.hook_environment({}), self.hook_environment({"env": []})), ([path], [path]))


# What runc and crun make behind a filter that is loaded before the cut, and what the probe makes itself.
JUST_ENOUGH = ["prctl", "setgroups", "setresgid", "setresuid", "capset", "capget", "getuid", "geteuid", "getgid", "getegid",
               "clone", "clone3", "sendmsg", "read", "write", "setsid", "dup3", "close", "fcntl", "execve", "exit_group",
               "arch_prctl", "brk", "mmap", "munmap", "mprotect", "getrandom", "newfstatat", "fstat", "prlimit64", "readlink", "rseq",
               "set_robust_list", "set_tid_address", "futex", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "getpid", "gettid",
               "sched_yield", "sigaltstack", "epoll_pwait", "epoll_ctl", "openat", "ioctl", "nanosleep",
               "clock_nanosleep", "pause", "tgkill"]


class Filter(Process):
    def profile(self, names, default="SCMP_ACT_KILL_PROCESS", **more):
        def change(config):
            config["linux"]["seccomp"] = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"],
                                          "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}], **more}
        return change

    def without(self, *names):
        return [name for name in JUST_ENOUGH if name not in names]

    @only_covey("which calls Go's run time makes besides is another list")
    def test_umask_and_chdir_are_not_called_behind_it(self):
        for more in ({}, {"user": {"uid": 1000, "gid": 1000, "umask": 63}, "cwd": "/tmp"}):
            for no_new_privs in (False, True):
                self.assertEqual(self.output("probe", "echo", "hi", change=self.profile(JUST_ENOUGH), noNewPrivileges=no_new_privs, **more),
                                 "hi\n")
        one, _ = self.start("probe", "sleep", "forever", change=self.profile(JUST_ENOUGH), noNewPrivileges=False)
        self.assertEqual(self.ok("exec", one, "probe", "echo", "hi").stdout, "hi\n")

    def test_a_program_that_it_does_not_let_begin(self):
        one, bundle = self.bundle("probe", "echo", "hi", change=self.profile(self.without("execve")), noNewPrivileges=True)
        run = self.call("run", "--bundle", bundle, one)
        self.assertEqual((run.returncode, run.stdout), (128 + signal.SIGSYS, ""), run.stderr)

    @only_covey("runc 1.1 says EOF")
    def test_who_is_killed_by_it_is_told_so(self):
        _, pid = self.start("probe", "sleep", "forever")

        def joins(config):  # then it is the launcher that is killed, else init
            self.profile(self.without("capset"))(config)
            namespace(config, "pid", f"/proc/{pid}/ns/pid")
        for change in (self.profile(self.without("capset")), joins):
            one, bundle = self.bundle("probe", change=change, noNewPrivileges=False)
            self.assertIn("seccomp", self.fails("SIGSYS", "create", "--bundle", bundle, one).stderr)

    @only_covey("runc 1.1 has other words")
    def test_a_call_that_is_refused_names_the_step(self):
        one, bundle = self.bundle("probe", change=self.profile(self.without("setresgid"), "SCMP_ACT_ERRNO", defaultErrnoRet=38),
                                  noNewPrivileges=False)
        self.fails("set gid 0", "create", "--bundle", bundle, one)

    def test_a_start_container_hook_is_under_it(self):
        """With no_new_privs as well, where it is loaded last."""
        for no_new_privs in (True, False):
            def change(config):
                config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
                config["hooks"] = {"startContainer": [{"path": "/bin/probe", "args": ["probe", "mkdir", "/tmp/by-hook"]}]}
            one, pid = self.create("probe", change=change, noNewPrivileges=no_new_privs)
            self.call("start", one)
            self.wait_exit(pid)
            self.assertFalse((self.rootfs / "tmp/by-hook").exists(), f"noNewPrivileges {no_new_privs}")


@only_covey("the words are Covey's")
class Messages(Process):
    def refused(self, *args, change=None, **process):
        one, bundle = self.bundle(*args, change=change, **process)
        run = self.call("create", "--bundle", bundle, one)
        self.assertEqual(run.returncode, 1, run.stdout)
        return run.stderr

    def test_an_absolute_path_that_is_not_there(self):
        text = self.refused("/nope")
        self.assertIn('exec "/nope": executable file not found in $PATH', text)  # engines look for these words
        self.assertIn("there is no such file", text)
        self.assertNotIn("there is no such file", self.refused("nope"))

    def test_a_memory_limit_that_is_too_low(self):
        for limit in (4096, 100_000):
            def change(config, limit=limit):
                config["linux"]["resources"] = {"memory": {"limit": limit}}
            text = self.refused("probe", change=change)
            self.assertRegex(text, "memory.limit", limit)
            self.assertNotIn("without a word", text)

    def test_an_id_without_a_mapping(self):
        give_to_mapped_root(self.rootfs)
        self.assertIn("uid 70000: it has no mapping in the user namespace",
                      self.refused("probe", change=mapped, user={"uid": 70000, "gid": 0}))
        self.assertIn("gid 70000: it has no mapping in the user namespace",
                      self.refused("probe", change=mapped, user={"uid": 0, "gid": 70000}))

    def test_a_limit_that_leaves_no_descriptors(self):
        limit = lambda count: [{"type": "RLIMIT_NOFILE", "soft": count, "hard": count}]
        self.assertIn("RLIMIT_NOFILE 0", self.refused("probe", rlimits=limit(0)))
        self.assertIn("RLIMIT_NOFILE 2", self.refused("probe", rlimits=limit(2)))


if __name__ == "__main__":
    main()
