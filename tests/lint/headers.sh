#!/bin/bash
# Every public header compiles alone, as a user of the installed library would include it.
# Usage: headers.sh COMPILER SOURCE-ROOT BUILD-ROOT
set -euo pipefail
compiler=$1 source=$2 build=$3
status=0 count=0
for header in "$source"/lib/include/covey/*.hpp; do
    name=covey/$(basename "$header")
    count=$((count + 1))
    echo "#include \"$name\"" | "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -x c++ \
        -I "$source/lib/include" -I "$build/include" - || { echo "$name does not compile alone"; status=1; }
done
echo "lint_headers: $count headers"
((count > 0)) || status=1
exit $status
