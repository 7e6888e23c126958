#!/bin/sh
# covey-runtime --systemd-cgroup under a systemd that is PID 1, on cgroup v2 alone: the only service of
# the machine of systemd.sh.
. /covey/checks.sh
file() { cat "/sys/fs/cgroup$1" 2>&1; }
# Nothing of a container is left: $1 unit, $2 group.
gone() {
    is "$1 is not loaded" not-found "$(show "$1" LoadState)"
    [ ! -e "/sys/fs/cgroup$2" ] || bad "$2 is there"
    is "no state" "" "$(ls /run/covey/runtime 2>/dev/null)"
    is "no link" "" "$(ls /run/covey/engines 2>/dev/null)"
}

part "up, $(systemctl --version | head -n 1)"
is "cgroup v2 alone" 0 "$(grep -c ' cgroup ' /proc/mounts)"

part "a container without a cgroupsPath"
sleeper "" '{"pids": {"limit": -1}}'
ok run -d --bundle $bundle --pid-file /run/pid web
group=/system.slice/covey-web.scope
is "state" active "$(show covey-web.scope ActiveState)"
is "slice" system.slice "$(show covey-web.scope Slice)"
is "group" $group "$(show covey-web.scope ControlGroup)"
is "delegated" yes "$(show covey-web.scope Delegate)"
is "no limit, and not systemd's own" infinity "$(show covey-web.scope TasksMax)"
is "collected" inactive-or-failed "$(show covey-web.scope CollectMode)"
is "no default dependencies" no "$(show covey-web.scope DefaultDependencies)"
is "init's group" "0::$group/main" "$(cat /proc/"$(cat /run/pid)"/cgroup)"
is "its processes" "$(cat /run/pid)" "$(file $group/main/cgroup.procs)"
is "controllers" "cpuset cpu io memory pids" "$(file $group/cgroup.controllers)"
has "record" '"systemdUnit":"covey-web.scope"' "$(cat /run/covey/runtime/web/record.json)"
ok exec web /bin/busybox cat /proc/self/cgroup
is "exec's group" "0::$group/main" "$(cat /run/out)"
ok events --stats web
has "statistics" '"pids":{"current":1' "$(cat /run/out)"
ok pause web
is "paused" 1 "$(file $group/cgroup.freeze)"
ok resume web
refused "not stopped" delete web
ok kill web KILL
wait_until "systemd's end of the scope" [ ! -e /sys/fs/cgroup$group ]
ok delete web
gone covey-web.scope $group

part "limits"
limits='{"memory": {"limit": 67108864, "reservation": 33554432}, "pids": {"limit": 50},
 "cpu": {"shares": 512, "quota": 25000, "period": 100000, "cpus": "0", "mems": "0"},
 "blockIO": {"weight": 500}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
 "unified": {"memory.high": "60000000"}}'
