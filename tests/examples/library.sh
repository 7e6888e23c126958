#!/bin/sh
# library.sh BUILD EXAMPLE COMPILER: installs the build to a temporary prefix, moves it (both ways of finding
# it must not care), builds docs/examples/library by CMake and by pkg-config, and as root runs it.
set -eu
build=$1 example=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "-- install"
cmake --install "$build" --prefix "$work/first" > "$work/install.log" || { cat "$work/install.log"; exit 1; }
mv "$work/first" "$work/moved"
prefix=$work/moved
cp -r "$example" "$work/example"

echo "-- by find_package(Covey)"
cmake -S "$work/example" -B "$work/by-cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" > "$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/by-cmake" -- --quiet

echo "-- by pkg-config"
pc=$(find "$prefix" -name covey.pc)
PKG_CONFIG_PATH=$(dirname "$pc") make -s -C "$work/example" CXX="$compiler"

for pod in "$work/by-cmake/pod" "$work/example/pod"; do
    status=0
    "$pod" > /dev/null 2>&1 || status=$?
    test $status = 2 || { echo "$pod: no usage text"; exit 1; }
done
if test "$(id -u)" != 0; then
    echo "SKIP: running the example needs root"
    exit 77
fi

echo "-- run"
"$work/example/make_bundle.sh" "$work/bundle"
for pod in "$work/by-cmake/pod" "$work/example/pod"; do
    COVEY_LIBEXEC=$(dirname "$(find "$prefix" -name covey-shim)") "$pod" "$work/state" "$work/bundle" \
        > "$work/out" || { cat "$work/out"; exit 1; }
    cat "$work/out"
    grep -q ' /pause$' "$work/out"
    grep -q 'sleep 1000' "$work/out"
    grep -q 'app ended with exit code 143' "$work/out"
    test -z "$(ls "$work/state/sandboxes")"
done
