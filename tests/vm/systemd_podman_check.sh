#!/bin/sh
# Podman with its systemd cgroup manager and covey-runtime, under a systemd that is PID 1; the
# configuration is docs/engines/podman.md's. What Podman asked for is read from the kernel's files.
. /covey/checks.sh
. /covey/settings
export HOME=/root TMPDIR=/var/tmp
podman() { /usr/bin/podman --storage-driver vfs "$@"; }
good() { checks=$((checks + 1)); podman "$@" >/run/out 2>/run/err </dev/null || bad "podman $*: status $?: $(cat /run/err)"; }
said() { cat /run/out; }
full_id() { podman inspect --format '{{.Id}}' "$1"; }
# A container's group. v1: CONTROLLER; v2 has one for all.
of() { if [ $hierarchy = v2 ]; then echo "/sys/fs/cgroup$group"; else echo "/sys/fs/cgroup/$1$group"; fi; }
file() { cat "$(of "$1")/$2" 2>&1; }
either() { if [ $hierarchy = v2 ]; then echo "$1"; else echo "$2"; fi; } # V2 V1

part "up, $(systemctl --version | head -n 1), $hierarchy, $(/usr/bin/podman --version)"
for name in cat ps sh sleep; do ln -s busybox /covey/rootfs/bin/$name; done
tar -C /covey/rootfs -cf /run/rootfs.tar .
good import -q /run/rootfs.tar busybox
good info --format '{{.Host.CgroupManager}} {{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}'
is "manager and runtime" "systemd covey-runtime /usr/bin/covey-runtime" "$(said)"

part "run --rm"
good run --rm --network none --cgroupns host busybox cat /proc/self/cgroup
has "its group" "/machine.slice/libpod-" "$(said)"
podman run --rm --network none busybox sh -c 'exit 7' </dev/null >/dev/null
is "exit status" 7 $?

part "run -d, limits"
good run -d --name main --network none --cgroupns host --memory 64m --pids-limit 50 --cpus 0.5 busybox sleep 1000
id=$(full_id main)
unit=libpod-$id.scope group=/machine.slice/$unit
is "unit" active "$(show "$unit" ActiveState)"
is "slice" machine.slice "$(show "$unit" Slice)"
is "group" "$group" "$(show "$unit" ControlGroup)"
is "init's group" 1 "$(cut -d: -f3 /proc/"$(podman inspect --format '{{.State.Pid}}' main)"/cgroup | sort -u | grep -cx "$group/main")"
is "TasksMax" 50 "$(show "$unit" TasksMax)"
is "pids.max" 50 "$(file pids pids.max)"
is "the unit's memory" 67108864 "$(show "$unit" "$(either MemoryMax MemoryLimit)")"
is "the file's memory" 67108864 "$(file memory "$(either memory.max memory.limit_in_bytes)")"
is "the unit's CPU time" 500ms "$(show "$unit" CPUQuotaPerSecUSec)"
is "the file's CPU time" "$(either "50000 100000" 50000)" "$(file cpu "$(either cpu.max cpu.cfs_quota_us)")"
good exec main cat /proc/self/cgroup
has "exec's group" "$group" "$(said)"
podman exec main sh -c 'exit 5' </dev/null
is "exec's status" 5 $?
systemctl daemon-reload
is "pids.max, reloaded" 50 "$(file pids pids.max)"

part "update"
good update --memory 128m --cpus 0.25 main
is "the unit's memory" 134217728 "$(show "$unit" "$(either MemoryMax MemoryLimit)")"
is "the file's memory" 134217728 "$(file memory "$(either memory.max memory.limit_in_bytes)")"
is "the file's CPU time" "$(either "25000 100000" 25000)" "$(file cpu "$(either cpu.max cpu.cfs_quota_us)")"
is "untouched" 50 "$(file pids pids.max)"

part "pause, stop, start"
good pause main
is "state" paused "$(podman inspect --format '{{.State.Status}}' main)"
good unpause main
good stop -t 1 main
is "status of what SIGKILL ended" 137 "$(podman inspect --format '{{.State.ExitCode}}' main)"
wait_until "the scope's end" unloaded "$unit"
good start main
is "unit" active "$(show "$unit" ActiveState)"
is "pids.max" 50 "$(file pids pids.max)"
good rm -f -t 0 main

part "a pod with --share pid"
good pod create --name pod --share pid,ipc --network none
good run -d --name one --pod pod --network none busybox sleep 1001
good run -d --name two --pod pod --network none busybox sleep 1002
slice=$(podman pod inspect --format '{{.CgroupPath}}' pod)
has "the pod's slice" "machine-libpod_pod_" "$slice"
has "a container's place" "$slice" "$(show "libpod-$(full_id one).scope" ControlGroup)"
good exec one ps
has "one sees two" "sleep 1002" "$(said)"
good pod rm -f -t 0 pod

part "nothing is left"
is "containers" "" "$(podman ps -a -q)"
wait_until "the scopes' end" [ -z "$(find /sys/fs/cgroup -name 'libpod-*.scope')" ]
is "scopes" 0 "$(find /sys/fs/cgroup -name '*.scope' | grep -vc /init.scope)"
is "failed units" "" "$(systemctl list-units --failed --no-legend --plain)"
is "state" "" "$(ls /run/covey/runtime /run/covey/engines 2>/dev/null | grep -v :)"
is "processes" 0 "$(ps | grep -c '[s]leep 100')"
finish
