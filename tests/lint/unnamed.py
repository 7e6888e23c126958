"""Sources of one folder are compiled together (COVEY_UNITY), and then their unnamed namespaces are one: a helper's
name in two of them is at best a redefinition, and at worst an overload that quietly takes the other file's calls."""
import collections
import re

FOLDERS = ("lib", "daemon", "tests")
OPENING = re.compile(r"^namespace \{", re.M)
# An alias may be repeated, as long as it is the same one.
ALIAS = re.compile(r"\busing\s+(\w+)\s*=|^namespace\s+(\w+)\s*=|^using\s+[\w:]+::(\w+)$")
TYPE = re.compile(r"^(?:template\s*<.*?>\s*)?(?:struct|class|enum class|enum|union)\s+(\w+)")
NOTHING = re.compile(r"^(static_assert|using namespace|using enum|extern|friend)\b")


def blank(text):
    """Without comments, text and preprocessor lines, with every line where it was."""
    def keep_lines(found):
        return "\n" * found.group().count("\n")

    text = re.sub(r'R"(\w*)\(.*?\)\1"', keep_lines, text, flags=re.S)
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', keep_lines, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", keep_lines, text, flags=re.M)


def statements(code):
    """(offset, what stands before its ';' or '{') of all that is directly in an unnamed namespace."""
    for opening in OPENING.finditer(code):
        depth, begin = 1, opening.end()
        for at in range(begin, len(code)):
            letter = code[at]
            if letter == "{":
                if depth == 1:
                    yield begin, code[begin:at]
                depth += 1
            elif letter == "}":
                depth -= 1
                begin = at + 1
                if depth == 0:
                    break
            elif letter == ";" and depth == 1:
                yield begin, code[begin:at]
                begin = at + 1


def names(text):
    """{name: (line, alias or None)} of what a source's unnamed namespaces declare."""
    code, found = blank(text), {}
    for offset, statement in statements(code):
        line = code.count("\n", 0, offset + len(statement) - len(statement.lstrip())) + 1
        words = " ".join(statement.split())
        if not words or NOTHING.match(words):
            continue
        if alias := ALIAS.search(words):
            found[next(filter(None, alias.groups()))] = (line, words)
            continue
        kind = TYPE.match(words)
        before = words.split("=")[0]
        function = re.search(r"([\w:~]+|operator\S+)\s*\(", before)
        value = re.search(r"\b([A-Za-z_]\w*)(?:\s*\[[^\]]*\])*\s*$", before)
        name = kind or function or value
        if name and "::" not in name.group(1) and not name.group(1).startswith("operator"):
            found.setdefault(name.group(1), (line, None))
    return found


def breaches(texts):
    """(file, line, message) of each name that an earlier text has too; `texts` are those of one folder, by file."""
    first = {}
    for file, text in texts.items():
        for name, (line, alias) in names(text).items():
            other, known = first.setdefault(name, (file, alias))
            if other != file and (alias is None or alias != known):
                yield file, line, f"'{name}' is unnamed in {other} too: tell them apart, or give it one home"


def check(root):
    """(path, line, message) of each breach in the tree."""
    for top in FOLDERS:
        folders = collections.defaultdict(dict)
        for path in sorted((root / top).rglob("*.cpp")):
            folders[path.parent][path.name] = path.read_text(encoding="utf-8")
        for folder, texts in folders.items():
            for file, line, message in breaches(texts):
                yield (folder / file).relative_to(root).as_posix(), line, message
