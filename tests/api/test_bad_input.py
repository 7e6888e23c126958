"""Bad input: a problem document that names the thing and the remedy, nothing left behind, and coveyd
goes on. The base class checks the second after each test."""
import json
import os
import pathlib

import bundles
from covey_client import CoveyTest, main


class BadInput(CoveyTest):
    def refuse_sandbox(self, body, code, *words, name="web"):
        return self.assert_problem(self.client.put("/v1/sandboxes/" + name, body), code, *words)

    def refuse_container(self, fields, code, *words):
        body = {"sandbox": "web", "bundle": "/nowhere", **fields}
        return self.assert_problem(self.client.put("/v1/containers/c", body), code, *words)

    def tearDown(self):
        try:
            self.assertEqual(self.client.get("/v1/healthz").status, 200)
            self.assertEqual(self.client.get("/v1/containers").json["items"], [])
        finally:
            super().tearDown()

    def test_unknown_fields_are_named_with_their_nearest_neighbour(self):
        self.refuse_sandbox({"pidmode": "pod"}, "unknown_field", "unknown field 'pidmode'", "did you mean 'pidMode'")
        self.refuse_sandbox({"namespaces": {"nett": "new"}}, "unknown_field", "'nett'", "/namespaces", "'net'")
        self.refuse_sandbox({"namespaces": {"net": {"path": "/x", "paht": "/y"}}}, "unknown_field", "'paht'", "/namespaces/net")
        self.refuse_container({"stdio": {"stdinn": "null"}}, "unknown_field", "'stdinn'", "/stdio", "'stdin'")
        self.refuse_container({"capabilities": {"ad": []}}, "unknown_field", "'ad'")
        self.assert_problem(self.client.get("/v1/sandboxes?lable=a=b"), "unknown_field", "'lable'", "'label'")
        self.assert_problem(self.client.get("/v1/version?x=1"), "unknown_field", "'x'")

    def test_wrong_types_are_named_with_their_pointer_all_at_once(self):
        problem = self.refuse_sandbox({"labels": {"a": 1, "b/c~d": None}, "pidMode": 7, "sysctls": [], "hostname": {}, "foo": 1},
                                      "invalid_argument", "/labels/a: must be a string", "/labels/b~1c~0d: must be a string",
                                      "/pidMode: must be a string", "/sysctls: must be an object", "/hostname", "'foo'")
        self.assertEqual(len(problem["causes"]), 6)
        self.refuse_container({"sandbox": 1, "capabilities": {"add": "X", "drop": [1]}, "labels": 3}, "invalid_argument",
                              "/sandbox: must be a string", "/capabilities/add: must be an array", "/capabilities/drop/0",
                              "/labels: must be an object")
        self.refuse_sandbox([], "invalid_argument", "must be an object")
        self.assert_problem(self.client.put("/v1/containers/c", {}), "invalid_argument", "/sandbox: is missing", "/bundle: is missing")

    def test_access(self):
        self.refuse_sandbox({"access": "privat"}, "invalid_argument", "/access", "did you mean 'private'")
        self.refuse_container({"access": {"see": "own", "inspect": "pod"}}, "invalid_argument", "/access", "cannot be")
        self.refuse_container({"access": {"see": "all"}}, "invalid_argument", "/access/see", "'all'")

    def test_targets(self):
        self.refuse_sandbox({"pidMode": "target"}, "invalid_argument", "/pidMode", "whole sandbox")
        self.refuse_container({"target": "c2"}, "invalid_argument", "/target", "pidMode 'target'")
        self.refuse_container({"pidMode": "target"}, "invalid_argument", "/target", "missing")
        self.refuse_container({"pidMode": "target", "target": "../x"}, "invalid_argument", "../x")

    def test_bad_values(self):
        self.refuse_sandbox({"pidMode": "pods"}, "invalid_argument", "'pods'", "did you mean 'pod'")
        self.refuse_sandbox({"hostname": "h" * 65}, "invalid_argument", "/hostname", "64")
        self.refuse_sandbox({"hostname": "a\nb"}, "invalid_argument", "/hostname", "control")
        self.refuse_sandbox({"cgroupParent": "covey"}, "invalid_argument", "/cgroupParent", "absolute")
        self.refuse_sandbox({"cgroupParent": "/a/../b"}, "invalid_argument", "/cgroupParent", "'..'")
        self.refuse_sandbox({"namespaces": {"net": "own"}}, "invalid_argument", "/namespaces/net")
        self.refuse_sandbox({"namespaces": {"net": {"path": "relative"}}}, "invalid_argument", "/namespaces/net/path", "absolute")
        self.refuse_sandbox({"namespaces": {"net": {}}}, "invalid_argument", "/namespaces/net/path: is missing")
        self.refuse_container({"bundle": "relative"}, "invalid_argument", "/bundle", "'relative'")
        self.refuse_container({"capabilities": {"add": ["SYS_PTRAC"]}}, "invalid_argument", "/capabilities/add/0", "CAP_SYS_PTRACE")
        self.refuse_container({"capabilities": {"add": ["KILL"], "drop": ["CAP_KILL"]}}, "invalid_argument", "in 'add' and in 'drop'")
        for stream, value in (("stdin", "held"), ("stdout", "hold"), ("stderr", "file:relative"), ("stdout", "")):
            self.refuse_container({"stdio": {stream: value}}, "invalid_argument", f"/stdio/{stream}", f"'{value}'")
        self.sandbox("web")
        name = self.container("web", ["sleep", "1000"])
        kill = lambda body: self.client.post(f"/v1/containers/{name}/kill", body)
        self.assert_problem(kill({"signal": "SIGHOP"}), "invalid_argument", "'SIGHOP'", "SIGHUP")
        for number in (65, -1, "65", "", 1.5, True):
            problem = kill({"signal": number})
            self.assert_problem(problem, "invalid_argument", "/signal")
            self.assertNotIn(b"did you mean", problem.body)
        self.assert_problem(kill({"all": 1}), "invalid_argument", "/all")
        stop = lambda body: self.client.post(f"/v1/containers/{name}/stop", body)
        for value in (-1, "1", 86401):
            self.assert_problem(stop({"timeout": value}), "invalid_argument", "/timeout")
        self.assert_problem(self.client.post(f"/v1/containers/{name}/start", {"x": 1}), "unknown_field", "'x'")
        self.assert_problem(self.client.get(f"/v1/containers/{name}/wait?timeout=1e3"), "invalid_argument", "1e3")
        self.assert_problem(self.client.get("/v1/sandboxes?state=redy"), "invalid_argument", "'redy'", "'ready'")
        self.assert_problem(self.client.get("/v1/sandboxes?label=x"), "invalid_argument", "'x'")
        self.assert_problem(self.client.delete("/v1/containers/c?force=yes"), "invalid_argument", "'yes'")
        self.client.delete(f"/v1/containers/{name}?force=true")

    def test_ids_outside_the_alphabet(self):
        for name, shown in (("-a", "-a"), (".a", ".a"), ("a%20b", "a b"), ("a%2Fb", "a/b"), ("%C3%A4", "\\xc3\\xa4"), ("a" * 129, "a" * 60),
                            ("a%0Ab", "a")):
            self.refuse_sandbox({}, "invalid_argument", shown, name=name)
            self.assert_problem(self.client.put("/v1/containers/" + name, {"sandbox": "web", "bundle": "/x"}), "invalid_argument", shown)
        self.assert_problem(self.client.post("/v1/sandboxes", {"id": "../x"}), "invalid_argument", "../x")
        self.refuse_sandbox({"id": "other"}, "invalid_argument", "/id", "'other'", "'web'")
        self.assertEqual(self.client.put("/v1/sandboxes/" + "a" * 128, {"cgroupParent": self.daemon.parent}).status, 201)

    def test_json_is_read_strictly(self):
        for body, word in ((b'{"labels": {"a": "1", "a": "2"}}', "duplicate"), (b"{} {}", "line 1"), (b"{", "line 1"), (b"nope", "line 1"),
                           (b'{"hostname": "\xff"}', "body"), (b'\xef\xbb\xbf{}', "byte order mark"), (b'{"hostname": "a\\u0000b"}', "NUL"),
                           (b'{"labels": ' * 65 + b"{}" + b"}" * 65, "deeper than 64"), (b"[" * 100000, "deeper than 64"),
                           (b'{"hostname": 1e999}', "body")):
            self.refuse_sandbox(body, "invalid_argument", word)

    def test_unknown_paths_and_methods(self):
        self.assert_problem(self.client.get("/v1/sandbox"), "not_found", "/v1/sandbox", "did you mean '/v1/sandboxes'")
        self.assert_problem(self.client.post("/v1/containers/web/strat"), "not_found", "did you mean '/v1/containers/web/start'")
        self.assert_problem(self.client.get("/"), "not_found")
        answer = self.client.call("PATCH", "/v1/sandboxes/web", {})
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "PUT, GET, DELETE"))
        self.assert_problem(answer, "invalid_argument", "PATCH", "/v1/sandboxes/web")

    def test_what_is_not_there(self):
        for method, target in (("GET", "/v1/sandboxes/nope"), ("POST", "/v1/sandboxes/nope/stop"), ("DELETE", "/v1/sandboxes/nope"),
                               ("GET", "/v1/sandboxes/nope/processes"), ("POST", "/v1/sandboxes/nope/oci"), ("GET", "/v1/containers/nope"),
                               ("POST", "/v1/containers/nope/start"), ("POST", "/v1/containers/nope/kill"), ("POST", "/v1/containers/nope/stop"),
                               ("GET", "/v1/containers/nope/wait"), ("DELETE", "/v1/containers/nope"), ("POST", "/v1/containers/nope/exec?cmd=x")):
            self.assert_problem(self.client.call(method, target), "not_found", "nope")
        self.refuse_container({"sandbox": "nope"}, "not_found", "nope")

    def test_bad_bundles(self):
        self.sandbox("web")
        self.refuse_container({"bundle": "/no/such/bundle"}, "not_found", "/no/such/bundle")
        empty = self.folder / "empty"
        empty.mkdir()
        self.refuse_container({"bundle": str(empty)}, "not_found", "config.json")
        bundle = pathlib.Path(bundles.make_bundle(self.folder / "b", ["/bin/nope"]))
        answer = self.client.put("/v1/containers/c", {"sandbox": "web", "bundle": str(bundle)})
        if answer.status == 201:  # found out by the exec itself, at start
            answer = self.client.post("/v1/containers/c/start")
        self.assert_problem(answer, "not_found", "/bin/nope")
        self.client.delete("/v1/containers/c?force=true")
        (bundle / "config.json").write_text("{")
        self.refuse_container({"bundle": str(bundle)}, "invalid_spec", "config.json")
        config = bundles.spec(["true"])
        config["process"]["cwd"] = "relative"
        config["process"]["capabilities"]["bounding"] = ["CAP_NOPE"]
        (bundle / "config.json").write_text(json.dumps(config))
        problem = self.refuse_container({"bundle": str(bundle)}, "invalid_spec", "/process/cwd")
        self.assertTrue(any("/process/capabilities/bounding/0" in cause for cause in problem["causes"]), problem)

    def test_a_pod_is_wholly_inside_a_user_namespace_or_wholly_outside(self):
        """The other side is in test_userns.py."""
        self.sandbox("web")
        mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        for entry, mappings in (({"type": "user"}, mapping), ({"type": "user"}, None),
                                ({"type": "user", "path": "/proc/self/ns/user"}, None)):
            with self.subTest(entry=entry, mappings=mappings):
                def change(config):
                    config["linux"]["namespaces"].append(entry)
                    if mappings:
                        config["linux"].update(uidMappings=mappings, gidMappings=mappings)
                bundle = bundles.make_bundle(self.folder / "b", ["true"], change)
                problem = self.refuse_container({"bundle": bundle}, "invalid_spec", "user namespace", "wholly outside")
                text = json.dumps(problem)
                self.assertIn("/linux/namespaces/5", text)
                self.assertEqual("/linux/gidMappings" in text, mappings is not None, text)
        for access in ("private", "observer"):
            self.refuse_container({"bundle": bundle, "access": access}, "invalid_spec", "user namespace")

    def test_namespace_paths_of_the_wrong_type(self):
        self.refuse_sandbox({"cgroupParent": self.daemon.parent, "namespaces": {"net": {"path": "/proc/self/ns/uts"}}},
                            "invalid_argument", "/proc/self/ns/uts")
        self.refuse_sandbox({"cgroupParent": self.daemon.parent, "namespaces": {"net": {"path": "/etc/passwd"}}},
                            "invalid_argument", "/etc/passwd")
        self.sandbox("web")

        def foreign(config):
            config["linux"]["namespaces"][1]["path"] = f"/proc/{os.getpid()}/ns/net"
        bundle = bundles.make_bundle(self.folder / "b", ["true"], foreign)
        self.refuse_container({"bundle": bundle}, "invalid_spec", f"/proc/{os.getpid()}/ns/net", "network")

        def wrong(config):
            config["linux"]["namespaces"][1]["path"] = f"/proc/{os.getpid()}/ns/uts"
        bundle = bundles.make_bundle(self.folder / "b2", ["true"], wrong)
        self.refuse_container({"bundle": bundle}, "invalid_spec", f"/proc/{os.getpid()}/ns/uts", "network")

    def test_a_sandbox_that_is_gone(self):
        self.sandbox("web", pidMode="pod")
        bundle = bundles.make_bundle(self.folder / "b", ["true"])
        os.kill(self.client.get("/v1/sandboxes/web").json["pid"], 9)  # pause
        from covey_client import wait_for
        wait_for(lambda: self.client.get("/v1/sandboxes/web").json["state"] == "stopped")
        answer = self.client.put("/v1/containers/c", {"sandbox": "web", "bundle": bundle})
        self.assertIn(answer.json["code"], ("sandbox_gone", "failed_precondition"))
        self.assert_problem(answer, answer.json["code"], "web")


if __name__ == "__main__":
    main()
