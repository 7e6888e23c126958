#!/bin/bash
# Builds Covey and runs its tests.
#
#   cmake/test.sh [dev|asan|tsan|coverage] [--long] [-- ctest arguments]
#
# Installs what is missing, configures and builds the preset (dev when none is named), runs every
# everyday test; --long adds the long ones (label "long"). As root every test runs; as another user
# those that need root are skipped, and say so. Runs without a terminal and without stdin.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=dev
long=no
while (($# > 0)); do
    case "$1" in
    --long) long=yes ;;
    --)
        shift
        break
        ;;
    -h | --help)
        sed -n '2,8s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    dev | asan | tsan | coverage) preset=$1 ;;
    *)
        echo "test: unknown argument '$1' (presets with tests: dev, asan, tsan, coverage)" >&2
        exit 2
        ;;
    esac
    shift
done

say() { printf '== %3d s  %s: %s\n' "$SECONDS" "$preset" "$*"; }

# A template-heavy file takes up to 0.8 GB in the compiler, more with sanitizers.
jobs=$(nproc)
available_mb=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
by_memory=$((available_mb / 1200))
((by_memory < 1)) && by_memory=1
((jobs > by_memory)) && jobs=$by_memory

# Where there is no home the compiler cache goes into the build folder.
[[ -n "${HOME:-}" ]] || export CCACHE_DIR="${CCACHE_DIR:-$PWD/build/ccache}"

say "installing what is missing"
cmake/install-deps.sh test

say "configuring"
cmake --preset "$preset" </dev/null

say "building with $jobs jobs"
cmake --build --preset "$preset" --parallel "$jobs" </dev/null

# Skips are a budget. A hybrid machine under root has all of these: there a skip is a failure.
if [[ -z "${COVEY_NO_SKIP+set}" && $(id -u) == 0 &&
    $(stat -fc %T /sys/fs/cgroup/unified 2>/dev/null) == cgroup2fs &&
    $(stat -fc %T /sys/fs/cgroup/memory 2>/dev/null) == cgroupfs ]]; then
    export COVEY_NO_SKIP="root cgroup_v1 cgroup_v2 seccomp userns"
    say "a test that is skipped for one of '$COVEY_NO_SKIP' fails"
fi
# Under a sanitizer everything takes a multiple of the time: bounds of milliseconds are for nodes.
case $preset in asan | tsan) export COVEY_PATIENCE="${COVEY_PATIENCE:-10}" ;; esac
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"

everyday=(--label-exclude '^long$')
[[ $long == yes ]] && everyday=()
say "testing"
exec ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel "$(nproc)" \
    "${everyday[@]}" "$@" </dev/null
