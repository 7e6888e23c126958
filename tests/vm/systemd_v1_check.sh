#!/bin/sh
# covey-runtime --systemd-cgroup under a systemd that is PID 1, on a host with v1 hierarchies: hybrid, or
# v1 alone ($hierarchy). Of these systemd uses some (memory, cpu, …); the rest (freezer, cpuset, …) and
# what systemd has no property for are covey-runtime's.
. /covey/checks.sh
. /covey/settings
of() { echo "/sys/fs/cgroup/$1$group/$2"; } # CONTROLLER FILE
file() { cat "$(of "$1" "$2")" 2>&1; }
not_in_use() { [ -z "$(find /sys/fs/cgroup -name "$1")" ]; }
# Nothing of a container is left: $1 unit.
gone() {
    is "$1 is not loaded" not-found "$(show "$1" LoadState)"
    is "$1: groups" "" "$(find /sys/fs/cgroup -name "$1")"
    is "$1: slices where systemd has none" "" "$(ls -d /sys/fs/cgroup/freezer/*/ /sys/fs/cgroup/cpuset/*/ /sys/fs/cgroup/hugetlb/*/ 2>/dev/null)"
    is "no state" "" "$(ls /run/covey/runtime 2>/dev/null)"
    is "no link" "" "$(ls /run/covey/engines 2>/dev/null)"
}
groups_of() { cut -d: -f3 "/proc/$1/cgroup" | sort -u; }

part "up, $(systemctl --version | head -n 1), $hierarchy"
for controller in cpuset cpu cpuacct blkio memory devices freezer pids systemd; do
    is "v1's $controller" tasks "$(ls /sys/fs/cgroup/$controller | grep '^tasks$')"
done
unified=0
[ $hierarchy = v1 ] || unified=1
is "v2 trees" $unified "$(grep -c ' cgroup2 ' /proc/mounts)"

part "a container without a cgroupsPath"
sleeper "" '{"pids": {"limit": -1}}'
ok run -d --bundle $bundle --pid-file /run/pid web
group=/system.slice/covey-web.scope unit=covey-web.scope
is "state" active "$(show $unit ActiveState)"
is "slice" system.slice "$(show $unit Slice)"
is "group" $group "$(show $unit ControlGroup)"
is "delegated" yes "$(show $unit Delegate)"
is "no limit" infinity "$(show $unit TasksMax)"
is "no limit in the file" max "$(file pids pids.max)"
is "init's groups, all" "$group
$group/main" "$(groups_of "$(cat /run/pid)")"
for controller in systemd freezer cpuset; do
    is "its processes in $controller" "$(cat /run/pid)" "$(file $controller cgroup.procs)"
done
is "its processes in memory, below its limits" "$(cat /run/pid)" "$(file memory main/cgroup.procs)"
ok exec web /bin/busybox cut -d: -f3 /proc/self/cgroup
is "exec's groups, all" "$group
$group/main" "$(sort -u /run/out)"
ok events --stats web
has "statistics" '"pids":{"current":1' "$(cat /run/out)"
ok pause web
ok state web
has "paused" '"status": "paused"' "$(cat /run/out)"
ok resume web
refused "not stopped" delete web
ok kill web KILL
wait_until "systemd's end of the scope" [ ! -e "$(of systemd "")" ]
ok delete web
gone $unit

part "limits"
# swap_limit: the kernel may be booted without memsw files
memsw=
[ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] && memsw='"swap": 100663296,'
limits='{"memory": {'$memsw' "limit": 67108864, "reservation": 33554432}, "pids": {"limit": 50},
 "cpu": {"shares": 512, "quota": 25000, "period": 100000, "cpus": "0", "mems": "0"},
 "network": {"classID": 1048577}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
