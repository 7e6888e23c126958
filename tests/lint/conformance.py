"""docs/CONFORMANCE.md names the test of each clause: `file below tests/: its name`, or `suite: file` for one of the
validation suite. A name that is not there, and a row without any, is a breach. Called by lint.py."""
import re

DOCUMENT = "docs/CONFORMANCE.md"
SUITE = "tests/engines/validation/expected.txt"
NONE = "none yet"
# A test of Catch2 whose title may be several literals in a row, and a method of unittest.
CATCH = re.compile(r'^TEST_CASE(?:_METHOD\([^,"]*,|\()\s*((?:"(?:\\.|[^"\\\n])*"\s*)+)', re.M)
METHOD = re.compile(r"^    def (test_\w+)\(", re.M)
FUNCTION = re.compile(r"^(\w+)\(\) \{", re.M)  # of a check that runs in a virtual machine


def names_in(path, text):
    if path.endswith(".py"):
        return set(METHOD.findall(text))
    if path.endswith(".sh"):
        return set(FUNCTION.findall(text))
    titles = ("".join(re.findall(r'"((?:\\.|[^"\\])*)"', match[1])) for match in CATCH.finditer(text))
    return {re.sub(r"\\(.)", r"\1", title) for title in titles}


def known_tests(root):
    """{file: names}; "suite" has the files that covey-runtime passes."""
    known = {}
    for path in (root / "tests").rglob("*"):
        if path.suffix in (".py", ".cpp") or path.name.endswith("_check.sh"):
            name = path.relative_to(root / "tests").as_posix()
            known[name] = names_in(name, path.read_text(encoding="utf-8"))
    lines = (line.split() for line in (root / SUITE).read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    known["suite"] = {words[0] for words in lines if len(words) > 1 and words[1] == "pass"}
    return known


def rows(text):
    """(line, clause, last cell) of each row of the tables whose last column is "test"."""
    in_table = False
    for number, line in enumerate(text.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            in_table = False
        elif cells[-1] == "test":
            in_table = True
        elif in_table and not re.fullmatch(r"-+", cells[-1]):
            yield number, cells[0], cells[-1]


def breaches(text, known):
    """[(line, message)]"""
    found, count = [], 0
    for line, clause, cell in rows(text):
        count += 1
        tests = re.findall(r"`([^`]*)`", cell)
        if not tests and not cell.startswith(NONE):
            found.append((line, f'row "{clause}" names no test: write one, or "{NONE}"'))
        for test in tests:
            file, _, name = test.partition(": ")
            if file not in known:
                found.append((line, f'row "{clause}" names a test of "{file}": there is no such file below tests/'))
            elif name not in known[file]:
                where = f"the files that pass in {SUITE}" if file == "suite" else f"tests/{file}"
                found.append((line, f'row "{clause}" names the test "{name}": it is not in {where}'))
    if not count:
        found.append((1, "no table of clauses: its last column is headed test"))
    return found


def check(root):
    document = root / DOCUMENT
    return breaches(document.read_text(encoding="utf-8"), known_tests(root)) if document.exists() else []
