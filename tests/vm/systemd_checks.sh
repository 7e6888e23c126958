# What the checks in the systemd machines have in common: sourced by them. What systemd says of a unit is
# compared with the kernel's files.
export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 PATH=/bin:/covey/bin
failed=0 checks=0 bundle=/run/bundle
now() { cut -d. -f1 /proc/uptime; }
part() { echo "COVEY-VM $(now) s: $*"; }
bad() { failed=$((failed + 1)); echo "COVEY-VM FAILED: $*"; }
is() { checks=$((checks + 1)); [ "$2" = "$3" ] || bad "$1: expected '$2', got '$3'"; }
has() { checks=$((checks + 1)); case $3 in *"$2"*) ;; *) bad "$1: no '$2' in: $3" ;; esac; }
runtime() { covey-runtime --systemd-cgroup "$@"; }
ok() { checks=$((checks + 1)); runtime "$@" >/run/out 2>/run/err </dev/null || bad "$*: status $?: $(cat /run/err)"; }
refused() { # TEXT WORDS…
    checks=$((checks + 1)) text=$1
    shift
    runtime "$@" >/run/out 2>/run/err </dev/null && bad "$* succeeded"
    has "$*" "$text" "$(cat /run/err)"
}
show() { systemctl show -p "$2" --value "$1"; }
wait_until() { # WHAT COMMAND…
    what=$1 turns=0
    shift
    until "$@"; do
        turns=$((turns + 1))
        [ $turns -lt 200 ] || { bad "$what did not happen"; return; }
        usleep 50000
    done
}
# A bundle. $1: cgroupsPath; $2: resources; $3: annotations; the rest: the program.
bundle() {
    path=$1 resources=$2 annotations=$3 args=
    shift 3
    for word in "$@"; do args="$args${args:+, }\"$word\""; done
    mkdir -p $bundle
    caps='["CAP_MKNOD", "CAP_KILL"]'
    cat >$bundle/config.json <<END
{"ociVersion": "1.2.0", "root": {"path": "/covey/rootfs"}, "annotations": $annotations,
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": [$args],
  "capabilities": {"bounding": $caps, "effective": $caps, "permitted": $caps}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"cgroupsPath": "$path", "resources": $resources,
  "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}}
END
}
sleeper() { bundle "$1" "${2:-{\}}" "${3:-{\}}" /bin/busybox sleep 1000; }
unloaded() { [ "$(show "$1" LoadState)" = not-found ]; }
# Ends the machine, with the line that systemd.sh looks for.
finish() {
    echo "COVEY-VM done: $failed failed of $checks checks, $(now) s"
    sync
    systemctl reboot -f -f
}
