"""Words of others that Covey shows to a person, or could take for a fact: what answers at coveyd's address, and what processes of a
pod call themselves."""
import http.client
import json
import os
import pathlib
import socket
import socketserver
import subprocess
import threading

from fronts import wait_for
from hostile_test import CoveydFront, HostileTest, main, on_both_fronts
from pods import BIN, PATIENCE, Call, free_of_controls

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\r\u202e"
# As printf of a shell has it: a colour and a byte of no alphabet; a title, and a line of its own.
NAME, WORD = r"\033[31m\377x", r"\033]0;owned\007\377\n1 root"


def with_escapes(value):
    """The same answer, each text of it followed by what a terminal obeys; its structure, and what is counted, are true."""
    if isinstance(value, dict):
        return {key: with_escapes(one) for key, one in value.items()}
    if isinstance(value, list):
        return [with_escapes(one) for one in value]
    return value + ESCAPES if isinstance(value, str) else value


def with_other_kinds(value):
    """Each text a number, each number a text, each list an object."""
    if isinstance(value, dict):
        return {key: with_other_kinds(one) for key, one in value.items()}
    if isinstance(value, list):
        return {"0": [with_other_kinds(one) for one in value]}
    return 7 if isinstance(value, str) else str(value)


def told_as_error(_value):
    return {"type": ESCAPES, "title": ESCAPES, "status": 500, "detail": f"no{ESCAPES}", "fix": f"do{ESCAPES}", "code": f"internal{ESCAPES}",
            "causes": [ESCAPES], "instance": ESCAPES}


def body_of(lie):
    return lambda text: json.dumps(lie(json.loads(text) if text else {})).encode()


