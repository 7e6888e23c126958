"""GET /metrics, read by Prometheus' own parser: the numbers are those of what was done."""
import os
import re
import time

from prometheus_client.parser import text_string_to_metric_families

from covey_client import CoveyTest, UnixConnection, main, wait_for


class Metrics(CoveyTest):
    def samples(self):
        answer = self.client.get("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(answer.body.decode()) for sample in family.samples}

    def value(self, name, **labels):
        return self.samples().get((name, tuple(sorted(labels.items()))), 0)

    def test_pods_and_containers_by_state(self):
        self.assertEqual(self.value("covey_sandboxes", state="ready"), 0)
        created = self.value("covey_events_total", type="sandbox.created")
        self.client.put("/v1/sandboxes/web", {"cgroupParent": self.daemon.parent})
        samples = self.samples()
        self.assertEqual(samples["covey_sandboxes", (("state", "ready"),)], 1)
        self.assertEqual(samples["covey_events_total", (("type", "sandbox.created"),)], created + 1)
        self.client.post("/v1/sandboxes/web/stop")
        samples = self.samples()
        self.assertEqual(samples["covey_sandboxes", (("state", "ready"),)], 0)
        self.assertEqual(samples["covey_sandboxes", (("state", "stopped"),)], 1)

    def test_requests_by_operation_and_status(self):
        before = self.samples()
        for _ in range(3):
            self.client.get("/v1/sandboxes/nobody")
        self.client.get("/v1/nowhere")
        self.client.call("PATCH", "/v1/sandboxes")
        after = self.samples()
        missed = ("covey_requests_total", (("operation", "getSandbox"), ("status", "404")))
        self.assertEqual(after[missed] - before.get(missed, 0), 3)
        count = ("covey_request_duration_seconds_count", (("operation", "getSandbox"),))
        self.assertEqual(after[count] - before.get(count, 0), 3)
        self.assertEqual({dict(labels)["operation"] for name, labels in after if name == "covey_requests_total"} &
                         {"", "nowhere"}, set())

    def test_of_the_daemon_itself(self):
        samples = self.samples()
        started = samples["process_start_time_seconds", ()]
        self.assertLess(abs(time.time() - started), 600)
        self.assertAlmostEqual(started, self.value("process_start_time_seconds"), delta=0.1)
        self.assertGreater(samples["process_resident_memory_bytes", ()], 1 << 20)

    def test_its_descriptors_are_those_that_the_kernel_counts(self):
        connection = UnixConnection(self.daemon.socket)  # stays open: it is counted on both sides

        def told():
            connection.request("GET", "/metrics")
            return float(re.search(r"^process_open_fds (.*)$", connection.getresponse().read().decode(), re.M)[1])
        # The descriptors of connections that were closed just now may take a moment.
        try:
            wait_for(lambda: told() == len(os.listdir(f"/proc/{self.daemon.process.pid}/fd")), 5)
        finally:
            connection.close()

    def test_no_parameters(self):
        self.assert_problem(self.client.get("/metrics?x=1"), "unknown_field", "x")


if __name__ == "__main__":
    main()
