#!/bin/bash
# Every source file stands as .clang-format says. Usage: format.sh SOURCE-ROOT
# To repair: clang-format -i FILE
set -euo pipefail
cd "$1"
tool=$(command -v clang-format-14 || command -v clang-format)
mapfile -d '' files < <(find lib daemon tests docs -name build -prune -o -type f \
    \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h' \) -print0)
((${#files[@]} > 0)) || { echo "lint_format: no sources found" >&2; exit 1; }
"$tool" --dry-run -Werror "${files[@]}"
echo "lint_format: ${#files[@]} files"
