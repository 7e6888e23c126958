# What the virtual machines have in common; sourced by run.sh and systemd.sh, which set `here` and `limit`
# (seconds). A machine is Debian's cloud kernel in qemu without acceleration, and a root that is made of
# this machine's own files.

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
root=$work/root console=$work/console
mkdir -p "$root"

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

# Runs the machine until it turns itself off. The whole console goes to $console, its lines with
# COVEY-VM or SKIP to stdout. $1: more words for the kernel.
boot() {
    (cd "$root" && find . | cpio --quiet -o -H newc --owner 0:0 >"$work/initramfs")
    echo "vm: initramfs of $(($(stat -c %s "$work/initramfs") >> 20)) MiB, at most $limit s"
    timeout -k 5 "$limit" qemu-system-x86_64 -machine accel=tcg -cpu max -m 1024 -no-reboot \
        -display none -monitor none -nic none -serial stdio -kernel "$kernel" \
        -initrd "$work/initramfs" -append "console=ttyS0 panic=-1 loglevel=4 $1" </dev/null 2>&1 |
        sed -u 's|\r||g' | tee "$console" | grep --line-buffered -a '^COVEY-VM\|SKIP: ' || true
}