grep -q io.weight /sys/fs/cgroup/cgroup.controllers || limits=$(echo "$limits" | sed 's/"blockIO": {"weight": 500},//')
sleeper kubepods-burst.slice:cri:pod "$limits"
ok create --bundle $bundle pod
unit=cri-pod.scope group=/kubepods.slice/kubepods-burst.slice/cri-pod.scope
is "group" $group "$(show $unit ControlGroup)"
is "slice" kubepods-burst.slice "$(show $unit Slice)"
check_limits() {
    is "$1: MemoryMax" 67108864 "$(show $unit MemoryMax)"
    is "$1: memory.max" 67108864 "$(file $group/memory.max)"
    is "$1: MemoryLow" 33554432 "$(show $unit MemoryLow)"
    is "$1: memory.low" 33554432 "$(file $group/memory.low)"
    is "$1: MemoryHigh" 60000000 "$(show $unit MemoryHigh)"
    is "$1: memory.high" 59998208 "$(file $group/memory.high)" # whole pages
    is "$1: TasksMax" 50 "$(show $unit TasksMax)"
    is "$1: pids.max" 50 "$(file $group/pids.max)"
    is "$1: CPUWeight" 59 "$(show $unit CPUWeight)"
    is "$1: cpu.weight" 59 "$(file $group/cpu.weight)"
    is "$1: CPUQuota" 250ms "$(show $unit CPUQuotaPerSecUSec)"
    is "$1: cpu.max" "25000 100000" "$(file $group/cpu.max)"
    is "$1: AllowedCPUs" 0 "$(show $unit AllowedCPUs)"
    is "$1: cpuset.cpus" 0 "$(file $group/cpuset.cpus)"
    is "$1: AllowedMemoryNodes" 0 "$(show $unit AllowedMemoryNodes)"
    is "$1: cpuset.mems" 0 "$(file $group/cpuset.mems)"
    is "$1: hugetlb" 4194304 "$(file $group/hugetlb.2MB.max)" # systemd knows nothing of it
}
check_limits "created"
ok start pod
device='exec 2>&1; rm -f /k /n; mknod /k c 1 11; mknod /n c 1 3; head -c 1 /k; cat /n && echo null'
ok exec pod /bin/busybox sh -c "$device"
has "a device outside the rules" "not permitted" "$(cat /run/out)"
has "a device of the rules" "null" "$(cat /run/out)"
systemctl daemon-reload
systemctl set-property --runtime $unit CPUWeight=59
check_limits "reloaded"
ok exec pod /bin/busybox sh -c "$device"
has "a device outside the rules, reloaded" "not permitted" "$(cat /run/out)"

part "update"
ok update --pids-limit 77 --memory 134217728 --cpu-quota 33333 pod
is "TasksMax" 77 "$(show $unit TasksMax)"
is "pids.max" 77 "$(file $group/pids.max)"
is "MemoryMax" 134217728 "$(show $unit MemoryMax)"
is "memory.max" 134217728 "$(file $group/memory.max)"
is "CPUQuota, in whole percents" 340ms "$(show $unit CPUQuotaPerSecUSec)"
is "cpu.max, exact" "33333 100000" "$(file $group/cpu.max)"
is "untouched" 59 "$(file $group/cpu.weight)"
ok update --pids-limit 78 pod
is "cpu.max, still exact" "33333 100000" "$(file $group/cpu.max)"
ok update --pids-limit -1 --cpu-quota -1 pod
is "TasksMax lifted" infinity "$(show $unit TasksMax)"
is "pids.max lifted" max "$(file $group/pids.max)"
is "CPUQuota lifted" infinity "$(show $unit CPUQuotaPerSecUSec)"
is "cpu.max lifted" "max 100000" "$(file $group/cpu.max)"

part "a second container of the same unit"
sleeper kubepods-burst.slice:cri:pod
refused "unit cri-pod.scope is there already and is active" create --bundle $bundle thief
is "no state of it" pod "$(ls /run/covey/runtime)"
ok delete --force thief
is "the first" active "$(show $unit ActiveState)"
ok state pod
has "the first" '"status": "running"' "$(cat /run/out)"
systemctl daemon-reexec
ok pause pod
ok delete --force pod
gone $unit $group

part "run in the foreground, and the name again at once"
bundle system.slice:t:run '{}' '{}' /bin/busybox sh -c 'exit 3'
for turn in 1 2 3; do
    runtime run --bundle $bundle run </dev/null >/dev/null
    is "exit status, turn $turn" 3 $?
    gone t-run.scope /system.slice/t-run.scope
done

part "one that dies of SIGKILL, its scope, and what it left in groups below"
bundle system.slice:t:sub '{}' '{}' /bin/busybox sleep 1000
ok run -d --bundle $bundle --pid-file /run/pid sub
mkdir -p /sys/fs/cgroup/system.slice/t-sub.scope/a/b
kill -9 "$(cat /run/pid)"
wait_until "the scope's end" [ ! -e /sys/fs/cgroup/system.slice/t-sub.scope ]
ok delete sub
gone t-sub.scope /system.slice/t-sub.scope
is "failed units" "" "$(systemctl list-units --failed --no-legend --plain)"

