#!/usr/bin/python3
"""Runs the OCI runtime-tools validation suite and compares with expected.txt.

    run.py FOLDER [NAME…]     FOLDER: see build.sh
    run.py --table            expected.txt as docs/CONFORMANCE.md has it

$COVEY_RUNTIME (default: covey-runtime of the build) is tested. Prints a table and fails when a file that expected.txt
says passes does not, or when docs/CONFORMANCE.md says something else; a file that does better than expected is named.
COVEY_VALIDATION_LOGS=DIR keeps each file's output."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import private  # noqa: E402

CGROUPS = threading.Lock()  # the files on cgroups all use the same path
SECONDS = 20  # the longest waits ten for a container that ends


def read_expectations():
    """{file: (covey, runc, reason)}"""
    found = {}
    for line in (HERE / "expected.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, covey, runc, *reason = line.split(None, 3)
            found[name] = (covey, runc, reason[0] if reason else "")
    return found


def table():
    rows = [f"| {name} | {covey} | {runc} | {reason} |" for name, (covey, runc, reason) in read_expectations().items()]
    return "\n".join(["| file | covey-runtime | runc 1.1.5 | why it fails, or races |", "|---|---|---|---|", *rows, ""])


def verdict(status, text):
    """(passed, why not). Results of runtimetest inside the container are quoted in the outer stream as JSON. The
    files on hooks print no result: either nothing, or what is wrong as a detail."""
    failures = [line for line in re.split(r"\n|\\n", text) if re.match(r'\s*("\w+":")?not ok\b', line) and not re.search(r"# T\wDO", line)]
    if failures:
        return False, failures[0].strip()
    if status != 0:
        last = [line for line in text.splitlines() if line.strip()]
        return False, f"status {status}: {last[-1] if last else ''}"
    if "TAP version" not in text:
        return False, "no result"
    wrong = None if re.search(r"^ok \d+", text, re.M) else re.search(r'^  \{"error":"([^"\\]*)', text, re.M)
    return not wrong, wrong[1] if wrong else ""


class File:
    """One program of the suite, with folders of its own, as several run at once."""

    def __init__(self, name, out, folder):
        self.name, self.out, self.folder = name, out, folder / name
        self.state = self.folder / "state"
        for path in (self.folder, self.state, self.folder / "tmp"):
            path.mkdir()
        self.wrapper = self.folder / "runtime"  # the suite calls `$RUNTIME create …` without a --root
        self.wrapper.write_text(f'#!/bin/sh\nexec {private.RUNTIME} --root {self.state} "$@"\n', encoding="ascii")
        self.wrapper.chmod(0o755)

    def run(self):
        """(self, passed, why not, seconds)"""
        with CGROUPS if re.search("cgroups|resources", self.name) else contextlib.nullcontext():
            begin = time.monotonic()
            status, text = self.status_and_text()
            seconds = time.monotonic() - begin
            self.delete_left()
        if "COVEY_VALIDATION_LOGS" in os.environ:
            pathlib.Path(os.environ["COVEY_VALIDATION_LOGS"], self.name + ".log").write_text(text, encoding="utf-8")
        return (self, *verdict(status, text), seconds)

    def status_and_text(self):
        environment = {"PATH": os.environ["PATH"], "RUNTIME": str(self.wrapper), "TMPDIR": str(self.folder / "tmp"), "HOME": "/"}
        with open(self.folder / "out", "w+b") as out:
            process = subprocess.Popen([f"./{self.name}"], cwd=self.out, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=subprocess.STDOUT)
            try:
                status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = "timeout"
            out.seek(0)
            return status, out.read().decode(errors="replace")

    def delete_left(self):
        """Many files never delete the container that they made; the runtime must be able to."""
        for container in self.state.glob("*"):
            subprocess.run([self.wrapper, "delete", "--force", container.name], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False)


def is_the_suites(leak):
    """cgroupsPath is "testdir/cgrouptest/container": who made the groups above cannot be known, so they stay. linux_ns_itype makes a
    container without a mount namespace: its mounts are the host's, as was asked for."""
    return re.match(r"cgroup: .*/testdir(/cgrouptest)?$|mount: .*/linux_ns_itype/", leak)


def run_all(out, names, folder):
    expectations = read_expectations()
    surprises, passed_files = [], 0
    leaks = private.Leaks()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for file, passed, why, seconds in pool.map(lambda name: File(name, out, folder).run(), names):
            covey, runc, reason = expectations.get(file.name, ("unlisted", "unlisted", ""))
            wanted = runc if private.IS_RUNC else covey
            got = "pass" if passed else "fail"
            passed_files += passed
            note = reason if got == wanted or wanted == "either" else f"EXPECTED {wanted}"
            print(f"{file.name:36} {got}  {seconds:5.1f} s  {'; '.join(filter(None, [note, why[:150]]))}", flush=True)
            surprises += [f"{file.name}: {got}"] if not passed and wanted not in ("fail", "either") else []
            surprises += [f"{file.name}: its state folder still has {path.name}" for path in file.state.glob("*")]
    print(f"{passed_files} of {len(names)} files pass with {private.RUNTIME}")
    private.reap_orphans()
    left = [leak for leak in leaks.found() if not is_the_suites(leak)]
    private.remove_cgroups(item[8:] for item in leaks.found(0) if item.startswith("cgroup: "))
    return surprises + [f"left behind: {leak}" for leak in left if not private.IS_RUNC]


def main():
    if sys.argv[1:] == ["--table"]:
        print(table(), end="")
        return
    if table() not in (HERE.parents[2] / "docs/CONFORMANCE.md").read_text(encoding="utf-8"):
        sys.exit("docs/CONFORMANCE.md does not have the table of expected.txt: put the output of run.py --table there")
    out = pathlib.Path(sys.argv[1]).resolve() / "out"
    if not (out.parent / "stamp").exists():
        print("SKIP: build.sh could not fetch the suite")
        sys.exit(77)
    names = sys.argv[2:] or sorted(path.name for path in out.iterdir() if path.name != "runtimetest" and not path.name.startswith("rootfs-"))
    folder = private.enter()
    try:
        surprises = run_all(out, names, folder)
    finally:
        private.leave(folder)
    for surprise in surprises:
        print(f"unexpected: {surprise}")
    sys.exit(1 if surprises else 0)


if __name__ == "__main__":
    main()
