"""The covey command against a real coveyd, as a person types it."""
import json
import os
import pathlib
import pty
import signal
import subprocess
import termios

import bundles
import helpers
from covey_client import BIN, CoveyTest, main, wait_for


class Ctl(CoveyTest):
    def covey(self, *words, code=0, stdin=b"", **environment):
        """Runs the command; answers (stdout, stderr) as text."""
        run = subprocess.run([str(BIN / "covey"), *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, "COVEY_SOCKET": self.daemon.socket, **environment}, timeout=60, check=False)
        out, err = run.stdout.decode(), run.stderr.decode()
        self.assertEqual(run.returncode, code, f"covey {' '.join(words)}\n{out}{err}\n{self.daemon.log()[-2000:]}")
        return out, err

    def start(self, *words, **options):
        return subprocess.Popen([str(BIN / "covey"), *words], env={**os.environ, "COVEY_SOCKET": self.daemon.socket},
                                **options)

    def pod(self):
        out, _ = self.covey("sandbox", "create", "web", "--pid", "pod", "--cgroup-parent", self.daemon.parent)
        self.assertEqual(out, "web\n")
        return str(bundles.make_rootfs(self.folder / "rootfs"))

    def run_shell(self, *options):
        rootfs = self.pod()
        self.covey("run", "web", "--name", "shell", "-d", "-i", "--rootfs", rootfs, *options, "--", "sh")
        return rootfs


class Sandboxes(Ctl):
    def test_a_sandbox_is_created_listed_stopped_and_removed(self):
        self.pod()
        table, _ = self.covey("sandbox", "ls")
        self.assertEqual(table.splitlines()[0].split(), ["SANDBOX", "STATE", "CONTAINERS", "PROCS", "SHARED", "PAUSE", "AGE"])
        self.assertEqual(table.splitlines()[1].split()[:5], ["web", "ready", "0", "1", "pid,ipc,uts,net"])
        self.assertEqual(self.covey("sandbox", "ls", "-q")[0], "web\n")
        self.assertEqual(json.loads(self.covey("sandbox", "inspect", "web")[0])["pidMode"], "pod")
        self.assertEqual(json.loads(self.covey("sandbox", "ls", "-o", "json")[0])["items"][0]["id"], "web")
        self.covey("sandbox", "rm", "web", code=1)
        self.covey("sandbox", "stop", "web")
        self.assertEqual(self.covey("sandbox", "rm", "web")[0], "web\n")
        self.assertEqual(self.covey("sandbox", "ls", "--no-headers")[0], "")

    def test_an_error_is_the_apis_detail_and_fix(self):
        _, err = self.covey("sandbox", "inspect", "nope", code=1)
        self.assertIn("covey: ", err)
        self.assertIn("nope", err)
        self.assertIn("\n  fix: ", err)
        _, err = self.covey("-v", "tree", "nope", code=1)
        self.assertIn("code: not_found", err)

    def test_what_curl_prints_does_the_same(self):
        line, _ = self.covey("sandbox", "create", "by-curl", "--cgroup-parent", self.daemon.parent, "--curl")
        self.assertEqual(self.covey("sandbox", "ls", "-q")[0], "")
        answer = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(json.loads(answer)["id"], "by-curl")