part "annotations"
sleeper system.slice:t:ann '{}' '{"org.systemd.property.KillSignal": "37", "org.systemd.property.TimeoutStopSec": "uint64 7",
 "org.systemd.property.After": "['"'dbus.socket'"']"}'
ok create --bundle $bundle ann
is "KillSignal" 37 "$(show t-ann.scope KillSignal)"
is "TimeoutStopUSec" 7s "$(show t-ann.scope TimeoutStopUSec)"
has "After" dbus.socket "$(show t-ann.scope After)"
ok delete ann
gone t-ann.scope /system.slice/t-ann.scope
sleeper system.slice:t:ann '{}' '{"org.systemd.property.SuccessAction": "'"'poweroff-force'"'"}'
refused "org.systemd.property.SuccessAction is not obeyed" create --bundle $bundle ann
gone t-ann.scope /system.slice/t-ann.scope

part "what fails leaves nothing"
sleeper /system.slice/path
refused 'expected cgroupsPath to be of format "slice:prefix:name"' create --bundle $bundle bad
bundle system.slice:t:bad '{}' '{}' /bin/none
refused "executable file not found" run -d --bundle $bundle bad
gone t-bad.scope /system.slice/t-bad.scope
sleeper system.slice:t:bad '{"memory": {"limit": 8388608, "swap": 4194304}}'
refused "linux/resources/memory/swap: 4194304 is memory and swap together" create --bundle $bundle bad
ln -s /dev/null /run/systemd/system/masked.slice
systemctl daemon-reload
sleeper masked.slice:t:bad
refused "t-bad.scope" create --bundle $bundle bad
has "its reason" "masked.slice is masked" "$(cat /run/err)"
gone t-bad.scope /masked.slice/t-bad.scope
sleeper system.slice:t:bad '{}' '{"org.systemd.property.After": "['"'check.service'"']"}' # which does not end
refused "start unit t-bad.scope: not done within 30 s" create --bundle $bundle bad
gone t-bad.scope /system.slice/t-bad.scope
is "jobs" 0 "$(systemctl list-jobs --no-legend | grep -c t-bad)"
sleeper system.slice:t:bad
for step in runtime.intent runtime.cgroup runtime.clone runtime.record launch.read launch.cgroup launch.clone init.start; do
    export COVEY_FAIL_AT=$step
    refused "injected fault at" create --bundle $bundle bad
    unset COVEY_FAIL_AT
    gone t-bad.scope /system.slice/t-bad.scope
done
mv /covey/bin/covey-systemd /covey/bin/away
refused "needs the program covey-systemd" create --bundle $bundle bad
mv /covey/bin/away /covey/bin/covey-systemd
gone t-bad.scope /system.slice/t-bad.scope

part "covey-systemd itself"
printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/idle.target
sleep 1000 &
has "a job that fails" "error
unavailable
systemd: start unit t-job.scope: the job ended with result 'dependency'" \
    "$(covey-systemd start t-job.scope $! Requisite as idle.target After as idle.target 3>&1)"
kill $!
gone t-job.scope /system.slice/t-job.scope
has "a property that is none" "error
invalid_argument
systemd: set properties of unit check.service" "$(covey-systemd set check.service NoSuch b true 3>&1)"
sleep 1000 &
covey-systemd start t-job.scope $! 3>&1 >/dev/null | true # nobody hears the answer
wait_until "its being taken back" unloaded t-job.scope
kill $! 2>/dev/null
is "stop of what is not there" ok "$(covey-systemd stop nothing.scope 3>&1)"
has "no request" "unknown verb 'begin'" "$(covey-systemd begin x.scope 3>&1)"