sleeper kubepods-burst.slice:cri:pod "$limits"
ok create --bundle $bundle pod
unit=cri-pod.scope group=/kubepods.slice/kubepods-burst.slice/cri-pod.scope
is "group" $group "$(show $unit ControlGroup)"
check_limits() {
    is "$1: MemoryLimit" 67108864 "$(show $unit MemoryLimit)"
    is "$1: memory.limit_in_bytes" 67108864 "$(file memory memory.limit_in_bytes)"
    [ -z "$memsw" ] || is "$1: memsw" 100663296 "$(file memory memory.memsw.limit_in_bytes)"
    is "$1: memory.soft_limit_in_bytes" 33554432 "$(file memory memory.soft_limit_in_bytes)"
    is "$1: TasksMax" 50 "$(show $unit TasksMax)"
    is "$1: pids.max" 50 "$(file pids pids.max)"
    is "$1: CPUShares" 512 "$(show $unit CPUShares)"
    is "$1: cpu.shares" 512 "$(file cpu cpu.shares)"
    is "$1: CPUQuota" 250ms "$(show $unit CPUQuotaPerSecUSec)"
    is "$1: cpu.cfs_quota_us" 25000 "$(file cpu cpu.cfs_quota_us)"
    is "$1: cpu.cfs_period_us" 100000 "$(file cpu cpu.cfs_period_us)"
    is "$1: cpuset.cpus" 0 "$(file cpuset cpuset.cpus)"
    is "$1: cpuset.mems" 0 "$(file cpuset cpuset.mems)"
    is "$1: hugetlb" 4194304 "$(file hugetlb hugetlb.2MB.limit_in_bytes)"
    is "$1: net_cls" 1048577 "$(file net_cls net_cls.classid)"
}
check_limits "created"
ok start pod
device='exec 2>&1; rm -f /k /n; mknod /k c 1 11; mknod /n c 1 3; head -c 1 /k; cat /n && echo null'
check_devices() {
    ok exec pod /bin/busybox sh -c "$device"
    has "$1: a device outside the rules" "not permitted" "$(cat /run/out)"
    has "$1: a device of the rules" "null" "$(cat /run/out)"
}
check_devices "started"
systemctl daemon-reload
check_limits "reloaded"
check_devices "reloaded"
systemctl set-property --runtime $unit CPUShares=512 # writes all of them anew
check_limits "rewritten"
check_devices "rewritten"
if [ $hierarchy = v1 ]; then
    is "DevicePolicy" strict "$(show $unit DevicePolicy)"
    has "devices.list" "c 1:3 rwm" "$(file devices devices.list)"
fi

part "update"
ok update --pids-limit 77 --memory 50331648 --cpu-quota 33333 pod
is "TasksMax" 77 "$(show $unit TasksMax)"
is "pids.max" 77 "$(file pids pids.max)"
is "MemoryLimit" 50331648 "$(show $unit MemoryLimit)"
is "memory.limit_in_bytes" 50331648 "$(file memory memory.limit_in_bytes)"
is "CPUQuota, in whole percents" 340ms "$(show $unit CPUQuotaPerSecUSec)"
is "cpu.cfs_quota_us, exact" 33333 "$(file cpu cpu.cfs_quota_us)"
is "untouched" 512 "$(file cpu cpu.shares)"
ok update --cpu-period 50000 pod
is "CPUQuota with half the period" 670ms "$(show $unit CPUQuotaPerSecUSec)"
is "cpu.cfs_period_us" 50000 "$(file cpu cpu.cfs_period_us)"
is "cpu.cfs_quota_us, the same" 33333 "$(file cpu cpu.cfs_quota_us)"
ok update --pids-limit -1 --cpu-quota -1 pod
is "TasksMax lifted" infinity "$(show $unit TasksMax)"
is "pids.max lifted" max "$(file pids pids.max)"
is "CPUQuota lifted" infinity "$(show $unit CPUQuotaPerSecUSec)"
is "cpu.cfs_quota_us lifted" -1 "$(file cpu cpu.cfs_quota_us)"
check_devices "updated"
ok state pod
has "it does not stand still" '"status": "running"' "$(cat /run/out)"
ok pause pod
ok update --pids-limit 60 pod
ok state pod
has "paused before an update, and after" '"status": "paused"' "$(cat /run/out)"
ok resume pod

part "a second container of the same unit"
sleeper kubepods-burst.slice:cri:pod
refused "unit cri-pod.scope is there already and is active" create --bundle $bundle thief
ok delete --force thief
ok state pod
has "the first" '"status": "running"' "$(cat /run/out)"
systemctl daemon-reexec
check_devices "systemd anew"
ok kill --all pod KILL
ok delete --force pod
gone $unit

part "run in the foreground, and the name again at once"
bundle system.slice:t:run '{}' '{}' /bin/busybox sh -c 'exit 3'
for turn in 1 2 3; do
    runtime run --bundle $bundle run </dev/null >/dev/null
    is "exit status, turn $turn" 3 $?
    gone t-run.scope
done

part "one that dies of SIGKILL, its scope, and what it left in groups below"
group=/system.slice/t-sub.scope
bundle system.slice:t:sub '{}' '{}' /bin/busybox sleep 1000
ok run -d --bundle $bundle --pid-file /run/pid sub
mkdir -p "$(of freezer a/b)" "$(of memory a)"
[ $hierarchy = v1 ] || mkdir -p "$(of unified a/b)" # on v1 alone systemd hears only of groups without groups below
kill -9 "$(cat /run/pid)"
wait_until "the scope's end" unloaded t-sub.scope
ok state sub
has "state" '"status": "stopped"' "$(cat /run/out)"
ok delete sub
gone t-sub.scope
is "failed units" "" "$(systemctl list-units --failed --no-legend --plain)"

part "two in one slice"
for one in one two; do
    sleeper pods-a.slice:t:$one
    ok run -d --bundle $bundle $one
done
ok delete --force one
is "the other's freezer" /sys/fs/cgroup/freezer/pods.slice/pods-a.slice/t-two.scope "$(find /sys/fs/cgroup/freezer -name '*.scope')"
ok exec two /bin/busybox true
ok delete --force two
gone t-two.scope

