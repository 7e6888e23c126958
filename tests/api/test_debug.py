"""Debuggers: POST /v1/sandboxes/{id}/debug and `covey debug`, on pods that were not made for it."""
import json
import os
import pathlib
import pty
import shutil
import subprocess
import time

import bundles
import helpers
from covey_client import BIN, CoveyTest, main, wait_for

SYS_PTRACE, SYS_ADMIN, CHOWN = 1 << 19, 1 << 21, 1 << 0
DEFAULT = sum(1 << number for number in (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31))


class DebugTest(CoveyTest):
    def setUp(self):
        super().setUp()
        self.tools = str(bundles.make_rootfs(self.folder / "tools"))

    def debug(self, sandbox, **fields):
        answer = self.client.post(f"/v1/sandboxes/{sandbox}/debug", {"tools": self.tools, **fields})
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(answer.json["state"], "running")
        return answer.json["id"]

    def run_in(self, container, *words, **query):
        status, body, code = self.client.exec(container, *words, **query)
        self.assertEqual(status, 200, body)
        return code, body.decode()

    def bare(self, sandbox, name, seconds, change=None, **fields):
        """An app whose root has one file and no shell."""
        bundle = pathlib.Path(bundles.make_bundle(self.folder / name, ["/sleep", str(seconds)], change))
        shutil.rmtree(bundle / "rootfs/bin")
        shutil.copy2(bundles.BUSYBOX, bundle / "rootfs/sleep")
        (bundle / "rootfs/etc/app.conf").write_text(f"of {name}\n")
        answer = self.client.put(f"/v1/containers/{name}", {"sandbox": sandbox, "bundle": str(bundle), **fields})
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(self.client.post(f"/v1/containers/{name}/start").status, 200)
        return bundle

    def is_there(self, container):
        return self.client.get(f"/v1/containers/{container}").status == 200

    def status_of(self, container, **query):
        lines = self.run_in(container, "cat", "/proc/self/status", **query)[1].splitlines()
        return {line.split(":")[0]: line.split(":")[1].split() for line in lines if ":" in line}


