"""kill -9 of coveyd in the middle of random operations: no container, exit code or event is lost, none is told twice,
nothing is left. COVEY_KILL9_ROUNDS and COVEY_KILL9_SEED repeat and lengthen it."""
import http.client
import json
import os
import random
import threading
import time

import bundles
from covey_client import CoveyTest, UnixConnection, main, wait_for

ROUNDS = int(os.environ.get("COVEY_KILL9_ROUNDS", "100"))
SEED = int(os.environ.get("COVEY_KILL9_SEED", str(random.randrange(1 << 30))))
LIVES = (0.5, 3, 15)  # longest times from the operations' begin to the kill, in sandboxes made and deleted
MOST_SANDBOXES, MOST_CONTAINERS = 3, 8
ORDER = {"sandbox": ["created", "ready", "stopped", "deleted"],
         "container": ["created", "started", "exited", "deleted"],
         "exec": ["started", "exited"]}


class Thing:
    """What we know of a sandbox or container: `done` was answered, `asked` may have happened."""

    def __init__(self, name, sandbox=None, code=0):
        self.name, self.sandbox, self.code = name, sandbox, code
        self.asked, self.done = set(), set()

    def may_be_there(self):
        return "create" in self.asked and "delete" not in self.done

    def must_be_there(self):
        return "create" in self.done and "delete" not in self.asked


