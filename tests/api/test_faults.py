"""Every fault point of the engine: the request fails with its name, nothing is left, the next one works."""
import pathlib
import re
import unittest

import bundles
from covey_client import CoveyTest, main

ENGINE = pathlib.Path(__file__).resolve().parents[2] / "daemon/engine"
# Fault point: the pass at which it fires. Those of a sandbox are passed once by the warm-up.
SANDBOX = {"sandbox_intent": 2, "shim_spawned": 2, "sandbox_made": 2, "sandbox_pinned": 2, "sandbox_recorded": 2}
CONTAINER = {"container_intent": 1, "container_made": 1, "container_recorded": 1}
DELETION = {"container_deleted": 1}


class SandboxFault(CoveyTest):
    def test_a_sandbox_that_fails_leaves_nothing_and_can_be_made_again(self):
        request = {"cgroupParent": self.daemon.parent}
        self.assert_problem(self.client.put("/v1/sandboxes/web", request), "internal", self.fault)
        self.assertEqual(self.client.get("/v1/sandboxes/web").status, 404)
        self.assertEqual(self.leaks.all(), [])
        self.assertEqual(self.client.put("/v1/sandboxes/web", request).status, 201)
        self.assertEqual(self.client.get("/v1/sandboxes/web").json["state"], "ready")


class ContainerFault(CoveyTest):
    def test_a_container_that_fails_leaves_its_pod_as_it_was(self):
        sandbox = self.sandbox()
        before = (self.leaks.processes(), self.leaks.cgroups())
        bundle = bundles.make_bundle(self.folder / "app", ["sleep", "1000"], None)
        request = {"sandbox": sandbox, "bundle": bundle, "pidMode": "pod"}
        self.assert_problem(self.client.put("/v1/containers/app", request), "internal", self.fault)
        self.assertEqual(self.client.get("/v1/containers/app").status, 404)
        self.assertEqual((self.leaks.processes(), self.leaks.cgroups()), before)
        self.assertEqual([path for path in self.leaks.files() if path.endswith("/app")], [])
        self.assertEqual(self.client.put("/v1/containers/app", request).status, 201)
        self.assertEqual(self.client.post("/v1/containers/app/start").status, 200)


class DeletionFault(CoveyTest):
    def test_a_deletion_that_fails_can_be_done_again(self):
        sandbox = self.sandbox()
        name = self.container(sandbox, ["sleep", "1000"])
        answer = self.client.delete(f"/v1/containers/{name}?force=true")
        self.assert_problem(answer, "internal", self.fault)
        self.assertEqual(self.client.get(f"/v1/containers/{name}").json["state"], "stopped")
        self.assertEqual(self.client.delete(f"/v1/containers/{name}").status, 204)
        self.assertEqual(self.client.get(f"/v1/containers/{name}").status, 404)


class Table(unittest.TestCase):
    def test_no_fault_point_of_the_engine_is_missing_here(self):
        points = set()
        for path in ENGINE.glob("*.cpp"):
            points.update(re.findall(r'fault_point\("engine\.(\w+)"\)', path.read_text()))
        self.assertEqual(points, {*SANDBOX, *CONTAINER, *DELETION})


def load_tests(loader, _tests, _pattern):
    """One daemon for each fault point: a point fires once in the life of a process."""
    suite = unittest.TestSuite([loader.loadTestsFromTestCase(Table)])
    for base, points in ((SandboxFault, SANDBOX), (ContainerFault, CONTAINER), (DeletionFault, DELETION)):
        for point, turn in points.items():
            name = "engine." + point
            case = type(f"{base.__name__}_{point}", (base,), {"fault": name, "environment": {"COVEY_FAIL_AT": f"{name}:{turn}"}})
            suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    main()
