"""tests/model/README.md says which functions a step of the models stands for: `file: function` in the last column of the
tables that end with "functions". One that the code has no more is a breach. Called by lint.py."""
import re

DOCUMENT = "tests/model/README.md"


def has_function(text, name):
    """A definition: the name, its parameters, and a body, at the beginning of a statement."""
    plain = re.sub(r"//[^\n]*", "", text)
    last = re.escape(name).replace("::", r"\s*::\s*")
    return re.search(rf"^[\w\[][^\n;=]*?\b{last}\s*\([^;{{]*\{{", plain, re.M) is not None


def breaches(text, read):
    """[(line, message)]; `read` gives a file's text or None."""
    found, in_table, count = [], False, 0
    for number, line in enumerate(text.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            in_table = False
        elif cells[-1] == "functions":
            in_table = True
        elif in_table and not re.fullmatch(r"-+", cells[-1]):
            count += 1
            places = re.findall(r"`([^`]*)`", cells[-1])
            if not places:
                found.append((number, f'step "{cells[0]}" names no function'))
            for place in places:
                file, _, name = place.partition(": ")
                source = read(file)
                if source is None:
                    found.append((number, f'step "{cells[0]}" names {file}: there is no such file'))
                elif not has_function(source, name):
                    found.append((number, f'step "{cells[0]}" names {place}: there is no such function'))
    if not count:
        found.append((1, "no table of steps: its last column is headed functions"))
    return found


def check(root):
    def read(file):
        path = root / file
        return path.read_text(encoding="utf-8") if path.is_file() else None

    document = root / DOCUMENT
    return breaches(document.read_text(encoding="utf-8"), read) if document.exists() else [(1, "it is missing")]
