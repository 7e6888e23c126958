#!/usr/bin/env python3
"""Turns seccomp.json into C++: embed_profile.py seccomp.json OUTPUT.cpp"""
import json
import pathlib
import sys


def main(source, output):
    profile = json.loads(source.read_text(encoding="utf-8"))
    text = json.dumps(profile, separators=(",", ":"))
    pieces = [text[i:i + 8192] for i in range(0, len(text), 8192)]
    lines = ["// Generated from seccomp.json.", '#include "bundle/seccomp_profile.hpp"', "",
             "namespace covey::bundle {", "", "std::string_view default_profile() noexcept {", "    return"]
    lines += ['        R"json(%s)json"' % piece for piece in pieces]
    lines += ["        ;", "}", "", "}  // namespace covey::bundle", ""]
    output.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