part "the command killed at any time"
for delay in 20 40 60 80 100 120 150 180 220 260 300 400; do
    covey-runtime --systemd-cgroup create --bundle $bundle bad </dev/null >/dev/null 2>&1 &
    usleep ${delay}000
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    ok delete --force bad
    wait_until "the end of t-bad.scope after $delay ms" [ ! -e /sys/fs/cgroup/system.slice/t-bad.scope ]
    wait_until "systemd's forgetting after $delay ms" unloaded t-bad.scope
    is "no state" "" "$(ls /run/covey/runtime 2>/dev/null)"
done

part "without a message bus"
systemctl stop dbus.socket dbus.service
[ ! -S /run/dbus/system_bus_socket ] || rm /run/dbus/system_bus_socket
ok create --bundle $bundle alone
is "state" active "$(show t-bad.scope ActiveState)"
ok update --pids-limit 33 alone
is "pids.max" 33 "$(file /system.slice/t-bad.scope/pids.max)"
ok delete --force alone
gone t-bad.scope /system.slice/t-bad.scope

part "rootless, under a user's manager"
mkdir -p /run/user/1000
chown user:user /run/user/1000
systemctl start dbus.socket user@1000.service
wait_until "the user's manager" [ -S /run/user/1000/systemd/private ]
cat >/covey/rootless.sh <<'END'
set -e
export XDG_RUNTIME_DIR=/run/user/1000 COVEY_REGISTRY=/run/user/1000/engines
covey-systemd --user start shell.scope $$ 3>&1
covey-runtime --systemd-cgroup run -d --bundle /run/bundle --pid-file $XDG_RUNTIME_DIR/pid mine </dev/null >/dev/null
cat /proc/$(cat $XDG_RUNTIME_DIR/pid)/cgroup
cat /sys/fs/cgroup$(sed s/^0::// /proc/$(cat $XDG_RUNTIME_DIR/pid)/cgroup)/pids.max
covey-runtime exec mine /bin/busybox cat /proc/self/cgroup
covey-runtime update --pids-limit 44 mine
cat /sys/fs/cgroup$(sed s/^0::// /proc/$(cat $XDG_RUNTIME_DIR/pid)/cgroup)/pids.max
covey-runtime delete --force mine
ls $XDG_RUNTIME_DIR/covey/runtime $XDG_RUNTIME_DIR/engines
END
sleeper "" '{"pids": {"limit": 55}}'
one='[{"containerID": 0, "hostID": 1000, "size": 1}]'
sed -i 's|{"type": "pid"}|{"type": "user"}, {"type": "pid"}|; s|"linux": {|&"uidMappings": '"$one"', "gidMappings": '"$one"',|' $bundle/config.json
own=/user.slice/user-1000.slice/user@1000.service
is "rootless: its log" "ok
$own/app.slice/shell.scope
0::$own/user.slice/covey-mine.scope/main
55
0::$own/user.slice/covey-mine.scope/main
44
/run/user/1000/covey/runtime:

/run/user/1000/engines:" "$(su user -c 'sh /covey/rootless.sh' 2>&1)"
wait_until "the shell's scope's end" [ ! -e /sys/fs/cgroup$own/app.slice/shell.scope ]
is "rootless: scopes" /sys/fs/cgroup$own/init.scope "$(find /sys/fs/cgroup$own -name '*.scope')"
systemctl stop user@1000.service

part "nothing is left"
is "scopes" /sys/fs/cgroup/init.scope "$(find /sys/fs/cgroup -name '*.scope')"
is "transient units" "" "$(find /run/systemd/transient -name '*.scope*' 2>/dev/null)"
is "failed units" "" "$(systemctl list-units --failed --no-legend --plain)"
is "mounts" 0 "$(grep -c covey /proc/self/mounts)"
is "processes" 0 "$(ps | grep -c '[s]leep 1000')"
finish