class Containers(Ctl):
    def test_home_is_the_images_for_that_user(self):
        """Seen failing: run, exec and debug had none."""
        rootfs = self.pod()
        passwd = pathlib.Path(rootfs) / "etc/passwd"
        passwd.write_text("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n", encoding="ascii")
        say = ("--", "sh", "-c", "echo $HOME")
        run = ("run", "web", "--rm", "--rootfs", rootfs)
        self.assertEqual(self.covey(*run, *say)[0], "/root\n")
        self.assertEqual(self.covey(*run, "--user", "1000", *say)[0], "/home/app\n")
        self.assertEqual(self.covey(*run, "--user", "4242", *say)[0], "/\n")
        self.covey("run", "web", "--name", "shell", "-d", "-i", "--rootfs", rootfs, "--", "cat")
        self.assertEqual(self.covey("exec", "-u", "1000", "shell", *say)[0], "/home/app\n")
        self.assertEqual(self.covey("debug", "web/shell", "--tools", rootfs, *say)[0], "/root\n")

    def test_a_working_directory_that_only_the_runtime_may_enter(self):
        """Seen failing: 403."""
        rootfs = self.pod()
        home = pathlib.Path(rootfs) / "home/app"
        home.mkdir(parents=True)
        os.chown(home, 1000, 1000)
        home.chmod(0o700)
        for mode in ("pod", "container", "nested"):
            out, _ = self.covey("run", "web", "--rm", "--pid", mode, "--rootfs", rootfs, "--user", "4242", "-w", "/home/app",
                                "--cap-drop", "DAC_OVERRIDE", "--cap-drop", "DAC_READ_SEARCH", "--", "pwd")
            self.assertEqual(out, "/home/app\n", mode)

    def test_a_container_in_the_foreground_has_its_output_and_code_here(self):
        rootfs = self.pod()
        out, err = self.covey("run", "web", "--name", "once", "--rm", "--rootfs", rootfs, "--", "sh", "-c",
                              "echo out; echo err >&2; exit 3", code=3)
        self.assertEqual((out, err), ("out\n", "err\n"))
        self.assertEqual(self.covey("ps", "-a", "-q")[0], "")

    def test_all_of_a_long_output_arrives(self):
        rootfs = self.pod()
        out, _ = self.covey("run", "web", "--rm", "--rootfs", rootfs, "--", "dd", "if=/dev/zero", "bs=65536", "count=64")
        self.assertEqual(len(out), 64 * 65536)

    def test_input_reaches_the_container_and_ends(self):
        rootfs = self.pod()
        data = os.urandom(300_000).hex().encode()
        out, _ = self.covey("run", "web", "--rm", "-i", "--rootfs", rootfs, "--", "cat", stdin=data)
        self.assertEqual(out.encode(), data)

    def test_a_signal_to_the_command_goes_to_the_container(self):
        rootfs = self.pod()
        process = self.start("run", "web", "--name", "trap", "--rootfs", rootfs, "--", "sh", "-c",
                             "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 9)
        process.stdout.close()

    def test_nothing_is_left_of_a_run_that_failed(self):
        rootfs = self.pod()
        before = set(pathlib.Path("/tmp").glob("covey-run.*"))
        _, err = self.covey("run", "web", "--name", "bad", "--rootfs", rootfs, "--", "/no/such/program", code=125)
        self.assertIn("/no/such/program", err)
        self.assertEqual(self.covey("ps", "-a", "-q")[0], "")
        self.assertEqual(set(pathlib.Path("/tmp").glob("covey-run.*")), before)

    def test_the_tree_says_pid_mode_and_access(self):
        rootfs = self.run_shell()
        self.covey("run", "web", "--name", "quiet", "-d", "--pid", "pod", "--access", "private", "--rootfs", rootfs, "--", "sleep", "1001")
        self.covey("run", "web", "--name", "one", "-d", "--pid", "nested", "--rootfs", rootfs, "--", "sleep", "1002")
        lines = self.covey("tree", "web")[0].splitlines()
        self.assertIn(", private ", next(line for line in lines if " quiet " in line))
        self.assertIn(", pid nested ", next(line for line in lines if " one " in line))
        self.assertIn("private", self.covey("run", "web", "-d", "--access", "privat", "--rootfs", rootfs, "--", "sleep", "1", code=125)[1])
        self.covey("rm", "-f", "shell", "quiet", "one")

    def test_containers_are_listed_waited_for_and_removed(self):
        rootfs = self.run_shell()
        self.covey("run", "web", "--name", "seven", "-d", "--rootfs", rootfs, "--", "sh", "-c", "exit 7")
        self.assertEqual(self.covey("wait", "web/seven", code=7)[0], "7\n")
        self.assertEqual(self.covey("ps", "-q")[0], "shell\n")
        rows = {line.split()[0]: line for line in self.covey("ps", "-a", "--no-headers")[0].splitlines()}
        self.assertIn("stopped (7)", rows["seven"])
        wide = self.covey("ps", "-o", "wide", "-s", "web")[0].splitlines()
        self.assertEqual(wide[0].split(), "CONTAINER SANDBOX ENGINE STATE PID HOSTPID STARTED ID BUNDLE USER CAPS COMMAND".split())
        self.assertIn(" root  default ", wide[1])
        self.assertIn(" covey ", wide[1])
        self.covey("rm", "shell", code=1)
        self.covey("rm", "-f", "shell", "seven")
        self.assertEqual(self.covey("ps", "-a", "-q")[0], "")

    def test_signal_0_asks_whether_it_is_there(self):
        self.run_shell()
        self.covey("kill", "-s", "0", "shell")
        _, err = self.covey("kill", "-s", "65", "shell", code=2)
        self.assertNotIn("did you mean", err)
        self.covey("kill", "-s", "KILL", "shell")
        self.covey("wait", "shell", code=137)
        self.covey("kill", "-s", "0", "shell", code=1)

    def test_kill_and_stop_end_a_container(self):
        rootfs = self.run_shell()
        self.covey("kill", "-s", "KILL", "web/shell")
        self.covey("wait", "shell", code=137)
        self.covey("run", "web", "--name", "two", "-d", "--rootfs", rootfs, "--", "sh", "-c", "trap '' TERM; sleep 60")
        self.covey("stop", "-t", "0.2", "two")
        self.assertIn("SIGKILL", self.covey("inspect", "two")[0])

    def test_a_container_is_only_found_in_its_own_sandbox(self):
        self.run_shell()
        _, err = self.covey("inspect", "db/shell", code=1)
        self.assertIn("web/shell", err)

    def test_capabilities_user_environment_and_mounts_reach_the_container(self):
        rootfs = self.pod()
        (self.folder / "data").mkdir()
        (self.folder / "data/file").write_text("here\n")
        out, _ = self.covey("run", "web", "--rm", "--rootfs", rootfs, "--user", "7:8", "-e", "A=b", "-w", "/tmp",
                            "--mount", f"src={self.folder}/data,dst=/mnt,ro", "--read-only", "--", "sh", "-c",
                            "id -u; id -g; echo $A; pwd; cat /mnt/file; echo x 2>/dev/null >/mnt/new || echo denied")
        self.assertEqual(out, "7\n8\nb\n/tmp\nhere\ndenied\n")

    def test_the_default_seccomp_profile_and_how_to_choose_another(self):
        rootfs = self.pod()
        unshare = "busybox unshare -U true 2>/dev/null && echo yes || echo no"

        def says(*options):
            return self.covey("run", "web", "--rm", "--rootfs", rootfs, *options, "--", "sh", "-c", unshare)[0]

        for mode in ("pod", "nested", "container"):
            self.assertEqual(says("--pid", mode), "no\n")
            self.assertEqual(says("--pid", mode, "--security-opt", "seccomp=unconfined"), "yes\n")
        self.assertEqual(says("--cap-add", "SYS_ADMIN"), "yes\n")
        profile = self.folder / "profile.json"
        profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"}]}')
        self.assertEqual(says("--security-opt", f"seccomp={profile}"), "yes\n")
        for name, options in (("default", ()), ("unconfined", ("--security-opt", "seccomp=unconfined")),
                              (str(profile), ("--security-opt", f"seccomp={profile}"))):
            self.covey("run", "web", "--name", "one", "-d", "--rootfs", rootfs, *options, "--", "sleep", "1000")
            self.assertEqual(json.loads(self.covey("inspect", "one")[0])["seccomp"], name)
            self.assertEqual(json.loads(self.covey("inspect", "one")[0])["warnings"], [])
            self.covey("rm", "-f", "one")
        self.assertIn("seccomp=FILE", self.covey("run", "web", "--rootfs", rootfs, "--security-opt", "x", "--", "true", code=125)[1])

    def test_a_bundle_runs_as_it_is(self):
        self.pod()
        bundle = bundles.make_bundle(self.folder / "bundle", ["sh", "-c", "echo bundled"])
        self.assertEqual(self.covey("run", "web", "--rm", "--bundle", bundle)[0], "bundled\n")


class Streams(Ctl):
    """The caller's own streams: closed, without a reader, full."""

    def shell(self, line, seconds=20):
        """A shell's line with the command as "$COVEY"; answers its status, output and errors."""
        env = {**os.environ, "COVEY_SOCKET": self.daemon.socket, "COVEY": str(BIN / "covey")}
        run = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                             timeout=seconds, check=False)
        return run.returncode, run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")

    def test_a_closed_input_is_one_that_has_ended(self):
        rootfs = self.run_shell()
        self.assertEqual(self.shell('"$COVEY" exec -i shell -- cat <&-'), (0, "", ""))
        self.assertEqual(self.shell(f'"$COVEY" run web -i --rm --rootfs {rootfs} -- cat <&-'), (0, "", ""))
        self.assertEqual(self.shell('"$COVEY" exec -i shell -- sh -c "cat; exit 7" <&- >&- 2>&-')[0], 7)

    def test_no_output_goes_to_what_is_internal(self):
        """Eight bytes would be taken by an eventfd, seven refused."""
        self.run_shell()
        for closed in (">&-", "2>&-", ">&- 2>&-"):
            for text in ("12345678", "1234567"):
                status, out, err = self.shell(f'"$COVEY" exec shell -- sh -c "printf {text}; printf {text} >&2; exit 5" {closed}')
                self.assertEqual(status, 5, (closed, text, err))
                self.assertEqual(out + err, "" if " " in closed else text)

    def test_the_container_of_a_reader_that_goes_away_ends(self):
        rootfs = self.pod()
        run = f'"$COVEY" run web --name z --rm --rootfs {rootfs} --'
        for program in ("yes", "sh -c 'echo y; sleep 1; while echo y; do :; done'"):
            status, out, _ = self.shell(f"set -o pipefail; {run} {program} | head -n 1")
            self.assertEqual((status, out), (141, "y\n"))
            self.assertEqual(self.covey("ps", "-a", "-q")[0], "")

    def test_a_finite_output_and_a_reader_that_goes_away(self):
        rootfs = self.pod()
        program = 'sh -c "echo 1; sleep 1; echo 2; echo 3"'
        status, out, _ = self.shell(f'set -o pipefail; "$COVEY" run web --rm --rootfs {rootfs} -- {program} | head -n 1')
        self.assertEqual((status, out), (141, "1\n"))
        self.assertEqual(self.covey("ps", "-a", "-q")[0], "")

    def test_an_error_stream_without_a_reader(self):
        rootfs = self.pod()
        status, out, _ = self.shell(f'set -o pipefail; "$COVEY" run web --rm --rootfs {rootfs} -- sh -c "yes >&2" 2>&1 >/dev/null | head -n 1')
        self.assertEqual((status, out), (141, "y\n"))

    def test_a_full_disk_below_the_output_is_said(self):
        rootfs = self.pod()
        for program in ("echo hi", "yes"):
            status, _, err = self.shell(f'"$COVEY" run web --rm --rootfs {rootfs} -- {program} >/dev/full')
            self.assertEqual(status, 125)
            self.assertIn("write the output of the container", err)
            self.assertIn("No space left", err)
            self.assertEqual(self.covey("ps", "-a", "-q")[0], "")
        self.covey("run", "web", "--name", "shell", "-d", "-i", "--rootfs", rootfs, "--", "sh")
        self.assertEqual(self.shell('"$COVEY" exec shell -- echo hi >/dev/full')[0], 125)

    def test_signals_and_timers_of_the_caller_mean_nothing(self):
        self.run_shell()
        line = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); signal.signal(signal.SIGPIPE, signal.SIG_IGN); " \
               "signal.alarm(1); signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); os.execv(sys.argv[1], sys.argv[1:])"
        self.assertEqual(self.shell(f'python3 -c "{line}" "$COVEY" exec shell -- sh -c "sleep 2; exit 6"')[0], 6)
        self.assertEqual(self.shell(f'set -o pipefail; python3 -c "{line}" "$COVEY" exec shell -- yes | head -n 1')[0], 141)