class Looking(DebugTest):
    def test_an_app_without_a_shell_in_a_pod_made_with_no_thought_of_sharing(self):
        """Mode nested, which is the default: its processes and its files, by somebody who has tools."""
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        self.bare(sandbox, "other", 1002)
        container = self.debug(sandbox, target="app")
        seen = self.run_in(container, "ps", "-o", "args")[1]
        for line in ("/pause", "/sleep 1001", "/sleep 1002"):
            self.assertIn(line, seen)
        self.assertEqual(self.run_in(container, "cat", "/target/etc/app.conf"), (0, "of app\n"))
        # By the mount, not by SYS_PTRACE.
        without = self.debug(sandbox, target="other", capabilities={"drop": ["SYS_PTRACE"]})
        self.assertEqual(int(self.status_of(without)["CapEff"][0], 16), DEFAULT)
        self.assertEqual(self.run_in(without, "cat", "/target/etc/app.conf"), (0, "of other\n"))
        with_uid = self.debug(sandbox, target="app", profile="restricted")
        self.assertEqual(self.run_in(with_uid, "cat", "/target/etc/app.conf"), (0, "of app\n"))
        number = self.client.get("/v1/containers/app").json["podPid"]
        self.assertNotEqual(self.run_in(with_uid, "ls", f"/proc/{number}/root/")[0], 0)
        self.assertEqual(self.run_in(container, "ls", f"/proc/{number}/root/etc")[0], 0)

    def test_the_targets_root_cannot_be_changed_nor_lend_rights(self):
        sandbox = self.sandbox()
        share = lambda config: config["linux"].update(rootfsPropagation="rshared")
        bundle = self.bare(sandbox, "app", 1001, change=share)
        container = self.debug(sandbox, target="app")
        for path in ("/target/new", "/target/etc/app.conf", "/target/dev/new", "/target/tmp/new", "/target/dev/pts/new"):
            code, output = self.run_in(container, "sh", "-c", f"echo x 2>&1 >{path}")
            self.assertNotEqual(code, 0, path)
        self.assertIn("Read-only", self.run_in(container, "sh", "-c", "(echo x >/target/new) 2>&1")[1])
        self.assertEqual((bundle / "rootfs/etc/app.conf").read_text(), "of app\n")
        self.assertNotEqual(self.run_in(container, "sh", "-c", "echo x >/target/dev/null")[0], 0, "nodev")
        mounts = [line.split() for line in self.run_in(container, "cat", "/proc/self/mountinfo")[1].splitlines()]
        below = [line for line in mounts if line[4] == "/target" or line[4].startswith("/target/")]
        self.assertGreater(len(below), 3, "the target's own mounts are there too")
        for line in below:
            options = line[5].split(",")
            self.assertLessEqual({"ro", "nosuid", "nodev"}, set(options), line)
            self.assertEqual(line[6], "-", "private: nothing comes in later")
        # The tools are everybody's.
        self.assertNotEqual(self.run_in(container, "sh", "-c", "echo x >/bin/new")[0], 0)
        self.assertEqual(self.run_in(container, "sh", "-c", "echo x >/tmp/new; cat /tmp/new"), (0, "x\n"))

    def test_without_a_target_there_is_no_view(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        container = self.debug(sandbox)
        self.assertNotEqual(self.run_in(container, "ls", "/target")[0], 0)
        self.assertIn("/sleep 1001", self.run_in(container, "ps", "-o", "args")[1])
        self.assertNotIn("target", self.client.get(f"/v1/containers/{container}").json["debug"])

    def test_a_container_beside_the_pod_and_one_that_is_not_started(self):
        sandbox = self.sandbox(pidMode="container")
        self.bare(sandbox, "app", 1001)
        container = self.debug(sandbox, target="app")
        self.assertEqual(self.run_in(container, "cat", "/target/etc/app.conf"), (0, "of app\n"))
        self.assertNotIn("/sleep 1001", self.run_in(container, "ps", "-o", "args")[1])
        # Its own /proc shows it all the same, to look at.
        self.assertIn("/sleep", self.run_in(container, "cat", "/target/proc/1/cmdline")[1])
        inside = self.debug(sandbox, target="app", pidMode="target")
        self.assertIn("/sleep 1001", self.run_in(inside, "ps", "-o", "args")[1])
        waiting = self.container(sandbox, ["sleep", "1003"], start=False)
        container = self.debug(sandbox, target=waiting)
        self.assertEqual(self.run_in(container, "ls", "/target/bin/sleep")[0], 0)

    def test_private_neighbours_are_open_to_it_and_a_named_access_is_kept(self):
        sandbox = self.sandbox(pidMode="pod", access="private")
        self.bare(sandbox, "app", 1001)
        container = self.debug(sandbox, target="app")
        self.assertEqual(self.client.get(f"/v1/containers/{container}").json["access"], "open")
        self.assertIn("/sleep 1001", self.run_in(container, "ps", "-o", "args")[1])
        number = self.client.get("/v1/containers/app").json["podPid"]
        self.assertEqual(self.run_in(container, "ls", f"/proc/{number}/root/etc/app.conf")[0], 0)
        quiet = self.debug(sandbox, target="app", access="private")
        self.assertNotIn("/sleep 1001", self.run_in(quiet, "ps", "-o", "args")[1])
        self.assertEqual(self.run_in(quiet, "cat", "/target/etc/app.conf"), (0, "of app\n"))
        # Nor through the target's own /proc.
        self.assertEqual(self.run_in(quiet, "ls", "/target/proc"), (0, ""))
        self.assertIn("without what is mounted", self.client.get(f"/v1/containers/{quiet}").json["warnings"][0])
        self.assertIn("self", self.run_in(container, "ls", "/target/proc")[1])

    def test_profiles(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        sets = lambda container, **query: {name: int(self.status_of(container, **query)[name][0], 16)
                                           for name in ("CapEff", "CapPrm", "CapBnd")}
        general = self.debug(sandbox, target="app")
        self.assertEqual(set(sets(general).values()), {DEFAULT | SYS_PTRACE})
        self.assertEqual(self.status_of(general)["NoNewPrivs"], ["0"])
        user = self.debug(sandbox, target="app", profile="general", user="1000:1001")
        self.assertEqual(sets(user)["CapEff"], SYS_PTRACE)
        self.assertEqual((self.status_of(user)["Uid"][0], self.status_of(user)["Gid"][0]), ("1000", "1001"))
        restricted = self.debug(sandbox, target="app", profile="restricted")
        self.assertEqual(set(sets(restricted).values()), {0})
        status = self.status_of(restricted)
        self.assertEqual((status["NoNewPrivs"], status["Uid"][0], status["Gid"][0]), (["1"], "65532", "65532"))
        sysadmin = self.debug(sandbox, target="app", profile="sysadmin")
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            own = next(int(line.split()[1], 16) for line in file if line.startswith("CapPrm"))
        self.assertEqual(set(sets(sysadmin).values()), {own})
        self.assertTrue(own & SYS_ADMIN)
        answer = self.client.get(f"/v1/containers/{sysadmin}").json
        self.assertEqual(answer["debug"]["profile"], "sysadmin")
        chosen = self.debug(sandbox, capabilities={"add": ["NET_RAW"], "drop": ["CHOWN"]})
        self.assertEqual(sets(chosen)["CapEff"], (DEFAULT | SYS_PTRACE | 1 << 13) & ~CHOWN)


class Lifetime(DebugTest):
    def test_it_survives_the_restart_of_the_app_it_looks_at(self):
        sandbox = self.sandbox()
        bundle = self.bare(sandbox, "app", 1001)
        container = self.debug(sandbox, target="app")
        self.assertEqual(self.client.delete("/v1/containers/app?force=true").status, 204)
        self.assertEqual(self.run_in(container, "cat", "/target/etc/app.conf"), (0, "of app\n"))
        self.assertEqual(self.client.put("/v1/containers/app", {"sandbox": sandbox, "bundle": str(bundle)}).status, 201)
        self.assertEqual(self.client.post("/v1/containers/app/start").status, 200)
        self.assertIn("/sleep 1001", self.run_in(container, "ps", "-o", "args", )[1])

    def test_in_mode_target_it_ends_with_the_target(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        container = self.debug(sandbox, target="app", pidMode="target")
        seen = self.run_in(container, "ps", "-o", "pid,args")[1]
        self.assertRegex(seen, r"(?m)^ +1 /sleep 1001$")
        self.client.delete("/v1/containers/app?force=true")
        exit_record = self.client.get(f"/v1/containers/{container}/wait?timeout=10").json
        self.assertEqual((exit_record["exitCode"], exit_record["signal"]), (137, "SIGKILL"))
        self.assertIn("target 'app' ended", exit_record["reason"])

    def test_its_time_ends_it(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        since = time.monotonic()
        container = self.debug(sandbox, target="app", ttl=1.5)
        events = self.client.get("/v1/sandboxes").json["resourceVersion"]
        terms = self.client.get(f"/v1/containers/{container}").json["debug"]
        self.assertEqual({key: terms[key] for key in terms if key != "expiresAt"},
                         {"profile": "general", "tools": self.tools, "remove": False, "holds": True, "target": "app"})
        time.sleep(0.5)
        self.assertEqual(self.run_in(container, "echo", "there"), (0, "there\n"))
        self.assertTrue(self.is_there(container), "remove is false")
        wait_for(lambda: not self.is_there(container), 10, "the end of its time")
        self.assertGreaterEqual(time.monotonic() - since, 1.5)
        self.assertLess(time.monotonic() - since, 5)
        self.assertTrue(self.is_there("app"))
        self.assertGreater(self.client.get("/v1/sandboxes").json["resourceVersion"], events)

    def test_its_time_goes_on_while_coveyd_is_dead(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        since = time.monotonic()
        short = self.debug(sandbox, target="app", ttl=1)
        long = self.debug(sandbox, target="app", ttl=4)
        idle = self.debug(sandbox, target="app", ttl=3600)
        self.daemon.kill()
        time.sleep(1.2)
        self.daemon.start()
        self.warm_up()
        wait_for(lambda: not self.is_there(short), 2, "the end of what is over")
        self.assertTrue(self.is_there(long), "its time is not over")
        self.assertEqual(self.run_in(long, "cat", "/target/etc/app.conf"), (0, "of app\n"))
        wait_for(lambda: not self.is_there(long), 10, "the end of its time")
        self.assertGreaterEqual(time.monotonic() - since, 4)
        self.assertEqual(self.client.get(f"/v1/containers/{idle}").json["debug"]["holds"], True)

    def test_its_end_removes_it(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        out = self.folder / "out"
        out.touch()
        once = self.debug(sandbox, target="app", command=["cat", "/target/etc/app.conf"], stdio={"stdout": f"file:{out}"})
        wait_for(lambda: not self.is_there(once))
        self.assertEqual(out.read_text(), "of app\n")
        kept = self.debug(sandbox, command=["sh", "-c", "exit 3"], remove=False)
        self.assertEqual(self.client.get(f"/v1/containers/{kept}/wait?timeout=10").json["exitCode"], 3)
        self.assertTrue(self.is_there(kept))
        self.assertEqual(self.client.delete(f"/v1/containers/{kept}").status, 204)

    def test_one_that_holds_goes_with_its_last_exec(self):
        sandbox = self.sandbox()
        container = self.debug(sandbox, remove=True)
        self.assertIn("/covey-hold", self.client.get(f"/v1/containers/{container}").json["command"])
        first = subprocess.Popen(["curl", "-sN", "--unix-socket", self.daemon.socket, "-X", "POST",
                                  f"http://covey/v1/containers/{container}/exec?cmd=sleep&cmd=1000"])
        wait_for(lambda: any(process["command"] == ["sleep", "1000"] for process in
                             self.client.get(f"/v1/sandboxes/{sandbox}/processes").json["items"]))
        self.run_in(container, "true")
        time.sleep(0.3)
        self.assertTrue(self.is_there(container), "somebody is still in it")
        first.kill()  # as a client does that goes away
        first.wait()
        wait_for(lambda: not self.is_there(container), 5, "the end of the debugger")

    def test_rm_and_a_stopped_sandbox_end_it(self):
        sandbox = self.sandbox()
        container = self.debug(sandbox)
        self.assertEqual(self.client.delete(f"/v1/containers/{container}").status, 409)
        self.assertEqual(self.client.delete(f"/v1/containers/{container}?force=true").status, 204)
        container = self.debug(sandbox)
        self.assertEqual(self.client.post(f"/v1/sandboxes/{sandbox}/stop").status, 200)
        self.assertEqual(self.client.get(f"/v1/containers/{container}").json["state"], "stopped")
        gone = self.sandbox()
        container = self.debug(gone, remove=True)
        self.assertEqual(self.client.post(f"/v1/sandboxes/{gone}/stop").status, 200)
        wait_for(lambda: not self.is_there(container))

    def test_the_holder_does_nothing_and_can_be_stopped(self):
        sandbox = self.sandbox()
        container = self.debug(sandbox)
        self.assertEqual(self.client.post(f"/v1/containers/{container}/stop", {"timeout": 30}).json["exit"]["signal"], "SIGTERM")


class Refusals(DebugTest):
    def refused(self, sandbox, code, *words, **fields):
        before = [item["id"] for item in self.client.get("/v1/containers").json["items"]]
        answer = self.client.post(f"/v1/sandboxes/{sandbox}/debug", {"tools": self.tools, **fields})
        self.assert_problem(answer, code, *words)
        self.assertEqual([item["id"] for item in self.client.get("/v1/containers").json["items"]], before)
        return answer.json

    def test_bad_requests(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        self.refused(sandbox, "unknown_field", "did you mean 'profile'", profil="general")
        self.refused(sandbox, "invalid_argument", "did you mean 'general'", profile="generl")
        self.refused(sandbox, "invalid_argument", "/ttl", "86400", ttl=0)
        self.refused(sandbox, "invalid_argument", "/ttl", ttl=-1)
        self.refused(sandbox, "invalid_argument", "/ttl", ttl=86401)
        self.refused(sandbox, "invalid_argument", "/ttl", ttl="1h")
        self.refused(sandbox, "invalid_argument", "/pidMode", "nested", pidMode="nested")
        self.refused(sandbox, "invalid_argument", "/target", pidMode="target")
        self.refused(sandbox, "invalid_argument", "restricted", "capabilities", profile="restricted",
                     capabilities={"add": ["SYS_PTRACE"]})
        self.refused(sandbox, "invalid_argument", "root", profile="restricted", user="0")
        self.refused(sandbox, "invalid_argument", "/user", user="root")
        self.refused(sandbox, "invalid_argument", "/env/0", env=["A"])
        self.refused(sandbox, "invalid_argument", "/stdio", stdio={"stdout": "null"})
        self.refused(sandbox, "invalid_argument", "/tools", tools="tools")
        self.refused(sandbox, "invalid_argument", "container id", id="a/b")
        self.refused(sandbox, "already_exists", "app", id="app")

    def test_a_target_that_is_not_to_be_had(self):
        sandbox, other = self.sandbox(), self.sandbox()
        self.bare(other, "app", 1001)
        self.refused(sandbox, "not_found", "'app' is no container of sandbox", target="app")
        self.refused(sandbox, "not_found", "'nope'", target="nope")
        self.refused("nope", "not_found", "nope")
        ended = self.container(sandbox, ["true"])
        self.client.get(f"/v1/containers/{ended}/wait?timeout=10")
        for mode in ("pod", "target"):
            self.refused(sandbox, "failed_precondition", f"'{ended}' is stopped", target=ended, pidMode=mode)
        self.client.post(f"/v1/sandboxes/{other}/stop")
        self.refused(other, "sandbox_gone", "stopped")

    def test_tools_that_are_not_there(self):
        sandbox = self.sandbox()
        missing = str(self.folder / "none")
        self.assertIn("busybox", self.refused(sandbox, "not_found", missing, tools=missing)["fix"])
        (self.folder / "file").touch()
        self.refused(sandbox, "invalid_argument", "no folder", tools=str(self.folder / "file"))
        (self.folder / "link").symlink_to(self.tools)
        self.refused(sandbox, "invalid_argument", "symlink", tools=str(self.folder / "link"))
        self.refused(sandbox, "not_found", "nope", command=["/bin/nope"])


class ByCommand(DebugTest):
    environment = {"COVEY_DEBUG_TOOLS": "/nonexistent/tools"}

    def covey(self, *words, code=0, stdin=b"", **environment):
        run = subprocess.run([str(BIN / "covey"), *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, "COVEY_SOCKET": self.daemon.socket, **environment}, timeout=60, check=False)
        out, err = run.stdout.decode(), run.stderr.decode()
        self.assertEqual(run.returncode, code, f"covey {' '.join(words)}\n{out}{err}\n{self.daemon.log()[-2000:]}")
        return out, err

    def pod(self):
        sandbox = self.sandbox()
        self.bare(sandbox, "app", 1001)
        return sandbox

    def containers(self):
        return [item["id"] for item in self.client.get("/v1/containers").json["items"]]

    def test_output_and_exit_code(self):
        sandbox = self.pod()
        out, err = self.covey("debug", f"{sandbox}/app", "--tools", self.tools, "--", "ls", "/target")
        self.assertIn("sleep", out.split())
        self.assertEqual(err, "")
        self.assertEqual(self.containers(), ["app"], "at once, not in its time")
        out, err = self.covey("debug", f"{sandbox}/app", "--tools", self.tools, "--", "sh", "-c", "echo err >&2; exit 5", code=5)
        self.assertEqual((out, err), ("", "err\n"))
        data = os.urandom(100_000).hex().encode()
        out, _ = self.covey("debug", sandbox, "-i", "--tools", self.tools, "--", "cat", stdin=data)
        self.assertEqual(out.encode(), data)
        self.assertEqual(self.covey("debug", sandbox, "-i", "--tools", self.tools, stdin=b"echo $((6 * 7))\n")[0], "42\n")
        self.assertEqual(self.containers(), ["app"])

    def test_it_is_told_from_the_pod(self):
        sandbox = self.pod()
        self.debug(sandbox, target="app", command=["/bin/sleep", "600"], ttl=3600)
        for words in (("tree", sandbox), ("ps",)):
            out, _ = self.covey(*words)
            self.assertEqual(["debugger of app" in line for line in out.splitlines()].count(True), 1, out)
            self.assertNotIn("debugger", [line for line in out.splitlines() if line.find("/sleep 1001") >= 0][0], out)
        self.assertRegex(self.covey("tree", sandbox)[0], r"debugger of app, \d+m left")

    def test_options(self):
        sandbox = self.pod()
        shown = ["--tools", self.tools, "--", "sh", "-c"]
        out, _ = self.covey("debug", sandbox, "--profile", "restricted", "-e", "A=b c", *shown, "id -u; echo $A")
        self.assertEqual(out, "65532\nb c\n")
        out, _ = self.covey("debug", f"{sandbox}/app", "--pid", "target", "--cap-add", "NET_RAW", "-u", "7:8", *shown,
                            "id -g; ps -o pid,args | cat; cat /proc/self/status")
        self.assertTrue(out.startswith("8\n"), out)
        self.assertIn("1 /sleep 1001", out)
        self.assertIn(f"CapEff:\t{SYS_PTRACE | 1 << 13:016x}", out)
        _, err = self.covey("debug", sandbox, "--name", "mine", "--rm=false", "--ttl", "1h30m", *shown, "true")
        self.assertIn("covey exec -it mine -- sh", err)
        self.assertEqual(self.covey("exec", "mine", "--", "echo", "again")[0], "again\n")
        self.assertEqual(json.loads(self.covey("inspect", "mine")[0])["debug"]["remove"], False)
        self.covey("rm", "-f", "mine")
        self.assertEqual(self.containers(), ["app"])

    def test_a_terminal(self):
        sandbox = self.pod()
        leader, follower = pty.openpty()
        process = subprocess.Popen([str(BIN / "covey"), "debug", f"{sandbox}/app", "--tools", self.tools],
                                   env={**os.environ, "COVEY_SOCKET": self.daemon.socket},
                                   stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        os.write(leader, b"cat /target/etc/app.conf; tty; exit $((3 + 4))\n")
        text = helpers.read_to_end(leader)
        os.close(leader)
        self.assertEqual(process.wait(20), 7, text)
        self.assertIn(b"of app\r\n", text)
        self.assertIn(b"/dev/pts/", text)
        self.assertEqual(self.containers(), ["app"])

    def test_mistakes(self):
        sandbox = self.pod()
        for words, part in ((["debug", sandbox, "--profile", "sysadmn"], "did you mean 'sysadmin'"),
                            (["debug", sandbox, "--ttl", "0"], "above 0"), (["debug", sandbox, "--ttl", "1x"], "'1x' is no time"),
                            (["debug", sandbox, "--ttl", "25h"], "86400"), (["debug", sandbox, "--pid", "target"], "needs a container"),
                            (["debug", sandbox, "--pid", "node"], "'node'"), (["debug", f"{sandbox}/nope"], "'nope'"),
                            (["debug", "nope"], "nope"), (["debug", sandbox, "--tools", "/no/tools"], "/no/tools")):
            _, err = self.covey(*words[:2], "--tools", self.tools, *words[2:], "--", "true", code=125) if "--tools" not in words \
                else self.covey(*words, "--", "true", code=125)
            self.assertIn(part, err)
            self.assertIn("\n  fix: ", err)
        self.assertIn("input", self.covey("debug", sandbox, "--tools", self.tools, code=125)[1])
        self.assertIn("/bin/nope", self.covey("debug", sandbox, "--tools", self.tools, "--", "/bin/nope", code=125)[1])
        # coveyd's own folder of tools, which this host does not have.
        self.assertIn("busybox", self.covey("debug", sandbox, "--", "true", code=125)[1])
        self.assertEqual(self.containers(), ["app"])

    def test_what_curl_prints_does_the_same(self):
        sandbox = self.pod()
        lines, _ = self.covey("--curl", "debug", f"{sandbox}/app", "--tools", self.tools, "--", "cat", "/target/etc/app.conf")
        self.assertEqual(self.containers(), ["app"])
        output = subprocess.run(["sh", "-ec", lines], stdout=subprocess.PIPE, check=True, timeout=30).stdout
        self.assertIn(b"of app\n", output)
        wait_for(lambda: self.containers() == ["app"])


if __name__ == "__main__":
    main()
