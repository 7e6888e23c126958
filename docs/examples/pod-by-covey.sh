#!/bin/sh
# The pod of pod-by-curl.sh by the covey command. Needs a running coveyd and a static busybox; removes
# what it made.
#
#   docs/examples/pod-by-covey.sh           # COVEY_SOCKET=/run/covey/covey.sock, BUSYBOX=/bin/busybox
set -eu

covey=${COVEY:-covey}
busybox=${BUSYBOX:-/bin/busybox}
pod=by-covey-$$
work=$(mktemp -d)

clean_up() {
    "$covey" -q sandbox rm -f "$pod" || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

for name in app shell; do
    mkdir -p "$work/$name/bin" "$work/$name/etc" "$work/$name/proc" "$work/$name/dev" "$work/$name/sys"
    cp "$busybox" "$work/$name/bin/busybox"
    for applet in sh ps sleep kill cat; do ln -s busybox "$work/$name/bin/$applet"; done
    echo "I am $name" >"$work/$name/etc/motd"
done

echo "== a sandbox: the namespaces of a pod, held by /pause"
"$covey" sandbox create "$pod" --pid pod

echo "== two containers in it; the shell may trace, and its input never ends"
"$covey" run "$pod" --name "$pod-app" -d --rootfs "$work/app" -- \
    sh -c 'trap "exit 7" HUP; while :; do sleep 1; done'
"$covey" run "$pod" --name "$pod-shell" -d -i --cap-add SYS_PTRACE --rootfs "$work/shell" -- sh

echo "== who is in the pod"
"$covey" tree "$pod"

echo "== what the shell sees"
"$covey" exec "$pod-shell" -- ps | tee "$work/ps"
grep -q ' /pause$' "$work/ps"
app=$(awk '/trap/ { print $1; exit }' "$work/ps")

echo "== a file of the other container, through /proc/$app/root"
"$covey" exec "$pod-shell" -- cat "/proc/$app/root/etc/motd" | tee "$work/motd"
grep -qx 'I am app' "$work/motd"

echo "== a signal from one container to the other, which ends it with code 7"
"$covey" exec "$pod-shell" -- kill -HUP "$app"
code=0
"$covey" wait "$pod/$pod-app" || code=$?
[ "$code" = 7 ]

echo "== a container in the foreground: its output here, its exit code the command's"
code=0
"$covey" run "$pod" --name "$pod-once" --rm --rootfs "$work/shell" -- sh -c 'echo hello; exit 3' || code=$?
[ "$code" = 3 ]

echo "== and all of it is deleted"
"$covey" sandbox rm -f "$pod"
