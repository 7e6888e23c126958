#!/usr/bin/python3
"""House rules that no compiler checks. Prints one line for each breach; the status says whether there was one.

    lint.py [SOURCE-ROOT]

A line may be excused where it stands, with a reason: // lint: allow RULE because …
"""
import pathlib
import re
import sys

import conformance
import model_steps
import trust_map
import unnamed

# Who may include whom (docs/ARCHITECTURE.md). "covey" is the public interface; its error and version
# headers belong to the lowest floor and are free to all.
LIB = {"base", "sys", "spec", "cgroup", "store", "plan", "launch", "core"}
FLOORS = {
    "lib/include": set(),
    "lib/pause": set(),
    "lib/base": set(),
    "lib/sys": {"base"},
    "lib/spec": {"base"},
    "lib/cgroup": {"sys", "base"},
    "lib/store": {"sys", "base"},
    "lib/systemd": {"sys", "base"},
    "lib/plan": {"spec", "sys", "base"},
    "lib/launch": {"plan", "spec", "sys", "base", "cgroup", "store"},  # the launcher loads the bundle
    "lib/core": LIB - {"core"} | {"covey"},
    "lib/task": LIB | {"covey"},
    "lib/shim": LIB | {"covey", "task"},
    "lib/runtime": LIB | {"covey", "task"},
    "daemon/api": {"covey", "core", "store", "base", "cgroup", "sys", "engine"},
    "daemon/bundle": {"covey", "base"},
    "daemon/engine": {"covey", "core", "store", "base", "cgroup", "sys", "api", "bundle"},
    "daemon/server": {"covey", "core", "base", "sys", "api", "engine"},
    "daemon/ctl": {"covey", "base", "sys", "bundle"},
    "daemon": {"covey", "core", "store", "base", "sys", "server", "api", "engine"},
}
EVERYWHERE = {"covey/error.hpp", "covey/version.hpp"}
# Plain data that another floor's types are made of.
DATA_HEADERS = {"lib/plan": {"cgroup/limits.hpp"}, "daemon": {"spec/tables.hpp", "spec/id_mappings.hpp", "spec/problem.hpp", "spec/json_reader.hpp"}}
JSON_FILES = re.compile(r"(codec|parse|load|dump|reader|fields|/json|store/(journal|record)|engine/records)\w*\.(cpp|hpp)$|^daemon/ctl/.*\.cpp$")

