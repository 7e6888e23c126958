#!/bin/sh
# The machine is what the other tests in it take for granted.
set -e
test "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs || test "$(stat -fc %t /sys/fs/cgroup)" = 63677270
! grep -q ' cgroup ' /proc/mounts
for controller in cpu memory pids; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers
done
mkdir /sys/fs/cgroup/check
test -e /sys/fs/cgroup/check/cgroup.kill
rmdir /sys/fs/cgroup/check
echo "pure cgroup v2 with $(cat /sys/fs/cgroup/cgroup.controllers)"
