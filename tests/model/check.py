#!/usr/bin/python3
"""Checks the models of this folder with spin, and prints one line for each property and each mutant.

    check.py [--long] [MODEL...]

The right model must have every property. Each mutant, a fault that Covey once had or could have, must break the
one that it is told with. Each "wall" takes one of several defences away: the property must still hold. What "is
seen" says that the model can do what it is about, so that no property holds of nothing. --long gives the thief
more moves, and the pod two clients at once. The status says whether all is as it must be; README.md has the tables.
"""
import argparse
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MB = 1536
HOLDS, BROKEN = "holds", "broken"

# (model, property, what is changed, what must come of it)
RIGHT = [
    ("launch", "safe", "belief, host_descriptor, nothing_left, truth, harmless"),
    ("launch", "settled", "create_answered, start_answered"),
    ("freeze", "safe", "secret, pause_stays, only_who_reaches, harmless"),
    ("freeze", "settled", "thawed, launch_answered, client_answered"),
    ("end", "safe", "exit_once, after_start, dead_means_empty, no_orphan, harmless"),
    ("end", "settled", "exit_told, start_answered, removed"),
]
SEEN = [("launch", "w_started"), ("launch", "w_exec"), ("launch", "w_nested"),
        ("freeze", "w_both"), ("freeze", "w_refused"), ("freeze", "w_guards"),
        ("end", "w_oom"), ("end", "w_buried"), ("end", "w_restart")]
MUTANTS = [
    ("launch", "belief", "BORN_BELIEVED"),
    ("launch", "belief", "ALIVE_FROM_ANY_CHILD"),
    ("launch", "host_descriptor", "L_KEPT SENDER_UNCHECKED ANY_WORD"),
    ("launch", "truth", "EMPTY_IS_END"),
    ("launch", "nothing_left", "TOLD_EARLY"),
    ("launch", "start_answered", "BYTE_ONCE"),
    ("launch", "harmless", "ABORTS"),
    ("freeze", "secret", "THAW_ON_TIMER"),
    ("freeze", "secret", "THAW_BEFORE_DEAD"),
    ("freeze", "secret", "GUARD_THAWS_AT_ONCE RUNTIME"),
    ("freeze", "secret", "FIRST_THAWS"),
    ("freeze", "secret", "RESUME_THAWS"),
    ("freeze", "secret", "NEWCOMER_RUNS"),
    ("freeze", "secret", "NO_LOCK RUNTIME"),
    ("freeze", "pause_stays", "NO_LOCK RUNTIME"),
    ("freeze", "thawed", "NO_THAW_AT_DEATH NO_HOLD_LIMIT"),
    ("freeze", "thawed", "SHIM_DEATH_FORGOTTEN"),
    ("freeze", "launch_answered", "NO_LIMIT"),
    ("freeze", "launch_answered", "GRANTS_LATE"),
    ("freeze", "only_who_reaches", "ALL_FROZEN"),
    ("end", "removed", "KNOWN_ONLY"),
    ("end", "no_orphan", "KILL_TRUSTED"),
    ("end", "no_orphan", "BURIAL_TRUSTS_KILL"),
    ("end", "dead_means_empty", "DEAD_IS_MAIN"),
    ("end", "after_start", "EXIT_FIRST"),
    ("end", "harmless", "RECORD_ENDS_SHIM"),
    ("end", "removed", "RECORD_FIRST"),
    ("end", "exit_once", "NO_INDEX"),
    ("end", "exit_told", "EVENT_ONLY"),
]
WALLS = [
    ("launch", "safe", "L_KEPT SENDER_UNCHECKED BUDGET=1"),
    ("launch", "safe", "SENDER_UNCHECKED ANY_WORD BUDGET=1"),
]
LONG = {"launch": "BUDGET=3", "freeze": "BOTH"}


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, ((MEMORY_MB + 256) << 20,) * 2)


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=limit_memory)
    return done.returncode, done.stdout + done.stderr


class Pan:
    """The checker that spin generates of one model with one set of changes."""

    def __init__(self, top, model, changes, optimized):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=top))
        defines = [f"-D{change}" for change in changes.split()]
        (self.folder / "model.pml").write_text((HERE / f"{model}.pml").read_text(encoding="utf-8"), encoding="utf-8")
        self.need(["spin", "-a", *defines, "model.pml"])
        # Processes that end with another ("provided") do not go with partial-order reduction.
        self.need(["gcc", "-O1" if optimized else "-O0", "-w", "-DNOREDUCE", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"])

    def need(self, command):
        status, text = run(command, self.folder)
        if status != 0 or "Error" in text:
            raise SystemExit(f"check.py: {' '.join(command)} in {self.folder}:\n{text}")

    def verdict(self, claim):
        """(HOLDS or BROKEN, states); anything that is not a whole search is an error."""
        _, text = run(["./pan", "-a", "-E", "-m20000", "-N", claim], self.folder)
        errors = re.search(r"errors: (\d+)", text)
        states = re.search(r"(\S+) states, stored", text)
        incomplete = re.search(r"max search depth too small|memory limit|out of memory|Search not completed", text)
        if not errors or not states or (errors[1] == "0" and incomplete):
            raise SystemExit(f"check.py: {claim} in {self.folder} came to no end:\n{text}")
        return (HOLDS if errors[1] == "0" else BROKEN), int(float(states[1]))


def lines_of(models):
    """(kind, model, claim, changes, expected, words)"""
    lines = [("right", model, claim, "", HOLDS, words) for model, claim, words in RIGHT]
    lines += [("seen", model, claim, "", BROKEN, "") for model, claim in SEEN]
    lines += [("mutant", model, claim, changes, BROKEN, "") for model, claim, changes in MUTANTS]
    lines += [("wall", model, claim, changes, HOLDS, "") for model, claim, changes in WALLS]
    return [line for line in lines if line[1] in models]


def main():
    parser = argparse.ArgumentParser(description="Checks the models of this folder with spin.")
    parser.add_argument("--long", action="store_true", help="a thief with more moves, two clients at once")
    parser.add_argument("models", nargs="*", default=["launch", "freeze", "end"], metavar="MODEL")
    arguments = parser.parse_args()
    if shutil.which("spin") is None:
        print("skipped: spin is not installed (Debian: apt-get install spin)")
        return 77
    began, wrong, pans = time.monotonic(), 0, {}
    print(f"{'':7} {'model':7} {'property':18} {'changed':34} {'verdict':8} {'states':>9}")
    with tempfile.TemporaryDirectory(prefix="covey-model.") as top:
        for kind, model, claim, changes, expected, words in lines_of(arguments.models):
            if arguments.long and kind == "right":
                changes = LONG.get(model, "")
            if (model, changes) not in pans:
                pans[model, changes] = Pan(top, model, changes, expected == HOLDS)
            verdict, states = pans[model, changes].verdict(claim)
            is_wrong = verdict != expected
            wrong += is_wrong
            # A wish that never comes true is broken by being seen.
            shown = {HOLDS: "never", BROKEN: "seen"}[verdict] if kind == "seen" else verdict
            print(f"{kind:7} {model:7} {claim:18} {changes or '-':34} {shown:8} {states:9}"
                  f"{'  WRONG' if is_wrong else ''}{'  ' + words if words else ''}", flush=True)
    print(f"{wrong} wrong; {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