# Calls with a home. (pattern, where they are at home, what to do elsewhere)
OURS = r"^(lib|daemon)/"
HOMES = [
    (r"(?<![\w.])(system|popen|getpwnam(_r)?|getgrnam(_r)?|dlopen)\s*\(", r"^$", "never: it runs or loads foreign code"),
    # A thread that a tenant may keep in the kernel for ever can be joined by nobody.
    (r"\bdetach\s*\(\s*\)", r"^lib/core/patient_reading\.cpp$|^daemon/engine/beside\.hpp$|^tests/hostile/thieves/", "a thread has an owner that joins it"),
    (r"(?<![\w.])u?sleep\s*\(|\bsleep_(for|until)\s*\(", r"^tests/(bench|probe|hostile/thieves)/", "wait for an event, not for a time"),
    # cgroup v1 tells nobody when a group becomes empty or a freeze is done: there it is polled.
    (r"(?<![\w.])(clock_)?nanosleep\s*\(", r"^tests/|^lib/cgroup/", "wait for an event, not for a time"),
]
OUR_HOMES = [
    (r"(?<![\w.>:])(?:::)?(v?fork|clone|dup|openat|openat2|pipe2?|creat|fopen)\s*\(|(?<![\w:>])::open\s*\(",
     r"^lib/(sys|pause)/", "use the wrapper in lib/sys"),
    # The one place where a number matters: a child's standard streams.
    (r"(?<![\w.>:])(?:::)?dup[23]\s*\(|(?<![\w.>])::close\s*\(",
     r"^lib/(base|sys|pause|launch|task|shim|runtime)/", "use the wrapper in lib/sys"),
    # mount(2); a method may have the name.
    (r"(?<![\w.>:])(?:::mount\s*\(|mount\s*\((?=[^;]*\bMS_[A-Z])|(?:::)?umount2?\s*\(|(?:::)?(?:pivot_root|chroot)\s*\()",
     r"^lib/(sys|pause)/", "mounts are made by descriptor, in lib/sys"),
    # libc's getcwd(3) hides what the raw one says about a folder outside the root.
    (r"(?<![\w.>])syscall\s*\((?!SYS_getcwd)", r"^lib/(sys|pause)/|^lib/cgroup/devices_bpf\.cpp$", "raw system calls live in lib/sys"),
    (r"(?<![\w.>])::(socket|socketpair|accept4?|kill|waitpid)\s*\(", r"^lib/(sys|pause|base)/", "use the wrapper in lib/sys"),
]
# A descriptor is close-on-exec at birth. (call, the flag its statement must have)
BIRTHS = [
    (r"(?<![\w.>])(?:(?<!\w)::)?(?<!sys::)(?:openat|open)\s*\((?=[^;]*\bO_[A-Z]+)", "O_CLOEXEC", r"sys::open"),
    (r"(?<![\w.>:])(?:::)?(?:socket|socketpair|accept4)\s*\((?=[^;]*\b(?:AF|PF|SOCK)_)", "SOCK_CLOEXEC", None),
    (r"(?<![\w.>:])(?:::)?accept\s*\((?=\w+, nullptr|\w+, NULL)", "accept4", None),
    (r"(?<![\w.>:])(?:::)?pipe2?\s*\((?=\s*[\w.]+\s*[,)])", "O_CLOEXEC", None),
    (r"\bmemfd_create\s*\((?=\")", "MFD_CLOEXEC", None),
    (r"\bepoll_create1?\s*\((?=\w)", "EPOLL_CLOEXEC", None),
]
MAX_LINES = {".cpp": 500, ".c": 500, ".py": 500, ".sh": 500, ".hpp": 200, ".h": 200}
MAX_FUNCTION = 80
MAX_MAIN = 100


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def code_only(text):
    """The text with comments and the insides of literals blanked, line for line."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\((?:.*?)\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\''
    blank = lambda m: '""' + re.sub(r"[^\n]", " ", m[0])[2:] if m[0][0] in 'R"' else re.sub(r"[^\n]", " ", m[0])
    return re.sub(pattern, blank, text, flags=re.S)


def is_cpp(path):
    return path.endswith((".cpp", ".hpp", ".c", ".h"))


def includes(text):
    for match in re.finditer(r'^#include ([<"])([^>"]+)[>"]', text, re.M):
        yield line_of(text, match.start()), match[2], match[1] == '"'


def rule_floors(path, text, _code):
    folder = next((f for f in sorted(FLOORS, key=len, reverse=True) if path.startswith(f + "/")), None)
    if folder is None:
        return
    own = folder.split("/")[-1]
    for line, name, quoted in includes(text):
        if not quoted or name in EVERYWHERE | DATA_HEADERS.get(folder, DATA_HEADERS.get(folder.split("/")[0], set())):
            continue
        top = name.split("/")[0]
        if "/" not in name:
            yield line, f'write "{own}/{name}": includes start at the root'
        elif top != own and not (own == "include" and top == "covey") and top not in FLOORS[folder]:
            yield line, f"{folder} may not include {top}/ (a floor above it, or none of its business)"


def rule_third_party(path, text, _code):
    for line, name, _ in includes(text):
        if path.startswith("lib/") and name.startswith("boost/"):
            yield line, "no Boost under lib/"
        if re.match(OURS, path) and name == "base/json.hpp" and not JSON_FILES.search(path):
            yield line, "json.hpp costs a second and more a file: only in codecs (json_fwd.hpp elsewhere)"
        if name == "nlohmann/json.hpp" and path != "lib/base/json.hpp":
            yield line, 'write "base/json.hpp": there the class is compiled once'
        if path.startswith("lib/include/") and re.match(r"nlohmann|boost|seccomp|sys/capability|fmt", name):
            yield line, "a public header shows no third party's types"


def rule_banned_calls(path, _text, code):
    for pattern, home, advice in HOMES + (OUR_HOMES if re.match(OURS, path) else []):
        if re.search(home, path):
            continue
        for match in re.finditer(pattern, code):
            before = code[code.rfind("\n", 0, match.start()) + 1:match.start()]
            if re.search(r"^\s*(?:\[\[nodiscard\]\] |virtual |static |inline )*(?:[\w:<>]+[&*]* )$", before) \
                    and not re.search(r"\b(return|throw|co_await|co_return|else) $", before):
                continue  # a declaration of our own that has the same name
            yield line_of(code, match.start()), f"{match[0].strip(' (')}: {advice}"


def rule_cloexec(path, _text, code):
    for pattern, flag, unless in BIRTHS:
        for match in re.finditer(pattern, code):
            start = max(code.rfind(c, 0, match.start()) for c in ";{}") + 1
            end = code.find(";", match.start())
            statement = code[start:end if end >= 0 else len(code)]
            if flag not in statement and not (unless and re.search(unless, statement)):
                yield line_of(code, match.start()), f"{match[0].strip(' (')} without {flag}"


def rule_coroutines(_path, _text, code):
    """g++ 12 miscompiles both (daemon/engine/async.hpp says how it was seen)."""
    for match in re.finditer(r"\b(?:if|while|switch|for)\s*\(", code):
        depth, at = 1, match.end()
        while depth and at < len(code):
            depth += {"(": 1, ")": -1}.get(code[at], 0)
            at += 1
        condition = code[match.end():at - 1]
        if "co_await" in condition and "{" not in condition:
            yield line_of(code, match.start()), "co_await in a condition: give its result a name first"


def rule_using(path, _text, code):
    """What a source takes in for itself, the others of its unity group would have too."""
    if not path.startswith(("lib/", "daemon/")) or path.endswith("main.cpp"):
        return
    for found in re.finditer(r"^using (?:enum|namespace) (?!\S*literals;)[^\n]*", code, re.M):
        yield line_of(code, found.start()), "takes names into every source of the group: inside a function"


def rule_file_size(path, text, _code):
    limit = MAX_LINES.get(pathlib.PurePath(path).suffix)
    if re.match(OURS, path) and path.endswith("/main.cpp"):
        limit = MAX_MAIN
    lines = text.count("\n")
    if limit and lines > limit:
        yield limit, f"{lines} lines, at most {limit}: one file, one job"


def rule_function_size(path, _text, code):
    """Rough: the outermost brace that follows a parameter list, and is no class or namespace."""
    code = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.M)
    stack, since = [], 0
    for match in re.finditer(r"[{};]", code):
        sign, at = match[0], match.start()
        if sign == "{":
            head = code[since:at]
            is_scope = re.search(r"\b(namespace|class|struct|union|enum|extern)\b[^()=]*$", head)
            is_function = ")" in head and not is_scope and not any(f for f, _ in stack)
            stack.append((is_function, at))
        elif sign == "}" and stack:
            is_function, start = stack.pop()
            length = code.count("\n", start, at) + 1
            if is_function and length > MAX_FUNCTION:
                yield line_of(code, start), f"a function of {length} lines, at most {MAX_FUNCTION}"
        since = at + 1


def rule_header(path, text, _code):
    if not path.endswith((".hpp", ".h")):
        return
    if not re.search(r"^#pragma once$", text, re.M):
        yield 1, "#pragma once is missing"
    if not text.startswith("//"):
        yield 1, "a header starts with what it owns, who calls it, thread rule, may it block"


def rule_text(path, text, _code):
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line) and not path.startswith("tests/lint/"):
            yield number, "unfinished work belongs into an issue"
        if re.search(r"[ \t]+$", line) and not path.endswith(".md"):
            yield number, "trailing space"
        if is_cpp(path) and "\t" in line:
            yield number, "a tab"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"


CPP_RULES = [rule_floors, rule_third_party, rule_banned_calls, rule_cloexec, rule_coroutines, rule_using, rule_function_size,
             rule_header]
RULES = CPP_RULES + [rule_file_size, rule_text]


def check(path, text):
    """[(line, rule, message)] of one file; `path` is relative to the source root."""
    lines = text.split("\n")
    code = code_only(text) if is_cpp(path) else text
    found = []
    for rule in RULES if is_cpp(path) else [rule_file_size, rule_text]:
        name = rule.__name__.removeprefix("rule_")
        for line, message in rule(path, text, code):
            here = lines[line - 1] if line <= len(lines) else ""
            if not re.search(rf"lint: allow {name} \S+", here):
                found.append((line, name, message))
    return found


def sources(root):
    for folder in ("lib", "daemon", "tests", "cmake", "proto", "docs"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in (".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".cmake", ".txt", ".yaml", ".md"):
                yield path


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    files = breaches = 0
    for path in sources(root):
        files += 1
        name = path.relative_to(root).as_posix()
        for line, rule, message in check(name, path.read_text(encoding="utf-8")):
            breaches += 1
            print(f"{name}:{line}: {message} [{rule}]")
    for table in (conformance, trust_map, model_steps):
        for line, message in table.check(root):
            breaches += 1
            print(f"{table.DOCUMENT}:{line}: {message} [{table.__name__}]")
    for name, line, message in unnamed.check(root):
        breaches += 1
        print(f"{name}:{line}: {message} [unnamed]")
    print(f"lint: {files} files, {breaches} breaches")
    return 1 if breaches or not files else 0


if __name__ == "__main__":
    sys.exit(main())