class Inside(Ctl):
    def test_exec_keeps_streams_apart_and_returns_the_code(self):
        self.run_shell()
        out, err = self.covey("exec", "web/shell", "--", "sh", "-c", "echo out; echo err >&2; exit 5", code=5)
        self.assertEqual((out, err), ("out\n", "err\n"))
        self.covey("exec", "shell", "--", "sh", "-c", "kill -9 $$", code=137)

    def test_exec_carries_input_both_ways_at_once(self):
        self.run_shell()
        data = os.urandom(1_000_000).hex().encode()
        out, _ = self.covey("exec", "-i", "shell", "--", "cat", stdin=data)
        self.assertEqual(out.encode(), data)
        self.assertEqual(self.covey("exec", "shell", "--", "cat")[0], "", "without -i there is no input")

    def test_exec_takes_user_environment_folder_and_capability(self):
        self.run_shell()
        out, _ = self.covey("exec", "-u", "5:6", "-e", "A=b c", "-w", "/tmp", "shell", "--", "sh", "-c",
                            "id -u; id -g; echo \"$A\"; pwd")
        self.assertEqual(out, "5\n6\nb c\n/tmp\n")

    def test_exec_that_cannot_run_says_why(self):
        self.run_shell()
        _, err = self.covey("exec", "shell", "--", "/no/such/program", code=125)
        self.assertIn("/no/such/program", err)
        self.covey("exec", "nope", "--", "true", code=125)

    def test_exec_with_a_terminal_has_one(self):
        self.run_shell()
        leader, follower = pty.openpty()
        process = self.start("exec", "-it", "shell", "--", "sh", "-c", "test -t 0 && test -t 1 && echo a terminal; exit 4",
                             stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        text = helpers.read_to_end(leader)
        os.close(leader)
        self.assertEqual(process.wait(20), 4)
        self.assertIn(b"a terminal", text)

    def test_the_terminal_of_an_exec_keeps_the_size_of_ours(self):
        self.run_shell()
        leader, follower = pty.openpty()
        termios.tcsetwinsize(leader, (24, 80))
        process = self.start("exec", "-it", "shell", "--", "sh", "-c",
                             "trap 'stty size; exit 4' WINCH; stty size; while true; do sleep 0.05; done",
                             stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
        os.close(follower)
        shown = b""
        while b"24 80" not in shown:
            shown += os.read(leader, 4096)
        termios.tcsetwinsize(leader, (43, 132))
        process.send_signal(signal.SIGWINCH)  # ours is no controlling terminal, for which the kernel would
        shown = helpers.read_to_end(leader)
        os.close(leader)
        self.assertEqual(process.wait(20), 4)
        self.assertIn(b"43 132", shown)

    def test_the_tree_shows_pause_containers_and_execs(self):
        self.run_shell("--cap-add", "SYS_PTRACE")
        sleeper = self.start("exec", "shell", "--", "sleep", "30")
        lines = wait_for(lambda: [text for text in [self.covey("tree", "web")[0]] if "sleep 30  (exec)" in text], 10)[0].splitlines()
        self.assertTrue(lines[0].startswith("web  ready "), lines)
        self.assertEqual(lines[1].split(), ["PID", "HOSTPID", "USER", "S", "RSS", "CAPS", "COMMAND"])
        self.assertRegex(lines[2], r"^├─ \(pause\) +1 +\d+  65535 .* –  +/pause$")
        self.assertRegex(lines[3], r"^└─ shell  running \d+s +\d+ +\d+  root .*\+SYS_PTRACE  sh$")
        self.assertRegex(lines[4], r"sleep 30  \(exec\)$")
        sleeper.kill()
        sleeper.wait()
        both = json.loads(self.covey("tree", "-o", "json")[0])["items"][0]
        self.assertEqual(both["sandbox"]["id"], "web")
        self.assertEqual(both["processes"]["items"][0]["podPid"], 1)


class Daemons(Ctl):
    def test_events_tell_what_happened_and_what_happens(self):
        self.run_shell()
        types = [line.split()[2] for line in self.covey("events", "-s", "web")[0].splitlines()]
        self.assertEqual([t for t in types if not t.startswith("exec")],
                         ["sandbox.created", "sandbox.ready", "container.created", "container.started"])
        newest = json.loads(self.covey("events", "-o", "json")[0].splitlines()[-1])["seq"]
        follower = self.start("events", "-f", "--since", str(newest), stdout=subprocess.PIPE)
        self.covey("kill", "-s", "9", "shell")
        self.assertIn(b"container.exited", follower.stdout.readline())
        follower.terminate()
        follower.wait(10)
        follower.stdout.close()

    def test_version_and_doctor_ask_the_daemon(self):
        out, _ = self.covey("version")
        self.assertRegex(out, r"^covey +\S+\ncoveyd \S+ +api ")
        run = subprocess.run([str(BIN / "covey"), "doctor"], stdout=subprocess.PIPE, check=False,
                             env={**os.environ, "COVEY_SOCKET": self.daemon.socket})
        self.assertIn(run.returncode, (0, 1))
        self.assertRegex(run.stdout.decode(), r"^ok    coveyd +answers at ")

    def test_without_a_daemon_the_command_says_how_to_start_one(self):
        for words in (["ps"], ["sandbox", "create", "x"], ["events"]):
            _, err = self.covey(*words, code=1, COVEY_SOCKET=str(self.folder / "none"))
            self.assertIn("cannot reach coveyd at ", err)
            self.assertIn("sudo coveyd", err)
        out, _ = self.covey("doctor", code=1, COVEY_SOCKET=str(self.folder / "none"))
        self.assertRegex(out, r"(?m)^ok    kernel")

    def test_mistakes_name_the_nearest_word(self):
        self.assertIn("did you mean 'run'?", self.covey("runn", code=2)[1])
        self.assertIn("did you mean '--sandbox'?", self.covey("ps", "--sandbx", "x", code=2)[1])
        self.assertIn("did you mean 'json'?", self.covey("ps", "-o", "jsn", code=2)[1])
        self.assertIn("one word too many", self.covey("ps", "x", code=2)[1])
        self.assertIn("put -- before", self.covey("exec", "c", "ls", "-l", code=2)[1])


if __name__ == "__main__":
    main()