part "device rules"
sleeper system.slice:t:dev '{"devices": [{"allow": true, "access": "rwm"}, {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "rwm"}]}'
if [ $hierarchy = v1 ]; then
    refused "device rule 'deny c 1:11 rw' with --systemd-cgroup" create --bundle $bundle pod
    gone t-dev.scope
    sleeper system.slice:t:dev '{"devices": [{"allow": true, "type": "c", "minor": 3, "access": "r"}]}'
    refused "device rule 'allow c *:3 r' with --systemd-cgroup" create --bundle $bundle pod
else
    ok run -d --bundle $bundle pod
    systemctl daemon-reload
    systemctl set-property --runtime t-dev.scope CPUShares=512
    ok exec pod /bin/busybox sh -c 'exec 2>&1; mknod /k c 1 11; head -c 1 /k; true'
    has "an exception, rewritten" "not permitted" "$(cat /run/out)"
    ok delete --force pod
fi
gone t-dev.scope
# A number that no driver has: systemd 252 takes it as it is.
sleeper system.slice:t:dev '{"devices": [{"allow": true, "type": "c", "major": 4000, "access": "rwm"}, {"allow": true, "access": "rwm", "type": "b", "major": 4000, "minor": 7}]}'
ok run -d --bundle $bundle pod
systemctl set-property --runtime t-dev.scope CPUShares=512
group=/system.slice/t-dev.scope
if [ $hierarchy = v1 ]; then
    has "any minor" "c 4000:* rwm" "$(file devices devices.list)"
    has "both numbers" "b 4000:7 rwm" "$(file devices devices.list)"
fi
ok delete --force pod
gone t-dev.scope

part "what is refused"
sleeper system.slice:t:bad '{"unified": {"memory.high": "60000000"}}'
refused "unified['memory.high'] is a file of cgroup v2" create --bundle $bundle bad
gone t-bad.scope
sleeper system.slice:t:bad '{}' '{"covey.dev/access": "private"}'
refused "annotation covey.dev/access with --systemd-cgroup needs cgroup v2 alone, and this host is $hierarchy" create --bundle $bundle bad
gone t-bad.scope
sleeper system.slice:t:bad
one='[{"containerID": 0, "hostID": 1000, "size": 1}]'
sed -i 's|{"type": "pid"}|{"type": "user"}, {"type": "pid"}|; s|"linux": {|&"uidMappings": '"$one"', "gidMappings": '"$one"',|' $bundle/config.json
mkdir -p /run/user/1000
chown user:user /run/user/1000
has "without root" "--systemd-cgroup without root needs cgroup v2 alone, and this host is $hierarchy: v1" \
    "$(su user -c "XDG_RUNTIME_DIR=/run/user/1000 COVEY_REGISTRY=/run/user/1000/engines /covey/bin/covey-runtime --systemd-cgroup create --bundle $bundle bad" 2>&1)"
is "nothing of it" "" "$(ls /run/user/1000/covey/runtime)"

part "what fails leaves nothing"
bundle system.slice:t:bad '{}' '{}' /bin/none
refused "executable file not found" run -d --bundle $bundle bad
gone t-bad.scope
sleeper system.slice:t:bad
for step in runtime.intent runtime.cgroup runtime.clone runtime.record launch.read launch.cgroup launch.clone init.start; do
    export COVEY_FAIL_AT=$step
    refused "injected fault at" create --bundle $bundle bad
    unset COVEY_FAIL_AT
    gone t-bad.scope
done
# Somebody else's group where systemd has none.
mkdir -p /sys/fs/cgroup/freezer/system.slice/t-bad.scope
sleep 1000 &
echo $! >/sys/fs/cgroup/freezer/system.slice/t-bad.scope/cgroup.procs
refused "t-bad.scope is not empty: 1 processes" create --bundle $bundle bad
kill $!
wait $! 2>/dev/null
rmdir /sys/fs/cgroup/freezer/system.slice/t-bad.scope /sys/fs/cgroup/freezer/system.slice
gone t-bad.scope

part "the command killed at any time"
for delay in 20 60 100 150 220 300 400; do
    covey-runtime --systemd-cgroup create --bundle $bundle bad </dev/null >/dev/null 2>&1 &
    usleep ${delay}000
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    ok delete --force bad
    wait_until "the end of t-bad.scope after $delay ms" not_in_use t-bad.scope
    wait_until "systemd's forgetting after $delay ms" unloaded t-bad.scope
    gone t-bad.scope
done

part "nothing is left"
is "scopes" 0 "$(find /sys/fs/cgroup -name '*.scope' | grep -vc /init.scope)"
is "transient units" "" "$(find /run/systemd/transient -name '*.scope*' 2>/dev/null)"
is "failed units" "" "$(systemctl list-units --failed --no-legend --plain)"
is "mounts" 0 "$(grep -c covey /proc/self/mounts)"
is "processes" 0 "$(ps | grep -c '[s]leep 1000')"
finish
