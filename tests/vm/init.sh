#!/bin/busybox sh
# PID 1 of the test machine: pure cgroup v2, nothing else running. Runs what /covey/list names (a
# line each: name, path), says how each ended, and turns the machine off.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/

if [ "$1" != second ]; then
    # pivot_root(2) refuses the initial rootfs: containers need a root that is a mount. (switch_root
    # empties the old one.)
    mkdir -p /new && mount -t tmpfs -o mode=755 root /new
    for entry in /*; do
        case $entry in /new | /proc | /sys | /dev) ;; *) cp -a "$entry" /new/ ;; esac
    done
    mkdir -p /new/proc /new/sys /new/dev /new/tmp /new/run /new/root
    exec /new/bin/busybox switch_root /new /init second
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
hostname covey-vm
set -o pipefail
ip link set lo up

export COVEY_BIN=/covey/bin
export COVEY_EMULATED=1 COVEY_PATIENCE=50
export COVEY_NO_SKIP="root cgroup_v2 cgroup_pure_v2 seccomp userns"
. /covey/settings
echo "COVEY-VM up, kernel $(uname -r), $(cut -d. -f1 /proc/uptime) s"
while read -r name path; do
    echo "COVEY-VM $name start"
    timeout -s KILL "$test_timeout" "$path" </dev/null 2>&1 | cat # no terminal, no colours
    echo "COVEY-VM $name exit $?"
done </covey/list
echo "COVEY-VM done, $(cut -d. -f1 /proc/uptime) s"
sync
reboot -f
