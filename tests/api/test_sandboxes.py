"""Sandboxes: create, list, stop, delete, processes, and the OCI configuration that joins them."""
import json
import os
import pathlib
import shutil
import subprocess

import bundles
from covey_client import CoveyTest, main


class Sandboxes(CoveyTest):
    def test_put_is_idempotent_and_a_different_request_is_a_conflict(self):
        body = {"cgroupParent": self.daemon.parent, "labels": {"app": "web"}, "pidMode": "pod"}
        made = self.client.put("/v1/sandboxes/web", body)
        self.assertEqual(made.status, 201)
        self.assertEqual((made.json["state"], made.json["pidMode"], made.json["hostname"]), ("ready", "pod", "web"))
        again = self.client.put("/v1/sandboxes/web", body)
        self.assertEqual((again.status, again.json["pid"]), (200, made.json["pid"]))
        self.assert_problem(self.client.put("/v1/sandboxes/web", {**body, "hostname": "x"}), "already_exists", "web")

    def test_post_makes_an_id_up(self):
        first = self.client.post("/v1/sandboxes", {"cgroupParent": self.daemon.parent})
        second = self.client.post("/v1/sandboxes", {"cgroupParent": self.daemon.parent, "id": "mine"})
        self.assertEqual((first.status, second.status, second.json["id"]), (201, 201, "mine"))
        self.assertNotEqual(first.json["id"], "mine")

    def test_namespaces_are_where_the_answer_says(self):
        name = self.sandbox(namespaces={"net": "host"})
        sandbox = self.client.get("/v1/sandboxes/" + name).json
        for kind in ("pid", "ipc", "uts"):
            self.assertEqual(os.stat(sandbox["namespaces"][kind]["path"]).st_ino, sandbox["namespaces"][kind]["inode"])
            self.assertNotEqual(os.stat(f"/proc/self/ns/{kind}").st_ino, sandbox["namespaces"][kind]["inode"])
        if "net" in sandbox["namespaces"]:
            self.assertEqual(sandbox["namespaces"]["net"]["inode"], os.stat("/proc/self/ns/net").st_ino)

    def test_lists_are_filtered_and_carry_a_resource_version(self):
        self.sandbox("one", labels={"app": "web", "tier": "front"})
        self.sandbox("two", labels={"app": "db"})
        names = lambda query: [item["id"] for item in self.client.get("/v1/sandboxes" + query).json["items"]]
        self.assertEqual(sorted(names("")), ["one", "two"])
        self.assertEqual(names("?label=app=web&label=tier=front"), ["one"])
        self.assertEqual(names("?label=app=web&label=tier=back"), [])
        self.client.post("/v1/sandboxes/two/stop")
        self.assertEqual(names("?state=stopped"), ["two"])
        version = self.client.get("/v1/sandboxes").json["resourceVersion"]
        self.assertEqual(version, max(item["resourceVersion"] for item in self.client.get("/v1/sandboxes").json["items"]))

    def test_stop_is_idempotent_and_delete_needs_it_or_force(self):
        name = self.sandbox()
        self.assert_problem(self.client.delete("/v1/sandboxes/" + name), "failed_precondition", name)
        for _ in range(2):
            stopped = self.client.post(f"/v1/sandboxes/{name}/stop", {})
            self.assertEqual((stopped.status, stopped.json["state"], stopped.json["pid"]), (200, "stopped", 0))
        self.assertEqual(self.client.delete("/v1/sandboxes/" + name).status, 204)
        self.assert_problem(self.client.delete("/v1/sandboxes/" + name), "not_found", name)
        self.assertEqual(self.client.delete(f"/v1/sandboxes/{name}?force=true").status, 204)

    def test_processes_have_three_numbers_and_their_container(self):
        name = self.sandbox(pidMode="pod")
        first = self.container(name, ["sleep", "1000"])
        second = self.container(name, ["sleep", "1000"], pidMode="container")
        rows = {row["container"]: row for row in self.client.get(f"/v1/sandboxes/{name}/processes").json["items"]}
        self.assertEqual((rows[""]["podPid"], rows[""]["command"]), (1, ["/pause"]))
        self.assertEqual(rows[first]["command"], ["sleep", "1000"])
        self.assertEqual(rows[first]["pid"], self.client.get("/v1/containers/" + first).json["pid"])
        self.assertEqual(rows[first]["podPid"], rows[first]["containerPid"])
        self.assertGreater(rows[first]["podPid"], 1)
        self.assertEqual((rows[second]["podPid"], rows[second]["containerPid"]), (0, 1))


class Oci(CoveyTest):
    def test_only_the_namespaces_and_the_names_change(self):
        name = self.sandbox()
        paths = {kind: entry["path"] for kind, entry in self.client.get("/v1/sandboxes/" + name).json["namespaces"].items()}
        config = {**bundles.spec(["true"]), "zeta": {"b": 1, "a": [1.5, None]}}
        answer = self.client.post(f"/v1/sandboxes/{name}/oci", config)
        self.assertEqual(answer.status, 200)
        joined = answer.json
        self.assertEqual([key for key in config if key != "hostname"], list(joined))
        entries = {entry["type"]: entry.get("path") for entry in joined["linux"]["namespaces"]}
        self.assertEqual(entries, {"pid": paths["pid"], "network": paths["net"], "ipc": paths["ipc"],
                                   "uts": paths["uts"], "mount": None})
        for key in config:
            if key not in ("hostname", "linux"):
                self.assertEqual(joined[key], config[key])
        self.assertEqual(joined["linux"]["maskedPaths"], config["linux"]["maskedPaths"])

    def test_a_user_namespace_of_its_own_cannot_join(self):
        name = self.sandbox()
        config = bundles.spec(["true"])
        config["linux"]["namespaces"].append({"type": "user"})
        self.assert_problem(self.client.post(f"/v1/sandboxes/{name}/oci", config), "invalid_spec", "user namespace")

    def test_what_is_no_configuration_is_refused(self):
        name = self.sandbox()
        for body in (b"[]", b"{", b'{"linux": 1}', b'{"linux": {"namespaces": {}}}', b'{"linux": {"namespaces": [1]}}',
                     b'{"linux": {"namespaces": [{"type": 1}]}}'):
            self.assert_problem(self.client.post(f"/v1/sandboxes/{name}/oci", body), "invalid_argument")
        self.client.post(f"/v1/sandboxes/{name}/stop")
        self.assert_problem(self.client.post(f"/v1/sandboxes/{name}/oci", {}), "failed_precondition", "stopped")

    def test_runc_joins_the_pod_with_it(self):
        if not shutil.which("runc"):
            self.skipTest("runc is not installed")
        name = self.sandbox(pidMode="pod")
        bundle = pathlib.Path(bundles.make_bundle(self.folder / "runc", ["sh", "-c", "echo I am $$; ps"]))
        config = json.loads((bundle / "config.json").read_text())
        config["linux"].pop("maskedPaths")
        joined = self.client.post(f"/v1/sandboxes/{name}/oci", config)
        (bundle / "config.json").write_bytes(joined.body)
        run = subprocess.run(["runc", "--root", str(self.folder / "state"), "run", "-b", str(bundle), f"covey-{os.getpid()}"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn(b"/pause", run.stdout)


if __name__ == "__main__":
    main()
