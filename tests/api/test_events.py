"""Events: nothing lost, nothing twice, numbers that go on after a restart."""
import json
import time

from covey_client import CONTRACT, CoveyTest, connect, main


class Stream:
    """An open GET /v1/events; chunks are undone line by line."""

    def __init__(self, daemon, query=""):
        self.socket = connect(daemon.socket, 20)
        self.socket.sendall(f"GET /v1/events{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass

    def next(self):
        size = int(self.file.readline(), 16)
        data = self.file.read(size + 2)
        line = json.loads(data)
        CONTRACT.validate(line, {"$ref": "#/components/schemas/EventLine"})
        return line

    def until(self, kind):
        seen = []
        while not seen or seen[-1]["type"] != kind:
            seen.append(self.next())
        return seen

    def close(self):
        self.file.close()
        self.socket.close()


class Events(CoveyTest):
    def test_the_first_line_comes_at_once(self):
        start = time.monotonic()
        stream = Stream(self.daemon)
        self.assertEqual(stream.next()["type"], "stream.opened")
        self.assertLess(time.monotonic() - start, 2)
        stream.close()

    def test_a_life_in_order(self):
        stream = Stream(self.daemon)
        opened = stream.next()["seq"]
        sandbox = self.sandbox("web")
        name = self.container(sandbox, ["sh", "-c", "exit 9"])
        self.client.get(f"/v1/containers/{name}/wait")
        self.client.delete("/v1/sandboxes/web?force=true")
        events = stream.until("sandbox.deleted")
        stream.close()
        self.assertEqual([event["seq"] for event in events], list(range(opened + 1, opened + 1 + len(events))))
        types = [event["type"] for event in events]
        for before, after in (("sandbox.created", "sandbox.ready"), ("sandbox.ready", "container.created"),
                              ("container.created", "container.started"), ("container.started", "container.exited"),
                              ("container.exited", "sandbox.deleted")):
            self.assertLess(types.index(before), types.index(after), types)
        end = next(event for event in events if event["type"] == "container.exited")
        self.assertEqual((end["exit"]["exitCode"], end["container"]), (9, name))

    def test_list_then_watch_has_no_gap(self):
        self.sandbox("one")
        version = self.client.get("/v1/sandboxes").json["resourceVersion"]
        self.sandbox("two")
        stream = Stream(self.daemon, f"?since={version}")
        self.assertEqual(stream.next()["type"], "stream.opened")
        first = stream.next()
        self.assertEqual((first["seq"], first["sandbox"], first["type"]), (version + 1, "two", "sandbox.created"))
        stream.close()

    def test_filters(self):
        since = self.client.get("/v1/sandboxes").json["resourceVersion"]
        self.sandbox("one")
        self.sandbox("two")
        stream = Stream(self.daemon, f"?since={since}&sandbox=two&type=sandbox.ready")
        stream.next()
        event = stream.next()
        self.assertEqual((event["sandbox"], event["type"]), ("two", "sandbox.ready"))
        stream.close()
        self.assert_problem(self.client.get("/v1/events?type=sandbox.redy"), "invalid_argument", "sandbox.ready")
        self.assert_problem(self.client.get("/v1/events?since=-1"), "invalid_argument", "-1")
        self.assert_problem(self.client.get("/v1/events?sinse=1"), "unknown_field", "since")

    def test_numbers_and_events_outlive_the_daemon(self):
        self.sandbox("web")
        name = self.container("web", ["sleep", "1000"])
        before = self.client.get("/v1/containers").json["resourceVersion"]
        pid = self.client.get("/v1/containers/" + name).json["pid"]
        self.daemon.kill()
        self.daemon.start()
        self.warm_up()
        self.assertGreaterEqual(self.client.get("/v1/containers").json["resourceVersion"], before)
        self.assertEqual(self.client.get("/v1/containers/" + name).json["pid"], pid)
        self.client.post(f"/v1/containers/{name}/kill", {"signal": "KILL"})
        stream = Stream(self.daemon, f"?since={before}")
        stream.next()
        event = stream.until("container.exited")[-1]
        stream.close()
        self.assertEqual((event["container"], event["exit"]["exitCode"]), (name, 137))
        self.assertGreater(event["seq"], before)
        self.client.delete("/v1/sandboxes/web?force=true")

    def test_heartbeats_come_while_nothing_happens(self):
        stream = Stream(self.daemon)
        stream.next()
        start = time.monotonic()
        self.assertEqual(stream.next()["type"], "heartbeat")
        self.assertGreater(time.monotonic() - start, 12)
        stream.close()


if __name__ == "__main__":
    main()
