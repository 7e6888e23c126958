"""Containers that engines make through covey-runtime: shown with their engine, never owned, never believed blindly."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import bundles
from covey_client import BIN, CoveyTest, main, wait_for


class Engines(CoveyTest):
    def setUp(self):
        super().setUp()
        self.root = str(self.folder / "containerd/k8s.io")
        self.made = []

    def tearDown(self):
        for name in self.made:
            self.runtime("delete", "--force", name)
        super().tearDown()

    def runtime(self, *words, code=0, root=None):
        # A file, not a pipe: the container's init holds its caller's streams.
        with tempfile.TemporaryFile() as said:
            run = subprocess.run([str(BIN / "covey-runtime"), "--root", root or self.root, *words],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, timeout=60, check=False,
                                 env={**os.environ, "COVEY_REGISTRY": self.daemon.registry})
            said.seek(0)
            self.assertEqual(run.returncode, code, said.read().decode())

    def create(self, name, annotations=None):
        def change(config):
            config["annotations"] = annotations or {}
            config["linux"]["cgroupsPath"] = f"{self.daemon.parent}/{name}"
        bundle = bundles.make_bundle(self.folder / name, ["sleep", "1000"], change)
        self.runtime("create", "--bundle", bundle, name)
        self.made.append(name)
        return name

    def delete(self, name):
        self.runtime("delete", "--force", name)
        self.made.remove(name)

    def listed(self, query=""):
        return {item["id"]: item for item in self.client.get("/v1/containers" + query).json["items"]}

    def events(self, since):
        """Of engines' containers, after `since`."""
        found = []
        run = subprocess.run(["curl", "-sN", "-m", "1", "--unix-socket", self.daemon.socket,
                              f"http://covey/v1/events?since={since}"], stdout=subprocess.PIPE, check=False)
        for line in run.stdout.splitlines():
            event = json.loads(line)
            if event["type"].startswith("engine."):
                found.append((event["type"], event["container"]))
        return found

    def covey(self, *words, code=0):
        run = subprocess.run([str(BIN / "covey"), *words], env={**os.environ, "COVEY_SOCKET": self.daemon.socket},
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(run.returncode, code, run.stderr.decode())
        return run.stdout.decode(), run.stderr.decode()

    def test_a_containers_life_is_seen_and_told(self):
        since = self.client.get("/v1/containers").json["resourceVersion"]
        self.create("one", {"io.kubernetes.cri.sandbox-id": "pod1", "io.kubernetes.cri.container-name": "app"})
        one = wait_for(lambda: self.listed().get("one"), 5, "the container in the list")
        self.assertEqual((one["engine"], one["sandbox"], one["name"], one["state"], one["root"]),
                         ("containerd", "pod1", "app", "created", self.root))
        self.runtime("start", "one")
        wait_for(lambda: self.listed()["one"]["command"] == ["sleep", "1000"], 5, "its command")
        self.assertEqual(self.client.get("/v1/containers/one").json["state"], "running")
        self.runtime("pause", "one")
        self.assertEqual(list(self.listed("?state=paused")), ["one"])
        self.runtime("resume", "one")
        self.runtime("kill", "one", "KILL")
        wait_for(lambda: self.listed()["one"]["state"] == "stopped", 5, "its end")
        self.assertEqual(self.listed()["one"]["pid"], 0)
        self.delete("one")
        wait_for(lambda: not self.listed(), 5, "its removal")
        self.assertEqual(self.events(since), [(f"engine.{what}", "one") for what in
                                              ("created", "started", "exited", "deleted")])

    def test_the_engine_is_told_by_annotations_or_else_by_the_root(self):
        for name, annotations, engine in (("p", {"io.container.manager": "libpod", "io.kubernetes.cri-o.SandboxID": "x"}, "podman"),
                                          ("c", {"io.kubernetes.cri-o.Name": "c"}, "cri-o"),
                                          ("o", {}, "oci")):
            self.root = str(self.folder / "elsewhere")
            self.create(name, annotations)
            self.assertEqual(wait_for(lambda n=name: self.listed().get(n), 5, name)["engine"], engine)
        self.assertEqual(list(self.listed("?engine=podman")), ["p"])
        self.assertEqual(self.listed("?engine=covey"), {})
        self.assert_problem(self.client.get("/v1/containers?engine=podmann"), "invalid_argument", "podman")
        for name in ("p", "c", "o"):
            self.delete(name)
        # The command line's word counts first: annotations may be a tenant's.
        self.root = str(self.folder / "containerd/k8s.io")
        self.create("r", {"io.container.manager": "libpod"})
        self.assertEqual(wait_for(lambda: self.listed().get("r"), 5, "r")["engine"], "containerd")

    def test_annotations_are_shown_as_text_or_not_at_all(self):
        """Seen before: a container with two engines' keys was shown in the pod that its author named."""
        own = {"io.kubernetes.cri-o.SandboxID": "own", "io.kubernetes.cri-o.ContainerType": "container"}
        for name, annotations in (("two", {**own, "io.kubernetes.cri.sandbox-id": "victim"}),
                                  ("escape", {"io.kubernetes.cri.sandbox-id": "a\x1b[2Jb", "io.kubernetes.cri.container-name": "x\ny"}),
                                  ("long", {"io.kubernetes.cri.sandbox-id": "p" * 300, "io.kubernetes.cri.container-name": "n" * 100_000})):
            self.create(name, annotations)
            shown = wait_for(lambda n=name: self.listed().get(n), 5, name)
            self.assertEqual((shown["sandbox"], shown["name"]), ("", ""), name)

    def test_what_would_change_it_is_refused_naming_the_engine(self):
        self.root = str(self.folder / "elsewhere")
        self.create("theirs", {"io.container.manager": "libpod"})
        wait_for(lambda: self.listed().get("theirs"), 5, "the container")
        for call in (lambda: self.client.post("/v1/containers/theirs/start"),
                     lambda: self.client.post("/v1/containers/theirs/kill", {"signal": "KILL"}),
                     lambda: self.client.post("/v1/containers/theirs/stop", {"timeout": 0}),
                     lambda: self.client.delete("/v1/containers/theirs"),
                     lambda: self.client.delete("/v1/containers/theirs?force=true"),
                     lambda: self.client.get("/v1/containers/theirs/wait?timeout=0"),
                     lambda: self.client.post("/v1/containers/theirs/exec?cmd=true")):
            problem = self.assert_problem(call(), "failed_precondition", "theirs", "podman")
            self.assertIn(self.root, problem["fix"])
        self.assertEqual(self.listed()["theirs"]["state"], "created")
        table, _ = self.covey("ps")
        self.assertEqual(table.splitlines()[0].split()[:4], ["CONTAINER", "SANDBOX", "ENGINE", "STATE"])
        self.assertEqual(table.splitlines()[1].split()[:4], ["theirs", "–", "podman", "created"])
        _, err = self.covey("kill", "theirs", code=1)
        self.assertIn("podman", err)
        self.assertEqual(json.loads(self.covey("inspect", "theirs")[0])["engine"], "podman")

    def test_covey_has_its_own_beside_it_under_the_same_id(self):
        self.create("same")
        wait_for(lambda: self.listed().get("same"), 5, "the engine's")
        self.container(self.sandbox(), ["sleep", "1000"], name="same")
        items = self.client.get("/v1/containers").json["items"]
        self.assertEqual(sorted(item["engine"] for item in items), ["containerd", "covey"])
        self.assertEqual(self.client.get("/v1/containers/same").json["engine"], "covey")
        self.assertEqual(self.client.delete("/v1/containers/same?force=true").status, 204)
        self.assertEqual(self.client.get("/v1/containers/same").json["engine"], "containerd")

    def link(self):
        return next(path for path in pathlib.Path(self.daemon.registry).glob("*.json"))

    def unbelieved(self, what, words):
        """`what` is done; the container is not shown then and the log says why, naming the link."""
        before = len(self.daemon.log())
        what()
        wait_for(lambda: not self.listed(), 5, "its disappearance")
        log = wait_for(lambda: self.daemon.log()[before:], 5, "a line in the log")
        self.assertIn("not believed", log)
        self.assertIn(words, log)

    def test_a_link_or_record_that_lies_is_reported_and_not_believed(self):
        self.create("liar")
        wait_for(lambda: self.listed().get("liar"), 5, "the container")
        link = self.link()
        whole = link.read_text(encoding="utf-8")
        record = pathlib.Path(self.root, "liar/record.json")
        true_record = record.read_text(encoding="utf-8")

        def tell(text):
            def what():
                link.write_text(text, encoding="utf-8")
            return what

        def tell_record(**fields):
            def what():
                told = json.loads(true_record)
                told["body"].update(fields)
                record.write_text(json.dumps(told), encoding="utf-8")
                link.write_text(whole, encoding="utf-8")
            return what

        def be_writable():
            os.chmod(record.parent, 0o777)
            link.write_text(whole, encoding="utf-8")

        with open("/proc/1/stat", encoding="ascii") as file:
            start_of_1 = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/self/stat", encoding="ascii") as file:
            own_start = int(file.read().rpartition(")")[2].split()[19])
        for what, words in ((tell(whole[:30]), "not a JSON object"),
                            (tell(whole.replace('"liar"', '"lia"')), "not called so"),
                            (tell(whole.replace('"bootId":"', '"bootId":"x')), "earlier boot"),
                            (tell_record(id="other"), "another container"),
                            (tell_record(pid=1, startTime=start_of_1), "no init"),
                            (tell_record(pid=os.getpid(), startTime=own_start), "in cgroup"),
                            (tell_record(pid="x"), "'pid'"),
                            (be_writable, "user's alone")):
            with self.subTest(words):
                self.unbelieved(what, words)
                os.chmod(record.parent, 0o700)
                record.write_text(true_record, encoding="utf-8")
                link.write_text(whole, encoding="utf-8")
                wait_for(lambda: self.listed().get("liar"), 5, "the truth again")

    def test_a_restarted_daemon_says_what_it_missed_and_nothing_twice(self):
        since = self.client.get("/v1/containers").json["resourceVersion"]
        self.create("stays")
        self.create("goes")
        wait_for(lambda: len(self.listed()) == 2, 5, "both")
        self.daemon.kill()
        self.delete("goes")
        self.create("comes")
        self.daemon.start()
        wait_for(lambda: sorted(self.listed()) == ["comes", "stays"], 5, "the list")
        self.assertEqual(self.events(since), [("engine.created", "stays"), ("engine.created", "goes"),
                                              ("engine.exited", "goes"), ("engine.deleted", "goes"),
                                              ("engine.created", "comes")])
        self.before = self.descriptors_at_rest()
        for name in ("comes", "stays"):
            self.delete(name)
        wait_for(lambda: not self.listed(), 5, "an empty list")
        self.client.put("/v1/sandboxes/warm-up", {"cgroupParent": self.daemon.parent})
        self.client.delete("/v1/sandboxes/warm-up?force=true")
        self.before = self.descriptors_at_rest()

    def test_a_registry_that_cannot_be_watched_at_the_start_is_watched_when_it_can(self):
        registry = pathlib.Path(self.daemon.registry)
        self.daemon.kill()
        registry.chmod(0o777)  # others can write to it: refused, as an inotify instance that is not to be had
        self.daemon.start()
        self.assertEqual(self.daemon.log().count("cannot be watched yet"), 1)
        self.assertEqual(self.client.get("/v1/healthz").status, 200)
        registry.chmod(0o700)
        self.create("late")
        wait_for(lambda: "late" in self.listed(), 25, "the container in the list")
        self.assertIn("is watched now", self.daemon.log())
        self.delete("late")
        wait_for(lambda: not self.listed(), 5, "an empty list")
        self.warm_up()
        self.before = self.descriptors_at_rest()
        self.assertEqual(self.daemon.log().count("cannot be watched yet"), 1)

    def test_a_registry_that_floods_costs_a_look(self):
        """More events than inotify keeps, of links that mean nothing: coveyd answers meanwhile, and has lost nobody afterwards."""
        registry = pathlib.Path(self.daemon.registry)
        self.create("before")
        wait_for(lambda: "before" in self.listed(), 5, "the container")
        most = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
        over = threading.Event()
        made = []

        def flood():
            names = [str(registry / f"liar-{number}.json") for number in range(200)]
            while len(made) < 2 * most or not over.is_set():
                for name in names:
                    with open(name, "wb") as file:
                        file.write(b"{}")
                    os.unlink(name)
                    made.append(name)
                if len(made) > 40 * most:
                    return
        flooding = threading.Thread(target=flood)
        flooding.start()
        worst = 0.0
        try:
            for _ in range(100):
                asked = time.monotonic()
                self.assertEqual(self.client.get("/v1/healthz").status, 200)
                worst = max(worst, time.monotonic() - asked)
            self.create("during")
            wait_for(lambda: {"before", "during"} <= set(self.listed()), 5, "both in the list")
        finally:
            over.set()
            flooding.join()
        self.assertLess(worst, 1)
        self.create("after")
        wait_for(lambda: set(self.listed()) == {"before", "during", "after"}, 5, "all three")
        for name in ("before", "during", "after"):
            self.delete(name)
        wait_for(lambda: not self.listed(), 5, "an empty list")

    def test_the_registry_may_go_and_come_back(self):
        self.create("a")
        wait_for(lambda: self.listed().get("a"), 5, "the container")
        subprocess.run(["rm", "-r", self.daemon.registry], check=True)
        wait_for(lambda: not self.listed(), 5, "an empty list")
        self.create("b")
        wait_for(lambda: list(self.listed()) == ["b"], 5, "the one that is reported")

    def test_one_that_comes_back_as_it_cannot_be_watched_is_watched_when_it_can(self):
        """Seen failing without another try: an event that was not understood, and then nothing for ever."""
        registry = pathlib.Path(self.daemon.registry)
        spare = registry.with_name("spare")
        spare.mkdir()
        spare.chmod(0o777)
        libc = ctypes.CDLL(None, use_errno=True)
        here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        self.assertEqual(libc.renameat2(here, bytes(registry), here, bytes(spare), exchange), 0, ctypes.get_errno())
        shutil.rmtree(spare)  # the one that is watched
        wait_for(lambda: "was not understood" in self.daemon.log(), 5, "the trouble in the log")
        registry.chmod(0o700)
        self.create("b")
        wait_for(lambda: list(self.listed()) == ["b"], 25, "the one that is reported")


if __name__ == "__main__":
    main()
