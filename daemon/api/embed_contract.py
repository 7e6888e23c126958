#!/usr/bin/env python3
"""Turns proto/errors.yaml and proto/openapi.yaml into C++: embed_contract.py PROTO-FOLDER OUTPUT.cpp"""
import json
import pathlib
import sys

try:
    import yaml
except ImportError:
    sys.exit("embed_contract: python3-yaml is missing: run cmake/install-deps.sh build")


def literal(text):
    """A C++ string literal; json's escapes are a subset of C++'s for ASCII output."""
    return json.dumps(" ".join(text.split()))


def main(proto, output):
    errors = yaml.safe_load((proto / "errors.yaml").read_text(encoding="utf-8"))["errors"]
    document = yaml.safe_load((proto / "openapi.yaml").read_text(encoding="utf-8"))
    # Adjacent raw literals: a compiler need not take one longer than 64 KiB.
    text = json.dumps(document, separators=(",", ":"))
    pieces = [text[i:i + 8192] for i in range(0, len(text), 8192)]
    lines = ['// Generated from proto/.', '#include "api/contract.hpp"', "", "#include <array>", "",
             "namespace covey::daemon {", "", "std::span<const ErrorInfo> error_table() noexcept {",
             "    static constexpr std::array<ErrorInfo, %d> kTable{{" % len(errors)]
    for entry in errors:
        lines.append("        {Code::%s, %d, %d, %s, %s, %s}," % (
            entry["code"], entry["status"], entry["exit"], literal(entry["title"]),
            literal(entry["meaning"]), literal(entry["fix"])))
    lines += ["    }};", "    return kTable;", "}", "",
              "std::string_view openapi_json() noexcept {", "    return"]
    lines += ['        R"json(%s)json"' % piece for piece in pieces]
    lines += ["        ;", "}", "", "}  // namespace covey::daemon", ""]
    output.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