# What becomes of an answer's body, and of its status.
LIES = {
    "escapes": (body_of(with_escapes), None),
    "other kinds": (body_of(with_other_kinds), None),
    "an error": (body_of(told_as_error), 500),
    "half of it": (lambda text: text[:len(text) // 2], None),
    "deep": (lambda _: b"[" * 200_000, None),
    "no JSON": (lambda _: ESCAPES.encode() + b"\xff\xfe", None),
    "nothing": (lambda _: b"", None),
}
COMMANDS = (["ps"], ["ps", "-a"], ["-o", "wide", "ps"], ["-o", "json", "ps"], ["-o", "name", "ps"], ["sandbox", "ls"], ["-o", "json", "sandbox", "ls"],
            ["sandbox", "inspect", "POD"], ["inspect", "CONTAINER"], ["tree"], ["tree", "POD"], ["version"], ["doctor"], ["access", "POD"],
            ["events"], ["-o", "json", "events"], ["-v", "inspect", "CONTAINER"])


class Liar(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Between the command and a true coveyd, at an address of its own."""
    daemon_threads = True

    def __init__(self, address, true_address):
        self.true_address, self.lie = true_address, None
        super().__init__(address, Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode().split()
        length = 0
        while (header := self.rfile.readline().strip()):
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        if len(line) < 2:
            return
        body = self.rfile.read(length)
        true = http.client.HTTPConnection("covey", timeout=PATIENCE)
        true.sock = socket.socket(socket.AF_UNIX)
        true.sock.settimeout(PATIENCE)
        true.sock.connect(self.server.true_address)
        true.request(line[0], line[1], body or None, {"Content-Type": "application/json"} if body else {})
        response = true.getresponse()
        # Of a stream that does not end the first part, which is enough to lie with.
        endless = "events" in line[1]
        text = response.read1(65536) if endless else response.read()
        true.close()
        change, status = self.server.lie
        try:
            text = change(text)
        except ValueError:
            text = change(b"{}")  # lines of events are no JSON together
        self.wfile.write(f"HTTP/1.1 {status or response.status} {ESCAPES[:8]!r}\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)


class Answers(HostileTest):
    """Whoever has taken coveyd's address: his lies end in an error, and never speak to the operator's terminal."""
    front_class = CoveydFront

    def covey(self, address, words):
        return subprocess.run([str(BIN / "covey"), "-H", address, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)

    def test_the_commands_of_a_person(self):
        pod = self.front.pod()
        container = pod.run(["sleep", "1000"], mode="pod")
        address = str(self.folder / "liar.sock")
        with Liar(address, self.front.daemon.socket) as liar:
            try:
                for name, lie in LIES.items():
                    liar.lie = lie
                    for words in COMMANDS:
                        words = [{"POD": pod.name, "CONTAINER": container.name}.get(word, word) for word in words]
                        with self.subTest(lie=name, words=words):
                            run = self.covey(address, words)
                            said = run.stdout.decode(errors="replace")
                            self.assertIn(run.returncode, range(0, 126), f"it was ended by a signal\n{said}")
                            self.assertTrue(free_of_controls(said), repr(said))
                            if name in ("half of it", "deep", "no JSON", "nothing"):
                                self.assertTrue(said, "an answer that is none is not passed over in silence")
            finally:
                liar.shutdown()
                os.unlink(address)
        self.assert_far_works(container)


@on_both_fronts
class Names:
    """Whatever a process calls itself is text to be shown, and no identity."""

    def liars(self, pod):
        """One with a name and an argument of no alphabet, one that calls itself as Covey's own program does."""
        program = f'ln -s /bin/thief "/tmp/$(printf "{NAME}")"; cp /bin/thief "/tmp/$(printf "{NAME}")2"; ' \
                  f'exec "/tmp/$(printf "{NAME}")2" stay "$(printf "{WORD}")"'
        strange = pod.run(["sh", "-c", program], mode="pod")
        shim = pod.run(["sh", "-c", "cp /bin/thief /tmp/covey-shim; exec /tmp/covey-shim stay"], mode="pod")
        for one, name in ((strange, "\x1b[31m"), (shim, "covey-shim")):
            comm = pathlib.Path(f"/proc/{one.host_pid}/comm")
            wait_for(lambda comm=comm, name=name: name in comm.read_text(errors="replace"), 10)
        return strange, shim

    def assert_shown(self, what, call):
        self.assert_works(what, call)
        self.assertTrue(free_of_controls(call.text), f"{what}: {call.text!r}")

    def test_what_processes_call_themselves(self):
        pod, near, far = self.bystanders()
        strange, shim = self.liars(pod)
        for what, call in self.looks(pod, strange):
            self.assert_shown(what, call)
        self.forget_and_find()
        self.assert_near_works(shim)
        self.assert_bystanders_work(near, far, strange)
        self.assert_deleted("who is called covey-shim", shim)
        self.assert_bystanders_work(near, far, strange)
        self.assert_deleted("the strange one", strange)
        self.assertTrue(free_of_controls(self.front.log()), "the log has a container's bytes in it")

    def looks(self, pod, one):
        """(what, call) of all that shows processes."""
        if self.front.name != "coveyd":
            return [(" ".join(words), self.front.call(*words)) for words in (["ps", one.name], ["list"], ["state", one.name])]
        calls = [("processes", self.front.call("GET", f"/v1/sandboxes/{pod.name}/processes"))]
        for words in (["ps"], ["-o", "wide", "ps"], ["-o", "json", "ps"], ["tree", pod.name], ["inspect", one.name]):
            run = subprocess.run([str(BIN / "covey"), "-H", self.front.daemon.socket, *words], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
            calls.append((" ".join(words), self.as_call(run)))
        return calls

    @staticmethod
    def as_call(run):
        return Call(run.returncode == 0, run.stdout.decode(errors="replace"), 0, run.returncode)

    def forget_and_find(self):
        """A coveyd that comes anew looks for its shims in /proc."""
        if self.front.name == "coveyd":
            self.front.daemon.kill()
            self.front.daemon.start()


if __name__ == "__main__":
    main()
