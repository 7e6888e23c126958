#!/bin/bash
# Runs test programs on pure cgroup v2: in a virtual machine with Debian's cloud kernel (qemu without
# acceleration), which this machine's own cgroups cannot offer.
#
#   tests/vm/run.sh [--timeout SECONDS] [--test-timeout SECONDS] BUILD-FOLDER TEST…
#
# TEST is the name of a program in BUILD-FOLDER/tests, or the path of any executable or script. They
# see BUILD-FOLDER/bin at /covey/bin, the probe at /covey/tests/probe, and busybox. The whole console
# is shown when something fails.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
limit=540 test_limit=240
while [[ ${1:-} == --* ]]; do
    case $1 in
    --timeout) limit=$2 ;;
    --test-timeout) test_limit=$2 ;;
    *) echo "vm: unknown option $1" >&2 && exit 2 ;;
    esac
    shift 2
done
(($# >= 2)) || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd)
shift

if [[ $(uname -m) != x86_64 ]]; then
    echo "SKIP: the test machine is for x86_64"
    exit 77
fi
for tool in qemu-system-x86_64 cpio busybox; do
    command -v "$tool" >/dev/null || { echo "vm: $tool is missing: cmake/install-deps.sh test" >&2; exit 1; }
done

kernel=$("$here/kernel.sh" "$here/../../build/vm-cache")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,etc,covey/bin,covey/tests,proc,sys,dev}
cp "$(command -v busybox)" "$root/bin/busybox"
install -m 755 "$here/init.sh" "$root/init"
echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo "test_timeout=$test_limit" >"$root/covey/settings"

# An executable and the libraries it names, at their own paths; without debug information, as it all
# lives in the machine's memory.
add() {
    install -D -m 755 "$1" "$root$2"
    strip --strip-debug "$root$2" 2>/dev/null || true # a script
    local library
    for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do # a static one names none
        [[ -e $root$library ]] || install -D -m 755 "$library" "$root$library"
    done
}

for program in "$build"/bin/*; do
    [[ -f $program && -x $program ]] && add "$program" "/covey/bin/$(basename "$program")"
done
[[ -x $build/tests/probe ]] && add "$build/tests/probe" /covey/tests/probe
names=()
for test in "$here/pure_v2_check.sh" "$@"; do
    [[ $test == */* ]] || test=$build/tests/$test
    [[ -x $test ]] || { echo "vm: no such test: $test (build it first)" >&2; exit 1; }
    name=$(basename "$test")
    add "$test" "/covey/tests/$name"
    echo "$name /covey/tests/$name" >>"$root/covey/list"
    names+=("$name")
done
(cd "$root" && find . | cpio --quiet -o -H newc --owner 0:0 >"$work/initramfs")
echo "vm: ${#names[@]} tests, initramfs of $(($(stat -c %s "$work/initramfs") >> 20)) MiB, at most $limit s"

console=$work/console
status=0
timeout -k 5 "$limit" qemu-system-x86_64 -machine accel=tcg -cpu max -m 1024 -no-reboot \
    -display none -monitor none -nic none -serial stdio -kernel "$kernel" \
    -initrd "$work/initramfs" -append "console=ttyS0 panic=-1 loglevel=4" </dev/null 2>&1 |
    tr -d '\r' | tee "$console" | grep --line-buffered -a '^COVEY-VM\|SKIP: ' || true

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