class Kill9(CoveyTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.sandboxes, self.containers, self.events = {}, {}, []
        self.rootfs = str(bundles.make_rootfs(self.folder / "rootfs"))
        begin = time.monotonic()
        self.make_and_delete("first")
        self.unit = time.monotonic() - begin
        print(f"\nCOVEY_KILL9_SEED={SEED} COVEY_KILL9_ROUNDS={ROUNDS}", flush=True)

    def make_and_delete(self, name):
        self.sandbox(name)
        self.assertEqual(self.client.delete(f"/v1/sandboxes/{name}?force=true").status, 204)
        self.events = self.read_events(0, self.client.get("/v1/sandboxes").json["resourceVersion"])

    def attempt(self, thing, what, method, target, body=None):
        """A request whose answer may never come. Two of them never touch one thing in the same round."""
        thing.asked.add(what)
        try:
            answer = self.client.call(method, target, body)
        except (OSError, http.client.HTTPException):
            return
        if answer.status < 300:
            thing.done.add(what)
        elif answer.status == 404 and what == "delete":
            thing.done.add(what)
        elif answer.json["code"] not in ("not_found", "failed_precondition", "sandbox_gone"):
            self.problems.append(f"{method} {target}: {answer}")

    def create_sandbox(self, busy):
        thing = Thing(f"s{len(self.sandboxes)}")
        self.sandboxes[thing.name] = thing
        busy.add(thing.name)
        return lambda: self.attempt(thing, "create", "PUT", f"/v1/sandboxes/{thing.name}",
                                    {"cgroupParent": self.daemon.parent})

    def create_container(self, sandbox, busy):
        code = self.random.randrange(1, 100)
        thing = Thing(f"c{len(self.containers)}", sandbox.name, code)
        script = self.random.choice([f"exit {code}", f"sleep 0.02; exit {code}", "exec sleep 1000"])
        bundle = self.folder / thing.name
        bundle.mkdir()
        spec = bundles.spec(["/bin/sh", "-c", script])
        spec["root"] = {"path": self.rootfs, "readonly": True}
        (bundle / "config.json").write_text(json.dumps(spec))
        self.containers[thing.name] = thing
        busy.add(thing.name)
        body = {"sandbox": sandbox.name, "bundle": str(bundle), "pidMode": self.random.choice(["pod", "container"])}
        return lambda: self.attempt(thing, "create", "PUT", f"/v1/containers/{thing.name}", body)

    def delete_sandbox(self, sandbox, busy):
        inside = [thing for thing in self.containers.values() if thing.sandbox == sandbox.name]
        busy.update([sandbox.name] + [thing.name for thing in inside])
        for thing in inside:
            thing.asked |= {"kill", "delete"}

        def run():
            self.attempt(sandbox, "delete", "DELETE", f"/v1/sandboxes/{sandbox.name}?force=true")
            if "delete" in sandbox.done:
                for thing in inside:
                    thing.done.add("delete")
        return run

    def act_on(self, thing, busy):
        busy.add(thing.name)
        target = f"/v1/containers/{thing.name}"
        what = self.random.choice(["start", "start", "start", "kill", "delete", "exec"])
        if what == "start":
            return lambda: self.attempt(thing, what, "POST", target + "/start")
        if what == "kill":
            return lambda: self.attempt(thing, what, "POST", target + "/kill", {"signal": "KILL"})
        if what == "delete":
            thing.asked.add("kill")
            return lambda: self.attempt(thing, what, "DELETE", target + "?force=true")
        return lambda: self.attempt(thing, what, "POST", target + "/exec?cmd=/bin/sleep&cmd=0.01")

    def next_operation(self, busy):
        sandboxes = [thing for thing in self.sandboxes.values() if thing.must_be_there() and thing.name not in busy]
        containers = [thing for thing in self.containers.values()
                      if thing.may_be_there() and "delete" not in thing.asked
                      and thing.name not in busy and thing.sandbox not in busy]
        alive = sum(thing.must_be_there() for thing in self.sandboxes.values())
        if not sandboxes or (alive < MOST_SANDBOXES and self.random.random() < 0.2):
            return self.create_sandbox(busy)
        sandbox = self.random.choice(sandboxes)
        if self.random.random() < 0.15 and not any(
                thing.name in busy for thing in self.containers.values() if thing.sandbox == sandbox.name):
            return self.delete_sandbox(sandbox, busy)
        if containers and (len(containers) >= MOST_CONTAINERS or self.random.random() < 0.6):
            return self.act_on(self.random.choice(containers), busy)
        return self.create_container(sandbox, busy)

    def read_events(self, since, upto):
        connection = UnixConnection(self.daemon.socket, 10)
        found = []
        try:
            connection.request("GET", f"/v1/events?since={since}")
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            while not found or found[-1]["seq"] < upto:
                line = json.loads(response.readline())
                if line["type"] not in ("stream.opened", "heartbeat"):
                    found.append(line)
                elif since >= upto:
                    break
        finally:
            connection.close()
        return found

    def check(self):
        self.assertEqual(self.problems, [])
        containers = self.client.get("/v1/containers").json
        sandboxes = self.client.get("/v1/sandboxes").json
        known = self.events[-1]["seq"] if self.events else 0
        self.events += self.read_events(known, max(containers["resourceVersion"], sandboxes["resourceVersion"]))
        self.assertEqual([event["seq"] for event in self.events], list(range(1, len(self.events) + 1)))
        story = self.check_stories()
        story.pop(("sandbox", "first"))
        self.check_presence(self.sandboxes, {item["id"]: item for item in sandboxes["items"]}, "sandbox", story)
        there = {item["id"]: item for item in containers["items"]}
        self.check_presence(self.containers, there, "container", story)
        for name, item in there.items():
            self.check_container(self.containers[name], item, story)

    def check_stories(self):
        """(kind, id) → its events, each kind at most once and in order."""
        story = {}
        for event in self.events:
            kind, what = event["type"].split(".")
            name = event["exec"] if kind == "exec" else event.get("container", event["sandbox"])
            story.setdefault((kind, name), {})
            self.assertNotIn(what, story[kind, name], f"told twice: {event}")
            for later in ORDER[kind][ORDER[kind].index(what) + 1:]:
                self.assertNotIn(later, story[kind, name], f"told too late: {event}")
            story[kind, name][what] = event
        return story

    def check_presence(self, things, there, kind, story):
        for name in there:
            self.assertTrue(things[name].may_be_there(), f"{name} is there, but was deleted")
            self.assertIn("created", story.get((kind, name), {}), name)
        for name, thing in things.items():
            told = story.get((kind, name), {})
            if thing.must_be_there():
                self.assertIn(name, there, f"{name} is lost")
            if name not in there and told:
                self.assertIn("deleted", told, f"{name} is gone and nobody was told")
            self.assertEqual(name in there, bool(told) and "deleted" not in told, f"{name}: {told}")

    def check_container(self, thing, item, story):
        told = story["container", thing.name]
        if "start" in thing.done:
            self.assertIn("started", told, thing.name)
        if item["state"] == "running":
            self.assertIn("started", told, thing.name)
        self.assertEqual(item["state"] == "stopped", "exited" in told, f"{item} {told}")
        if item["state"] != "stopped":
            return
        self.assertEqual(item["exit"]["exitCode"], told["exited"]["exit"]["exitCode"])
        self.assertNotIn("reason", item["exit"], item)
        allowed = {thing.code} | ({137} if "kill" in thing.asked else set())
        self.assertIn(item["exit"]["exitCode"], allowed, f"{thing.name} {item}")

    def test_nothing_is_lost_when_coveyd_is_killed_at_any_moment(self):
        for number in range(ROUNDS):
            busy, self.problems = set(), []
            threads = [threading.Thread(target=self.next_operation(busy)) for _ in range(self.random.randint(1, 4))]
            for thread in threads:
                thread.start()
            time.sleep(self.random.random() * self.random.choice(LIVES) * self.unit)
            self.daemon.kill()
            for thread in threads:
                thread.join(60)
            self.daemon.start()
            try:
                # What goes on by itself (an exit, the last request of the old daemon) needs its moment.
                wait_for(self.is_consistent, 10, "a consistent view")
            except AssertionError:
                lines = [line for line in self.daemon.log().splitlines()
                         if not line.endswith('"client gone"') and " method=GET " not in line]
                print(f"round {number}", *lines[-200:], sep="\n", flush=True)
                self.check()
        total = self.read_events(0, self.events[-1]["seq"])
        self.assertEqual(total, self.events)
        self.make_and_delete("last")  # so that it has the same descriptors as before
        ends = sum(event["type"] == "container.exited" for event in self.events)
        answered = sum(len(thing.done) for thing in (*self.sandboxes.values(), *self.containers.values()))
        print(f"{ROUNDS} kills, {len(self.sandboxes)} sandboxes, {len(self.containers)} containers, "
              f"{answered} requests answered, {len(self.events)} events, {ends} ends", flush=True)
        # The dice must not make it an empty test.
        self.assertGreater(answered, ROUNDS // 4)
        self.assertGreater(ends, ROUNDS // 10)

    def is_consistent(self):
        try:
            self.check()
            return True
        except AssertionError:
            return False


if __name__ == "__main__":
    main()
