"""Kinds 11 and 16: what a request names as a container's streams. No folder and nothing that stands for one; and no path through a
place that a container writes."""
import json
import os

import fronts
from hostile_test import HostileTest, main


class Streams(HostileTest):
    """coveyd alone: covey-runtime's streams are its caller's."""

    front_class = fronts.CoveydFront

    def create(self, pod, stdio, args):
        """A container with these streams: its create's Call, and what it wrote."""
        name = self.front.next_name("c")
        folder = self.front.folder / name
        (folder / "config.json").parent.mkdir()
        config = self.front.config(args, fronts.make_rootfs(folder / "rootfs"))
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        output = folder / "output"
        body = {"sandbox": pod.name, "bundle": str(folder), "stdio": {"stdout": f"file:{output}", **stdio}}
        made = self.front.call("PUT", f"/v1/containers/{name}", body)
        if made.ok:
            self.front.call("POST", f"/v1/containers/{name}/start")
            self.front.call("GET", f"/v1/containers/{name}/wait")
            self.front.call("DELETE", f"/v1/containers/{name}?force=true")
        return made, output.read_text(encoding="ascii") if output.exists() else ""

    def test_a_folder_is_no_stream(self):
        """Won: the private container read the host's files beneath its descriptor 0."""
        pod = self.front.pod()
        for path in (self.folder, "/", "/proc/self/root", "/proc/self/cwd", "/proc/thread-self/root", "/dev", "/proc"):
            for stream in ("stdin", "stdout", "stderr"):
                with self.subTest(path=path, stream=stream):
                    descriptor = {"stdin": 0, "stdout": 1, "stderr": 2}[stream]
                    inside = str(self.canary)[1:] if path != self.folder else "canary"
                    made, said = self.create(pod, {stream: f"file:{path}"}, ["thief", "read-below", str(descriptor), inside])
                    self.assertFalse(made.ok, f"{made} {said}")
                    self.assertNotIn("the host's secret", said)
                    self.assertNotIn('"internal"', made.text)

    def test_a_stream_through_a_folder_that_a_container_exchanged(self):
        """Won: new.log was made in a folder of the host, and a file there was read as stdin."""
        pod = self.front.pod()
        volume = self.folder / "volume"
        (volume / "logs").mkdir(parents=True)
        os.mkfifo(self.folder / "fifo")
        try:
            thief = pod.run(["sleep", "1000"], mode="nested", access="private", volumes={"/volume": volume})
            moved = thief.exec("sh", "-c", f"busybox mv /volume/logs /volume/old && busybox ln -s {self.folder} /volume/logs")
            self.assertEqual(moved.code, 0, moved)
            for stdio in ({"stdout": f"file:{volume}/logs/new.log"}, {"stderr": f"file:{volume}/logs/new.log"},
                          {"stdin": f"file:{volume}/logs/canary"}, {"stdin": f"fifo:{volume}/logs/fifo"},
                          {"stdout": f"fifo:{volume}/logs/fifo"}):
                with self.subTest(stdio=stdio):
                    made, said = self.create(pod, stdio, ["cat"] if "stdin" in stdio else ["echo", "* * * * * root thief"])
                    self.assertFalse((self.folder / "new.log").exists(), "a file of the host was made")
                    self.assertNotIn("the host's secret", said)
                    self.assertFalse(made.ok, made)
        finally:
            self.clear()
            for name in ("new.log", "fifo"):
                (self.folder / name).unlink(missing_ok=True)
            fronts.shutil.rmtree(volume)


if __name__ == "__main__":
    main()
