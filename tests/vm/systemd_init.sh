#!/bin/busybox sh
# First program of the machine of systemd.sh: makes a root that is a mount (pivot_root(2) refuses the
# initial rootfs) and hands over to systemd.
/bin/busybox mkdir -p /new
/bin/busybox mount -t tmpfs -o mode=755 root /new
for entry in /*; do
    case $entry in /new) ;; *) /bin/busybox cp -a "$entry" /new/ ;; esac
done
exec /new/bin/busybox switch_root /new /usr/lib/systemd/systemd
