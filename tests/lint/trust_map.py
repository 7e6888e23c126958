"""docs/SECURITY.md has a row for each channel of Covey's, and names the places in the code where it is made or spoken
on: `file: call`, or `file: call ×N`. A place without a row, a row without a place, a wrong count, an id that only one
of the tables knows, and a test that is not there are breaches. Called by lint.py.

    trust_map.py ROOT    prints the places that the code has
"""
import collections
import pathlib
import re
import sys

import conformance

DOCUMENT = "docs/SECURITY.md"
HEADING = "## Places"
# What makes a channel, opens one that somebody else made, sends over one, or takes something from outside.
CALLS = re.compile(
    r"(?<![\w.>])(?:sys::|std::|::)?"
    r"(socketpair|seqpacket_pair|two_seqpacket_pairs|make_pipe|mkfifo_at|\w+_listen_at|\w+_connect_at|datagram_bind_at|send_datagram_to|"
    r"send_packet|memfd_create|memory_file|sealed_copy|pidfd_getfd|join_session_keyring|new_session_keyring|secure_getenv|getenv|"
    # Other programs, signals as messages, and what a command line takes from the environment.
    r"exec_fd|exec_path|signalfd|eventfd|mkdtemp)\s*\(|\b(sys::spawn)\s*\(|\b(signal_set)\s+\w+\{|->(envname)\s*\(|"
    r"\b(sys::accept|sd_bus_open_system|sd_bus_open_user)\s*\(|socket\.(connect)\s*\(|(?<![\w.>])(?:::)?(environ)\b|"
    # A descriptor that another program inherits at a fixed number.
    r"\bconstexpr int (k\w*(?:Fd|Control|OwnFile))\b(?=[^;\"]*=\s*\d)")
# The wrappers themselves are one place; who calls them is what counts.
HOME = re.compile(r"^lib/sys/")


def code_of(text):
    """Without comments and strings."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', "", text, flags=re.S)


def places_in(path, text):
    """Counter of "file: call" in one file."""
    if HOME.match(path):
        return collections.Counter()
    names = (next(filter(None, match.groups())).removeprefix("sys::") for match in CALLS.finditer(code_of(text)))
    return collections.Counter(f"{path}: {name}" for name in names)


def places(root):
    found = collections.Counter()
    for folder in ("lib", "daemon"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".c"):
                found += places_in(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    return found


def rows(text):
    """(line, id, cells) of each row of a table whose first column is "id"."""
    in_table = False
    for number, line in enumerate(text.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            in_table = False
        elif cells[0] == "id":
            in_table = True
        elif in_table and not re.fullmatch(r"-+", cells[0]):
            yield number, cells[0], cells[1:]


def test_breaches(line, name, cell, known):
    for test in re.findall(r"`([^`]*)`", cell):
        file, _, title = test.partition(": ")
        folder = file.split("/")[0] + "/"
        if not any(other.startswith(folder) for other in known):
            continue  # a whole folder of tests that is not there yet
        if title not in known.get(file, ()):
            yield line, f'row {name} names the test "{test}": it is not there'
    if "`" not in cell and not cell.startswith(("–", conformance.NONE)):
        yield line, f'row {name} names no test: write one, "{conformance.NONE}", or – where nobody can lie'


def breaches(text, code, known):
    """[(line, message)]; `code`: Counter of places, `known`: {file: names of tests}."""
    found, channels, named = [], {}, collections.Counter()
    start = text.count("\n", 0, text.find(HEADING)) + 1 if HEADING in text else 1
    for line, name, cells in rows(text):
        if line < start:
            channels[name] = line
            found += test_breaches(line, name, cells[-1], known)
            continue
        if name not in channels:
            found.append((line, f"places of {name}: no channel has this id"))
        channels[name] = 0
        for place in re.findall(r"`([^`]*)`", " ".join(cells)):
            place, _, count = place.partition(" ×")
            named[place] += int(count or 1)
            if place not in code:
                found.append((line, f"row {name} names {place}: the code has it no more"))
    found += [(line, f"channel {name} has no row of places") for name, line in channels.items() if line]
    for place in sorted(code.keys() | named.keys()):
        if place in code and code[place] != named[place]:
            found.append((start, f"{place}: the code has it {code[place]} times, the table {named[place]}: "
                                 f"say whose channel it is, and what a liar gets"))
    if not channels:
        found.append((1, "no table of channels: its first column is headed id"))
    return found


def check(root):
    document = root / DOCUMENT
    if not document.exists():
        return [(1, "the trust map is missing")]
    return breaches(document.read_text(encoding="utf-8"), places(root), conformance.known_tests(root))


if __name__ == "__main__":
    for one, times in sorted(places(pathlib.Path(sys.argv[1])).items()):
        print(one if times == 1 else f"{one} ×{times}")
