#!/bin/sh
# A pod by curl alone: two containers that share a process namespace, one of which signals and looks
# into the other. Needs a running coveyd and a static busybox; removes what it made.
#
#   docs/examples/pod-by-curl.sh            # COVEY_SOCKET=/run/covey/covey.sock, BUSYBOX=/bin/busybox
set -eu

socket=${COVEY_SOCKET:-/run/covey/covey.sock}
busybox=${BUSYBOX:-/bin/busybox}
pod=by-curl-$$
work=$(mktemp -d)

# api METHOD PATH [JSON]: one call. A failure is a problem+json, which says what to do.
api() {
    method=$1 path=$2
    shift 2
    [ $# = 0 ] || set -- -H 'Content-Type: application/json' -d "$1"
    status=$(curl -sS --unix-socket "$socket" -X "$method" "$@" -o "$work/answer" -w '%{http_code}' "http://covey$path")
    cat "$work/answer"
    [ "$status" -lt 400 ]
}

clean_up() {
    api DELETE "/v1/sandboxes/$pod?force=true" || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# An OCI bundle is a root filesystem and a config.json. "namespaces" is what every bundle says; which
# of them are the pod's is the sandbox's to decide.
bundle() { # NAME COMMAND-LINE-AS-JSON
    mkdir -p "$work/$1/rootfs/bin" "$work/$1/rootfs/proc" "$work/$1/rootfs/dev" "$work/$1/rootfs/etc"
    cp "$busybox" "$work/$1/rootfs/bin/busybox"
    for applet in sh ps sleep kill cat; do ln -s busybox "$work/$1/rootfs/bin/$applet"; done
    echo "I am $1" >"$work/$1/rootfs/etc/motd"
    cat >"$work/$1/config.json" <<END
{"ociVersion": "1.0.2", "root": {"path": "rootfs"},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": $2, "env": ["PATH=/bin"],
             "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}}
END
}
bundle app '["/bin/sh", "-c", "trap \"exit 7\" HUP; while :; do sleep 1; done"]'
bundle shell '["/bin/sh"]'

echo "== a sandbox: the namespaces of a pod, held by /pause"
api PUT "/v1/sandboxes/$pod" '{"pidMode": "pod"}'

echo "== two containers in it; the shell may trace, and its input never ends"
api PUT "/v1/containers/$pod-app" "{\"sandbox\": \"$pod\", \"bundle\": \"$work/app\"}"
api POST "/v1/containers/$pod-app/start"
api PUT "/v1/containers/$pod-shell" "{\"sandbox\": \"$pod\", \"bundle\": \"$work/shell\",
    \"capabilities\": {\"add\": [\"SYS_PTRACE\"]}, \"stdio\": {\"stdin\": \"hold\"}}"
api POST "/v1/containers/$pod-shell/start"

echo "== every process, with the number it has on the host, in the pod and in its own namespace"
api GET "/v1/sandboxes/$pod/processes"

# exec COMMAND-AS-QUERY: in the shell's container. The answer's body is the output, and the trailer
# Covey-Exit-Code the exit code; -T . would send this script's input along.
exec_in_shell() {
    curl -sSN --unix-socket "$socket" -X POST "http://covey/v1/containers/$pod-shell/exec?$1"
}

echo "== what the shell sees"
exec_in_shell 'cmd=ps' | tee "$work/ps"
grep -q ' /pause$' "$work/ps"
app=$(awk '/trap/ { print $1; exit }' "$work/ps")

echo "== a file of the other container, through /proc/$app/root"
exec_in_shell "cmd=cat&cmd=/proc/$app/root/etc/motd" | tee "$work/motd"
grep -qx 'I am app' "$work/motd"

echo "== a signal from one container to the other, which ends it with code 7"
exec_in_shell "cmd=kill&cmd=-HUP&cmd=$app"
api GET "/v1/containers/$pod-app/wait?timeout=30" >"$work/exit"
cat "$work/exit"
grep -q '"exitCode": *7' "$work/exit"

echo "== and all of it is deleted"
api DELETE "/v1/sandboxes/$pod?force=true"
