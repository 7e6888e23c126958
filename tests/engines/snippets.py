"""Configuration as docs/engines shows it: what a reader copies is what the tests run."""
import pathlib
import re
import textwrap

import private

PAGES = pathlib.Path(__file__).resolve().parents[2] / "docs/engines"
INSTALLED = "/usr/bin/covey-runtime"


def blocks(page, language):
    """All fenced blocks of a language, in order. Only the installed program's place is replaced."""
    text = (PAGES / page).read_text(encoding="utf-8")
    found = [textwrap.dedent(match[2]) for match in re.finditer(rf"^( *)```{language}\n(.*?)^ *```", text, re.S | re.M)]
    if not found:
        raise AssertionError(f"docs/engines/{page} has no block of {language}")
    return [block.replace(INSTALLED, private.RUNTIME) for block in found]
