#!/bin/bash
# Runs test programs on pure cgroup v2: in a virtual machine with Debian's cloud kernel (qemu without
# acceleration), which this machine's own cgroups cannot offer.
#
#   tests/vm/run.sh [--timeout SECONDS] [--test-timeout SECONDS] [--kernel WORDS] [--with FILE]… BUILD-FOLDER TEST…
#
# --kernel: more words for the kernel. --with: a program or another file of this machine, at its own
# path. TEST is the name of a program in BUILD-FOLDER/tests, or the path of any executable or script.
# They see BUILD-FOLDER/bin at /covey/bin, the probe at /covey/tests/probe, and busybox. The whole
# console is shown when something fails.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
limit=540 test_limit=240 words="" with=()
while [[ ${1:-} == --* ]]; do
    case $1 in
    --timeout) limit=$2 ;;
    --test-timeout) test_limit=$2 ;;
    --kernel) words=$2 ;;
    --with) with+=("$2") ;;
    *) echo "vm: unknown option $1" >&2 && exit 2 ;;
    esac
    shift 2
done
(($# >= 2)) || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd)
shift

. "$here/machine.sh"
mkdir -p "$root"/{bin,etc,covey/bin,covey/tests,proc,sys,dev}
cp "$(command -v busybox)" "$root/bin/busybox"
install -m 755 "$here/init.sh" "$root/init"
echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo "test_timeout=$test_limit" >"$root/covey/settings"

for program in "$build"/bin/*; do
    [[ -f $program && -x $program ]] && add "$program" "/covey/bin/$(basename "$program")"
done
[[ -x $build/tests/probe ]] && add "$build/tests/probe" /covey/tests/probe
for file in "${with[@]}"; do
    [[ -e $file ]] || { echo "vm: $file is missing: cmake/install-deps.sh test" >&2; exit 1; }
    add "$file" "$file"
done
names=()
for test in "$here/pure_v2_check.sh" "$@"; do
    [[ $test == */* ]] || test=$build/tests/$test
    [[ -x $test ]] || { echo "vm: no such test: $test (build it first)" >&2; exit 1; }
    name=$(basename "$test")
    add "$test" "/covey/tests/$name"
    echo "$name /covey/tests/$name" >>"$root/covey/list"
    names+=("$name")
done
echo "vm: ${#names[@]} tests"
status=0
boot "$words"

skipped=0
grep -qa '^COVEY-VM done' "$console" || { echo "vm: the machine did not finish"; status=1; }
for name in "${names[@]}"; do
    result=$(sed -n "s/^COVEY-VM $name exit \([0-9]*\)$/\1/p" "$console" | head -n 1)
    case $result in
    0) ;;
    77) skipped=$((skipped + 1)) ;;
    "") status=1 && echo "vm: $name never ended" ;;
    *) status=1 && echo "vm: $name failed with status $result" ;;
    esac
done
# The check of the machine itself is never skipped.
if ((skipped > 0 && skipped == ${#names[@]} - 1)); then
    echo "vm: every test was skipped"
    status=1
fi
if ((status != 0)); then
    echo "vm: the end of the console:"
    tail -n 150 "$console"
fi
exit $status
